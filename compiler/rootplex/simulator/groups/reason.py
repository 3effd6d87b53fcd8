"""Why functions share a group, or stand alone: one fact about one function each."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.simulator.firmware.routing.routes import Cause
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


class Lack(Struct, frozen=True):
    """What keeps a function from isolating: no capability, bits off, Linux knows it (`of`: by this id), or it
    cannot at all. `bits` by name (`SV RR CR UF`)."""

    kind: ReasonKind
    bits: tuple[str, ...] = ()
    of: str = ""


class Reason(Struct, frozen=True):
    """A fact about `function`. `fact` tells which one of several of a kind. The rest as far as it is part of
    the fact: another function, a requester id or StreamID, a number of something, the names of units (its
    own and the other's), what it lacks to isolate; that Linux knows it by its id; what else was told; why
    firmware leads to no IOMMU; and the reason behind this one. Its sentence is made in `report.reasons`."""

    function: Function
    kind: ReasonKind
    fact: str = ""
    other: Function | None = None
    id: int = 0
    number: int = 0
    unit: str = ""
    other_unit: str = ""
    lack: Lack | None = None
    known_by_id: bool = False
    told: str = ""
    lost: Cause | None = None
    cause: Reason | None = None

    @property
    def bits(self) -> tuple[str, ...]:
        """The ACS bits that it lacks, by name, where that is the fact."""
        return () if self.lack is None else self.lack.bits
