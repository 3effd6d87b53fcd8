"""Why functions share a group, or stand alone: one fact about one function each."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.simulator.function import Function

ReasonKind: TypeAlias = Literal[
    "acs-absent",  # a port or function has no ACS capability
    "acs-not-offered",  # an ACS bit is not in its capability (the safe partition only)
    "acs-known",  # Linux knows by its id that it does not isolate
    "acs-off",  # an ACS bit is in the capability and off in control
    "conventional",  # conventional PCI, or a bridge to it: nothing can isolate
    "functions",  # a function of a multi-function device that does not isolate
    "bridge-alias",  # a bridge puts its requester id on what is behind it
    "fixed-alias",  # the function also uses another function's requester id
    "stream",  # an IOMMU sees the same stream from two functions
    "switch",  # downstream ports of one switch that let requests through to each other
    "bridge-group",  # the bridge above is in a group that does not isolate
    "bar-page",  # BARs in one 4 KiB page
    "isolated",  # what is above isolates: the function stands alone
    "no-iommu",  # no group: no IOMMU translates the function
    "refused",  # no group: the IOMMU's driver refuses the function
    "unit-lost",  # no group: the IOMMU's driver gave the whole unit up
    "undetermined",  # whether it has a group differs from boot to boot
    "deferred",  # no group: the bridge above has none
    "order",  # grouped too finely: a bridge above that does not isolate has no group
    "xen",  # what Xen goes by
]


class Reason(Struct, frozen=True):
    """A fact about `function`. `text` is a plain sentence that starts with its sBDF (no full
    stop); `bits` are the ACS bits it lacks, by name (`SV RR CR UF`), where that is the fact."""

    function: Function
    text: str
    kind: ReasonKind
    bits: tuple[str, ...] = ()
