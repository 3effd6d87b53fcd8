"""Bus ranges that do not hold: what a node says, and which bridges share buses."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.causes import property_of, with_maps
from rootplex.checks.check import check
from rootplex.checks.disjoint import segment_apart
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0210", Level.ERROR, covers=("LNX-15", "XP-11", "XP-12"))
def bus_range_cells(facts: Facts) -> Iterator[Finding]:
    """What it finds: a `bus-range` that runs backwards, ends beyond 0xff, or is not two cells.
    Why it matters: every reader makes something else of it: Linux refuses a reversed range (-EINVAL), takes
    0-0xff for a short one, and cuts an end beyond 0xff to 0xff (7.2) or to first + 0xff (6.12 and before);
    Xen keeps the low 8 bits of each cell.
    Example: `dt: {properties: {bus-range: [0x10, 0x1ff]}}`.
    What to do: write first and last bus, from 0 to 0xff.
    Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources, and drivers/pci/ecam.c,
    pci_ecam_create; Xen xen/arch/arm/pci/pci-host-common.c, pci_generic_init_bus_range.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        name, cells = facts.name_of(bridge.path), bridge.bus_range
        if cells is None:
            continue
        notes: list[str] = []
        level = Level.ERROR
        if len(cells) != 2 or len(bridge.node.properties["bus-range"]) != 8:
            message = f"the bus-range of '{name}' has {len(bridge.node.properties['bus-range'])} bytes, not 8"
            if len(cells) >= 2:
                level = Level.WARNING
            else:
                notes.append("it is taken as 0-0xff")
        elif cells[0] > cells[1]:
            message = f"the bus-range of '{name}' runs backwards, from {cells[0]:#x} to {cells[1]:#x}"
        elif cells[1] > 0xFF:
            message = f"the bus-range of '{name}' ends at {cells[1]:#x}, beyond 0xff"
            if facts.hypervisor is not None:
                notes.append(f"Xen takes it as {cells[0] & 0xFF:#x}-{cells[1] & 0xFF:#x}")
        else:
            continue
        yield bus_range_cells.rule.finding(
            bridge.place("bus-range"),
            message,
            level=level,
            notes=notes,
            help="write the first and the last bus, from 0 to 0xff",
            subject=name,
            about=with_maps(name),  # ids of other buses
        )


@check("RPX0211", Level.NOTE, requires=("RPX0625",))
def bus_range_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: an enabled host bridge without `bus-range`.
    Why it matters: 0-0xff is taken. There is no fault in that where the bridge is alone in its segment; the
    note tells where the range comes from that other checks speak of.
    Example: `dt: {properties: {bus-range: false}}`.
    What to do: nothing, or write the range.
    Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources; Xen
    xen/arch/arm/pci/pci-host-common.c, pci_generic_init_bus_range.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        if bridge.bus_range is None:
            name = facts.name_of(bridge.path)
            yield bus_range_missing.rule.finding(
                bridge.place(),
                f"'{name}' has no bus-range",
                notes=["buses 0-0xff are taken"],
                subject=name,
                rests_on=(property_of(name, "bus-range"),),
            )


@check("RPX0209", Level.ERROR, needs="simulation", requires=("RPX0202",), covers=("XP-05",))
def bus_owned_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: two host bridges that came up in Dom0 with the same segment and overlapping buses.
    Why it matters: one sBDF means two devices. Xen asks the bridge that it met first, so the other's devices
    are never reached; a number given by the kernel can meet one of a node without device_type, which is not
    reserved.
    Example: a bridge without `segment` beside one with `segment: 0` whose node lacks device_type.
    What to do: give every host bridge a segment of its own.
    Source: Xen xen/arch/arm/pci/pci-host-common.c, pci_find_host_bridge; Linux drivers/pci/pci.c,
    of_pci_reserve_static_domain_nr.
    """
    # Only on device tree boots.
    if booted(facts).settings.firmware != "dt":
        return
    seen: dict[int, list[RootBridge]] = {}
    for root in booted(facts).dom0.root_bridges:
        clash = root.fault is not None and root.fault.kind == "bus-exists"
        if root.segment is None or not (root.is_up or clash):
            continue
        earlier = seen.setdefault(root.segment, [])
        other = next((each for each in earlier if _share(root, each)), None)
        if other is not None:
            name, other_name = facts.name_of(root.path), facts.name_of(other.path)
            first, last = max(root.first_bus, other.first_bus), min(root.last_bus, other.last_bus)
            apart = segment_apart(facts, name, "dt")
            yield bus_owned_twice.rule.finding(
                _place(root),
                f"'{name}' and '{other_name}' are both segment {root.segment} "
                f"with buses {first:#x}-{last:#x}",
                related=[(_place(other), f"'{other_name}' was first")],
                help="give every host bridge a segment of its own"
                + ("" if apart is None else f": {apart[0]} is free"),
                rewrite=None if apart is None else apart[1],
                subject=name,
            )
        earlier.append(root)


def _share(root: RootBridge, other: RootBridge) -> bool:
    overlap = root.first_bus <= other.last_bus and other.first_bus <= root.last_bus
    return root.segment == other.segment and overlap


def _place(root: RootBridge) -> Place:
    return root.places.get("segment") or root.places["node"]
