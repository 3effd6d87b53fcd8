"""Sentences about groups: why functions share one, stand alone, or have none.

Findings say them too, so that this module uses nothing but the simulator's facts, and checks may use it.
"""

from __future__ import annotations

from rootplex.report.causes import because
from rootplex.simulator.function import (
    DOWNSTREAM,
    EVENT_COLLECTOR,
    INTEGRATED,
    PCI_TO_PCIE,
    PCIE_TO_PCI,
    ROOT_PORT,
    UPSTREAM,
    Function,
)
from rootplex.simulator.groups.acs import ENDPOINT, LEGACY_ENDPOINT
from rootplex.simulator.groups.reason import Lack, Reason

_TYPES = {
    ENDPOINT: "an endpoint",
    LEGACY_ENDPOINT: "a legacy endpoint",
    ROOT_PORT: "a root port",
    UPSTREAM: "an upstream port",
    DOWNSTREAM: "a downstream port",
    PCIE_TO_PCI: "a PCIe-to-PCI bridge",
    PCI_TO_PCIE: "a PCI-to-PCIe bridge",
    INTEGRATED: "an integrated endpoint",
    EVENT_COLLECTOR: "a root complex event collector",
}


def type_name(function: Function) -> str:
    """What the function is, with its article."""
    if function.pcie_type is None:
        return "a conventional PCI bridge" if function.is_bridge else "a conventional PCI function"
    return _TYPES.get(function.pcie_type, f"a PCIe function of type {function.pcie_type}")


SENTENCES = {
    "port": "{at} is {type} {lack}: everything below it shares its group",
    "conventional": "{at} is {type}: everything below it shares its group",
    "one-bus": "{at} is {type}: the conventional bus below it is one group",
    "bridge-group": "{at} is in a group that does not isolate: everything below it joins",
    "functions": "{at} is a function of a multi-function device {lack}",
    "flags-differ": "{at} and {other} differ in their multi-function flags",
    "bridge-alias": "{at} is {type}: requests from behind it carry the requester id {id:#06x}",
    "puts-its-id": "{at} puts its requester id {id:#06x} on what is behind it",
    "fixed-alias": "{at} also uses the requester id of {other}{known}",
    "same-id": "{at} uses the requester id {id:#06x}, as {other} does",
    "in-a-switch": "{at} inside the switch of {other} uses other requester ids",
    "stream": "{at} has StreamID {id:#x} of {unit}, as {other} has",
    "other-ports": "{at} is {type} {lack}: requests pass to the other ports of its switch",
    "all-ports": "{at} is {type} {lack}: all ports of its switch, and what is below them, share a group",
    "no-port": "{at} inside the switch of {other} is no downstream port",
    "bar-page": "{at} has a BAR in the 4 KiB page of one of {other}",
    "on-root-bus": "{at} is on the root bus and shares nothing with another function there{known}",
    "known": "{at} is {type} known to Linux to isolate: {other} stands alone below it{known}",
    "known-by-id": "{at} is {type} that Linux knows by its id {own_id} to isolate: "
    "{other} stands alone below it{known}",
    "bits-on": "{at} is {type} with ACS {told} on: {other} stands alone below it{known}",
    "no-bits": "{at} is {type} with an empty ACS capability: {other} stands alone below it{known}",
    "single-function": "{at} is {type} of a single function: {other} stands alone below it{known}",
    "isolates": "{at} is {type} that isolates: {other} stands alone below it{known}",
    "by-this-kernel": "{at} is {type} that this kernel takes to isolate: "
    "{other} stands alone below it{known}",
    "no-iommu": "{at} has no IOMMU: {lost}",
    "undetermined": "{at} shares StreamID {id:#x} of {unit} with others that are probed at the same time: "
    "which of them gets it, and a group, differs from boot to boot",
    "id-taken": "{at} is refused by {unit}: {other} already has StreamID {id:#x}",
    "id-beyond": "{at} is refused by {unit}: StreamID {id:#x} is beyond its {number} bits",
    "id-unknown": "{at} is refused by {unit}: its requests come with the id of {other}, and nothing is known "
    "by its own, {id:#x}",
    "several-groups": "{at} is refused: its StreamIDs belong to {number} groups",
    "other-unit": "{at}, behind {unit}, would join the group of {other}, behind {other_unit}",
    "unit-lost": "{at} has no IOMMU: {unit} is given up ({number}), since {cause}",
    "deferred": "{at} is never grouped: {other} above it has no group",
    "order": "{at} is {type} that does not isolate and has no group itself: "
    "functions below it that must be together get groups of their own",
    "xen": "{at} is {type}: Xen takes all behind it for one requester",
    "no-groups": "{at} is alone: Xen has no groups on Arm",
    "no-bridge": "{at} is behind no conventional bridge",
}
"""By fact, or by kind where a kind has one alone. `type` is the function's, with its article."""


def sentence(reason: Reason) -> str:
    """The reason as a plain sentence that starts with the function's SBDF; no full stop."""
    function, lack = reason.function, reason.lack
    if reason.kind == "functions" and lack is not None and lack.kind == "conventional":
        return f"{function.sbdf} is {type_name(function)} of a multi-function device, which cannot isolate"
    text = SENTENCES[reason.fact or reason.kind].format(
        at=function.sbdf,
        type=type_name(function),
        own_id=function.id,
        other="" if reason.other is None else reason.other.sbdf,
        id=reason.id,
        number=reason.number,
        unit=reason.unit,
        other_unit=reason.other_unit,
        told=reason.told,
        lost="" if reason.lost is None else because(reason.lost),
        lack="" if lack is None else _lacking(lack),
        known=_known(reason) if reason.known_by_id else "",
        cause="" if reason.cause is None else sentence(reason.cause),
    )
    if reason.kind == "functions" and lack is not None and lack.kind == "acs-absent":
        text += f" (lacks {', '.join(lack.bits)})"
    return text


def _lacking(lack: Lack) -> str:
    """The fact behind "is a root port …"."""
    match lack.kind:
        case "acs-absent":
            return "without an ACS capability"
        case "acs-off":
            return f"with ACS {', '.join(lack.bits)} off"
        case "acs-not-offered":
            return f"whose ACS capability lacks {', '.join(lack.bits)}"
        case "acs-known":
            return f"of which Linux knows by its id {lack.of} that it does not isolate"
    return "that cannot isolate"


def _known(reason: Reason) -> str:
    if reason.kind == "fixed-alias":
        return f": Linux knows it by its id {reason.function.id}"
    return f"; Linux knows by its id {(reason.other or reason.function).id} that it isolates"
