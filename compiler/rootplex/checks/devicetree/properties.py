"""Properties that are missing, misspelt, or cannot be cut."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from difflib import get_close_matches

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.causes import map_of, property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.formats.devicetree import FIXED_CELLS, LESSER, MADE, VITAL
from rootplex.readers.address import COUNTS, bus_problems, is_pci_bus
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.phandles import PhandleRef, phandle_refs
from rootplex.readers.problem import Problem
from rootplex.readers.tree import DtNode
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

WINDOWS = {"ranges", "dma-ranges"}
NEEDS_CELLS = {
    "#address-cells": ("ranges", "dma-ranges", "interrupt-map"),
    "#size-cells": ("ranges", "dma-ranges"),
}
"""What cannot be read where the number of cells is wrong."""

SIZE_CELLS = 2
PIN_CELLS = 1


@check("RPX0601", Level.ERROR, covers=("LNX-19",))
def malformed_property(facts: Facts) -> Iterator[Finding]:
    """What it finds: a property of a host bridge, or of a bus above it, that is not a whole number of entries
    or has the wrong length, and cell counts that a PCI bus cannot have (`#address-cells` must be 3, `#size-
    cells` 2, beside an interrupt-map `#interrupt-cells` 1). Also a `reg` of any node that was written for a
    bus of other cell counts: by those its first address is the one in the node's name. Nothing is read from
    it.
    Why it matters: what cannot be cut into entries is not read: no windows, no configuration space, no
    number. Of a cell count of several cells the first is taken; `dma-ranges` without a whole entry leave DMA
    unlimited.
    Example: `dt: {properties: {ranges: [0x02000000, 0, 0x10000000]}}`.
    What to do: count the cells: PCI address 3, CPU address as the parent says, size 2.
    Source: Devicetree Specification 0.4 §2.3; Linux drivers/of/address.c, of_pci_range_parser_init and
    of_dma_get_range; drivers/of/irq.c, of_irq_parse_raw; dtc's checks address_cells_is_cell, ranges_format
    and dma_ranges_format.
    Sources that prove it: device tree.
    """
    # Also of the buses above enabled bridges.
    told: set[DtNode] = set()
    alike = _cut_alike(facts)
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        has_cells = bridge.ranges != "entries" or bridge.node.size_cells == SIZE_CELLS
        for problem in bridge.problems:
            place = problem.place
            if not isinstance(place, DtPlace) or place.node != bridge.path:
                continue
            if place.property in WINDOWS and not has_cells:
                continue
            if place.property == "reg" and (
                _is_in_doubt(facts, bridge.node.parent) or bridge.node.parent in alike
            ):
                continue
            if place.property in VITAL or place.property in LESSER:
                yield _malformed(problem, place, f"'{name}'", name, bridge.node)
        if not has_cells:
            yield malformed_property.rule.finding(
                bridge.place("#size-cells"),
                f"#size-cells of '{name}' is {bridge.node.size_cells}, a PCI bus has {SIZE_CELLS}",
                help=f"write #size-cells = <{SIZE_CELLS}>",
                subject=name,
                about=_unread(name, "#size-cells"),
            )
        pins = bridge.node.u32("#interrupt-cells")
        if "interrupt-map" in bridge.node.properties and pins not in (None, PIN_CELLS):
            yield malformed_property.rule.finding(
                bridge.place("#interrupt-cells"),
                f"#interrupt-cells of '{name}' is {pins}, a PCI bus has {PIN_CELLS}",
                notes=["the kernel looks up one cell, the pin: no line of interrupt-map is found"],
                help=f"write #interrupt-cells = <{PIN_CELLS}>",
                subject=name,
                about=(property_of(name, "interrupt-map"),),
            )
        for bus in bridge.node.ancestors():
            if bus not in told and facts.dt is not None:
                told.add(bus)
                for problem in bus_problems(facts.dt.tree, bus):
                    assert isinstance(problem.place, DtPlace)
                    whose = f"{bus.path}, the bus above '{name}',"
                    yield _malformed(problem, problem.place, whose, name, bus)
    for bus, problems in alike.items():
        yield _bus_cut_otherwise(facts, bus, problems)
    yield from _cut_otherwise(facts, alike)


FEW = 3
"""From so many nodes on a bus on, all that have an address in their name, it is the bus that is wrong."""


def _cut_alike(facts: Facts) -> dict[DtNode, list[Problem]]:
    """The buses on which every such `reg` is written for the same other counts."""
    found: dict[DtNode, list[Problem]] = {}
    for problem in () if facts.dt is None else facts.dt.platform.cut_otherwise:
        assert facts.dt is not None
        assert isinstance(problem.place, DtPlace)
        bus = facts.dt.tree.by_path[problem.place.node].parent
        if bus is not None:
            found.setdefault(bus, []).append(problem)
    return {
        bus: problems
        for bus, problems in found.items()
        if len(problems) >= FEW
        and len({each.text for each in problems}) == 1
        and len(problems) == sum("reg" in child.properties and "@" in child.name for child in bus.children)
    }


def _bus_cut_otherwise(facts: Facts, bus: DtNode, problems: Sequence[Problem]) -> Finding:
    assert facts.dt is not None
    nodes = [each.place.node for each in problems if isinstance(each.place, DtPlace)]
    at = next((name for name in ("#size-cells", "#address-cells") if name in bus.properties), None)
    return malformed_property.rule.finding(
        facts.dt.tree.place(bus, at),
        f"the cell counts of {bus.path} fit no reg on it",
        notes=[f"{nodes[0]}: {problems[0].text}", f"so it is with {len(nodes) - 1} more"],
        help="write #address-cells and #size-cells as the regs have them",
        about=[part for node in nodes for part in (facts.name_of(node), property_of(node, "reg"))],
    )


def _is_in_doubt(facts: Facts, bus: DtNode | None) -> bool:
    """Whether the cell counts of a bus do not fit its own `ranges`, and so may not fit what is on it."""
    return facts.dt is not None and bus is not None and any(bus_problems(facts.dt.tree, bus))


def _cut_otherwise(facts: Facts, alike: Container[DtNode]) -> Iterator[Finding]:
    """Registers of what is no host bridge: all places that are compared with theirs come out wrong."""
    if facts.dt is None:
        return
    bridges = {bridge.path for bridge in facts.dt.bridges}
    for problem in facts.dt.platform.cut_otherwise:
        place = problem.place
        assert isinstance(place, DtPlace)
        node = facts.dt.tree.by_path[place.node]
        if place.node in bridges or node.parent in alike or not (node.is_enabled and node.ancestors_enabled):
            continue
        matters = place.node in facts.dt_controllers or node.string("device_type") == "memory"
        yield malformed_property.rule.finding(
            place,
            f"reg of {place.node} is malformed",
            level=Level.ERROR if matters else Level.WARNING,
            notes=[problem.text, "cut as its bus says, its first address is not the one in its name"],
            help="write every number in as many cells as the bus above says",
            about=(property_of(place.node, "reg"),),
        )


def _malformed(problem: Problem, place: DtPlace, whose: str, name: str, node: DtNode) -> Finding:
    property = place.property or ""
    is_read = problem.kind == "size" and property in COUNTS
    return malformed_property.rule.finding(
        place,
        f"{property} of {whose} is malformed",
        level=Level.WARNING if is_read or property in LESSER else Level.ERROR,
        notes=[problem.text],
        help=_form(property, node),
        subject=name,
        about=() if is_read else _unread(name, property),
    )


def _form(property: str, node: DtNode) -> str | None:
    """What a property of a node looks like."""
    above = node.parent
    if property in FIXED_CELLS:
        cells = FIXED_CELLS[property]
        return f"write {cells} {'cell' if cells == 1 else 'cells'}"
    if property == "#address-cells" and is_pci_bus(node):
        return "write #address-cells = <3>"
    if above is None or property not in (*WINDOWS, "reg"):
        return None
    size = f"{node.size_cells} of size"
    if property == "reg":
        return f"an entry is {above.address_cells} cells of address, {above.size_cells} of size"
    if is_pci_bus(node):
        return f"an entry is 3 cells of PCI address, {above.address_cells} of CPU address, {size}"
    return f"an entry is {node.address_cells} cells of address here, {above.address_cells} above, {size}"


def _unread(name: str, property: str) -> tuple[str, ...]:
    """What is lost with a property: the bridge itself with one that it cannot do without."""
    lost = tuple(property_of(name, each) for each in NEEDS_CELLS.get(property, (property,)))
    return (name, *lost) if property in VITAL or property in NEEDS_CELLS else lost


@check("RPX0620", Level.ERROR, covers=("LNX-25",))
def arguments_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: a reference in `msi-parent` of an enabled bridge, or of an SMMU that one is mapped to,
    with fewer cells behind it than its target asks for (`#msi-cells`).
    Why it matters: the kernel refuses the property at that entry (-EINVAL): for a bridge no MSI domain is
    found, and every function behind it falls back to INTx.
    Example: `msi-parent = <&its>` at an ITS with `#msi-cells = <1>`.
    What to do: write the argument (`<&its 0>`; an ITS takes the requester id as it is), or `msi-map`.
    Source: Devicetree Specification 0.4 §2.3.13; Linux drivers/of/base.c, of_phandle_iterator_next, and
    drivers/of/irq.c, of_msi_get_domain; dtc's check msi_parent_property.
    Sources that prove it: device tree.
    """
    units: dict[str, str] = {}
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        for reference in bridge.msi_parent:
            if reference.lacking:
                yield _missing(facts, f"'{name}'", reference, bridge, name)
        for entry in () if bridge.iommu_map is None else bridge.iommu_map.entries:
            if entry.target is not None:
                units.setdefault(entry.target, name)
    for path in units:
        assert facts.dt is not None
        unit = facts.dt.tree.by_path[path]
        for reference in phandle_refs(facts.dt.tree, unit, "msi-parent", "#msi-cells"):
            if reference.lacking:
                yield _missing(facts, path, reference)


