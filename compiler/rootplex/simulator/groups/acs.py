"""Whether a function keeps its peers from being reached: Linux `pci_acs_enabled` (linux.md §5.3).

A bit that the ACS capability does not offer counts as satisfied: a function with an empty
capability isolates, one without a capability does not.
"""

from __future__ import annotations

from rootplex.simulator.function import (
    ACS_CR,
    ACS_REQUIRED,
    ACS_RR,
    ACS_SV,
    ACS_UF,
    DOWNSTREAM,
    EVENT_COLLECTOR,
    INTEGRATED,
    PCI_TO_PCIE,
    PCIE_TO_PCI,
    ROOT_PORT,
    UPSTREAM,
    Function,
)
from rootplex.simulator.groups.reason import Lack, Reason

ENDPOINT, LEGACY_ENDPOINT = 0, 1

BIT_NAMES = {ACS_SV: "SV", ACS_RR: "RR", ACS_CR: "CR", ACS_UF: "UF"}
"""The ACS bits that isolation rests on."""

ALWAYS_ASKED = frozenset({ROOT_PORT, DOWNSTREAM})
ASKED_IF_MULTIFUNCTION = frozenset({ENDPOINT, LEGACY_ENDPOINT, UPSTREAM, INTEGRATED})
NEVER_ISOLATING = frozenset({PCIE_TO_PCI, PCI_TO_PCIE, EVENT_COLLECTOR})


def bit_names(bits: int) -> tuple[str, ...]:
    """The names of those of SV, RR, CR, UF that are set."""
    return tuple(name for bit, name in BIT_NAMES.items() if bits & bit)


class Acs:
    """Answers for one set of functions, remembered per function.

    A function counts as one of several where the kernel takes it so (header bit 7, or a function number
    above 0 found in its slot).
    """

    def __init__(self) -> None:
        self._lacks: dict[Function, Lack | None] = {}
        self._open: dict[Function, Function | None] = {}

    def is_multifunction(self, function: Function) -> bool:
        return function.physfn is None and function.multifunction

    def lack(self, function: Function) -> Lack | None:
        """What the function lacks to isolate; None: it isolates (`acs_ok`)."""
        if function not in self._lacks:
            self._lacks[function] = self._lack(function)
        return self._lacks[function]

    def isolates(self, function: Function) -> bool:
        return self.lack(function) is None

    def open_bridge(self, bridge: Function | None) -> Function | None:
        """The bridge nearest the root bus, on the way from `bridge` up, that does not isolate;
        None where all do (`path_ok`)."""
        way = []
        at = bridge
        while at is not None and at not in self._open:
            way.append(at)
            at = at.parent
        answer = None if at is None else self._open[at]
        for passed in reversed(way):
            if answer is None and not self.isolates(passed):
                answer = passed
            self._open[passed] = answer
        return answer

    def answers_yes(self, function: Function) -> bool:
        """Whether the kernel says that it isolates without asking its capability."""
        if function.acs_quirk == "southbridge":
            return function.bus.is_root and self.is_multifunction(function)
        return function.acs_quirk == "isolated"

    def _lack(self, function: Function) -> Lack | None:
        kind = function.pcie_type
        if self.answers_yes(function):
            return None
        if function.acs_quirk == "shared":
            return Lack("acs-known", of=function.id)
        if kind is None or kind in NEVER_ISOLATING:
            return Lack("conventional")
        if kind in ALWAYS_ASKED:
            return missing_control(function, ACS_REQUIRED)
        if kind in ASKED_IF_MULTIFUNCTION and self.is_multifunction(function):
            return missing_control(function, ACS_REQUIRED)
        return None


def missing_control(function: Function, wanted: int) -> Lack | None:
    """Which of the wanted bits are offered and not on; without a capability all are missing."""
    if function.acs is None:
        # Source validation and upstream forwarding are a port's business.
        shown = wanted if function.is_bridge else wanted & (ACS_RR | ACS_CR)
        return Lack("acs-absent", bit_names(shown))
    capability, control = function.acs
    off = wanted & capability & ~control
    return Lack("acs-off", bit_names(off)) if off else None


def port_reason(bridge: Function, lack: Lack) -> Reason:
    """Why what is below a bridge shares its group."""
    return Reason(bridge, lack.kind, "port", lack=lack)


def function_reason(function: Function, lack: Lack) -> Reason:
    """Why a function shares the group of the others of its device."""
    return Reason(function, "functions", lack=lack)


def alone_reason(function: Function, acs: Acs) -> Reason:
    """Why a function stands alone: what the nearest bridge above it does, or that there is none. That it is
    by its id that it isolates counts where it would have to have the capability."""
    asked = function.pcie_type in ALWAYS_ASKED or acs.is_multifunction(function)
    known = "acs" in function.known_by_id and asked and acs.answers_yes(function)
    bridge = function.parent
    if bridge is None:
        return Reason(function, "isolated", "on-root-bus", known_by_id=known)
    how, bits = "by-this-kernel", tuple[str, ...]()
    if bridge.acs_quirk == "isolated":
        how = "known-by-id" if "acs" in bridge.known_by_id else "known"
    elif bridge.pcie_type in ALWAYS_ASKED and bridge.acs is not None:
        bits = bit_names(bridge.acs[1] & ACS_REQUIRED)
        how = "bits-on" if bits else "no-bits"
    elif acs.isolates(bridge):
        how = "isolates" if acs.is_multifunction(bridge) else "single-function"
    return Reason(bridge, "isolated", how, other=function, told=", ".join(bits), known_by_id=known)
