"""The requester ids that a function's requests carry on their way up (linux.md §5.4).

Follows Linux `pci/search.c:pci_for_each_dma_alias`: the function's own id, ids it is known to use
beside it, and the id of every bridge above that takes requests over; some bridges are known by id.
"""

from __future__ import annotations

from rootplex.simulator.function import PCI_TO_PCIE, PCIE_TO_PCI, Bus, Function


def dma_aliases(function: Function) -> tuple[tuple[Function, int], ...]:
    """(owner, requester id) pairs, the function's own first, then upwards. An owner is the
    function whose id it is for grouping: the function itself for fixed aliases."""
    own = [(function, function.rid)]
    bus = function.bus.number << 8
    own.extend((function, bus | devfn) for devfn in function.aliases)
    return (*own, *bridge_aliases(function.bus))


def bridge_aliases(bus: Bus) -> tuple[tuple[Function, int], ...]:
    """The ids that bridges above a bus put on requests from it, from below to the root bus."""
    found = []
    at: Bus | None = bus
    while at is not None and not at.is_root:
        bridge = at.bridge
        if bridge is not None:
            if bridge.bridge_alias == "translation-root":
                break
            rid = _taken_over(bridge, at)
            if rid is not None:
                found.append((bridge, rid))
        at = at.parent
    return tuple(found)


def requester_id(function: Function) -> int:
    """The id that interrupt messages carry (`msi/irqdomain.c:get_msi_id_cb`): the function's own,
    unless the walk crosses to another bus number, then the last alias there."""
    rid = function.rid
    for owner, alias in dma_aliases(function):
        if owner.bus.number != rid >> 8 or alias >> 8 != rid >> 8:
            rid = alias
    return rid


def _taken_over(bridge: Function, below: Bus) -> int | None:
    """The id a bridge puts on requests from its secondary bus; None: it passes them unchanged."""
    secondary = (below.number if bridge.secondary is None else bridge.secondary) << 8
    if bridge.bridge_alias is not None:
        return secondary if bridge.bridge_alias == "secondary" else None
    if bridge.pcie_type is None or bridge.pcie_type == PCI_TO_PCIE:
        return bridge.rid
    if bridge.pcie_type == PCIE_TO_PCI:
        # The PCIe side sees device 0, function 0 of the bridge's secondary bus.
        return secondary
    return None