def _missing(
    facts: Facts,
    whose: str,
    reference: PhandleRef,
    bridge: DtHostBridge | None = None,
    name: str | None = None,
) -> Finding:
    assert facts.dt is not None
    assert reference.target is not None
    tree = facts.dt.tree
    has = len(reference.arguments)
    needs = has + reference.lacking
    idle = bridge is not None and bridge.msi_map is not None
    lost = "no function behind it has MSIs" if bridge is not None else "it goes without MSIs of its own"
    if idle:
        lost = "msi-map counts first, and this only for what that leaves out"
    return arguments_missing.rule.finding(
        reference.place,
        f"msi-parent of {whose} has {has} of the {needs} cells that {reference.target} asks for",
        level=Level.ERROR if bridge is not None and not idle else Level.WARNING,
        related=[(tree.place(reference.target, "#msi-cells"), f"#msi-cells is {needs} here")],
        notes=["the kernel refuses such a reference (-EINVAL)", lost],
        help="write the argument, 0 for an ITS, or an msi-map",
        subject=name,
        about=() if name is None else (name, map_of(name, "msi-map")),
    )


@check("RPX0603", Level.WARNING, covers=("XP-23",))
def ranges_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge without `ranges`, or with an empty one, which lists no window: an enabled
    one (of a description, one that has windows), and with today's Arm port of Xen any of device_type "pci"
    that has none, disabled ones too (an error).
    Why it matters: without windows no BAR can be placed. Today's port panics while it builds Dom0 (-EINVAL);
    an empty `ranges` does not stop it.
    Example: `dt: {properties: {ranges: false}}`.
    What to do: describe the windows.
    Source: Xen xen/common/device-tree/device-tree.c, dt_for_each_range, called by xen/arch/arm/device.c,
    map_device_children; Linux drivers/of/address.c, of_pci_range_parser_init.
    Sources that prove it: device tree.
    """
    on = {bridge.path for bridge in enabled_bridges(facts)}
    for bridge in facts.dt_bridges:
        port = xen_probes(facts) and bridge.device_type == "pci" and bridge.ranges == "absent"
        if bridge.ranges == "entries" or not (bridge.path in on or port):
            continue
        name = facts.name_of(bridge.path)
        described = facts.described_bridge(name)
        if described is not None and not described.windows and not port:
            continue
        yield ranges_missing.rule.finding(
            bridge.place(None if bridge.ranges == "absent" else "ranges"),
            f"'{name}' has no ranges" if bridge.ranges == "absent" else f"the ranges of '{name}' are empty",
            level=Level.ERROR if port else Level.WARNING,
            notes=["Xen panics over it while it builds Dom0"] if port else ["no BAR below can be placed"],
            help="describe the windows",
            subject=name,
            about=(name, property_of(name, "ranges")),
        )


READ = MADE - {"name", "phandle", "linux,phandle"}
OTHERS = {
    "interrupts", "interrupt-names", "interrupt-parent", "interrupt-controller", "msi-controller", "iommus",
    "#msi-cells", "linux,pci-domain", "external-facing", "interrupts-extended", "memory-region",
    "num-lanes", "max-link-speed", "clocks", "clock-names", "resets", "reset-names", "phys", "phy-names",
    "reset-gpios", "power-domains", "interconnects", "num-viewport", "clock-ranges", "label",
}  # fmt: skip
"""Names that are right too."""
CLOSE, CLOSEST = 0.85, 0.9
"""How alike two names are, of which the right one is not there; or is there as well."""


@check("RPX0625", Level.WARNING)
def property_misspelt(facts: Facts) -> Iterator[Finding]:
    """What it finds: a property of an enabled host bridge that nothing reads, and that differs by a letter or
    two from one that would count and is not there.
    Why it matters: it is passed over without a word, and what it should say is missing.
    Example: `linux,pci_domain = <1>;`.
    What to do: correct the name.
    Source: the devicetree schema pci/pci-host-bridge.yaml (dtschema) for the names.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        there = bridge.node.properties.keys()
        for property in bridge.node.properties:
            if property in MADE or property in OTHERS:
                continue
            plain = re.sub(r"[_.]", "-", property.lower())
            meant = get_close_matches(plain, sorted(READ - there), 1, CLOSE)
            meant = meant or get_close_matches(plain, sorted(READ & there), 1, CLOSEST)
            if meant:
                yield property_misspelt.rule.finding(
                    bridge.place(property),
                    f"nothing reads {property} of '{name}'",
                    help=f"did you mean {meant[0]}?",
                    subject=name,
                    about=(property_of(name, meant[0]),),
                )
