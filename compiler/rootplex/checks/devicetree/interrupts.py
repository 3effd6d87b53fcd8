"""Interrupts in a device tree: the lines of `interrupt-map`, of SMMUs, and who takes messages."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.causes import map_of, property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.readers.buses import ALL_BUSES
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.intx import Hop, InterruptMap, InterruptMapEntry, InterruptMaps, route_intx
from rootplex.readers.tree import DtNode, Tree
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

BUS_BITS = 0xFF0000


@check("RPX0617", Level.NOTE, covers=("LNX-27",))
def interrupt_map_buses(facts: Facts) -> Iterator[Finding]:
    """What it finds: an `interrupt-map-mask` that looks at bus numbers.
    Why it matters: the kernel numbers the buses itself, so an entry matches the bus that has the number by
    then; a note, since on the first bus it does no harm.
    Example: `dt: {properties: {interrupt-map-mask: [0xfff800, 0, 0, 7]}}`.
    What to do: leave bits 23 to 16 of the first cell out of the mask.
    Source: Linux drivers/pci/of.c, of_irq_parse_pci.
    Sources that prove it: device tree.
    """
    # Without a mask property every bit counts.
    for bridge in enabled_bridges(facts):
        map = bridge.interrupt_map
        if map is None or not map.mask or not map.mask[0] & BUS_BITS:
            continue
        name = facts.name_of(bridge.path)
        at = DtPlace(map.place.file, map.node, "interrupt-map-mask" if map.mask_present else "interrupt-map")
        yield interrupt_map_buses.rule.finding(
            at,
            f"interrupt-map of '{name}' looks at bus numbers, which the kernel gives",
            notes=[f"the first cell of the mask is {map.mask[0]:#x}"]
            if map.mask_present
            else ["there is no interrupt-map-mask: all bits count"],
            help="leave bits 23 to 16 of the first cell out of the mask",
            subject=name,
        )


PINS = "ABCD"


@check("RPX0616", Level.WARNING, requires=("RPX0615",), covers=("LNX-26",))
def interrupt_map_pins(facts: Facts) -> Iterator[Finding]:
    """What it finds: a pin of a device on the first bus for which the bridge's `interrupt-map` has no entry.
    The devices are those of the description that have a pin; of a given tree device 0, which is all that most
    PCIe root buses have, with those pins that the map does not name anywhere.
    Why it matters: that pin has no interrupt, nor has any pin of a device behind a port that is swizzled to
    it.
    Example: `intx: {controller: gic, map: [{dev: 1, pin: A, irq: 3}]}` with a device at 2.
    What to do: add the entry, or match pins only (mask 0 0 0 7).
    Source: Linux drivers/pci/of.c, of_irq_parse_pci, and drivers/of/irq.c, of_irq_parse_raw.
    Sources that prove it: device tree.
    """
    # One finding a bridge, at the first pin without an entry.
    for bridge in enabled_bridges(facts):
        map = bridge.interrupt_map
        if map is None or map.problems or facts.dt is None:
            continue
        if facts.described is None:
            yield from _given(facts, bridge, map)
        else:
            yield from _described(facts, bridge, map)


def _given(facts: Facts, bridge: DtHostBridge, map: InterruptMap) -> Iterator[Finding]:
    if bridge.controller is None or bridge.controller.first_bus_devices != (0,) or len(map.mask) < 4:
        return
    mask = map.mask[3]
    named = {entry.key[3] & mask for entry in map.entries if entry.key[0] & map.mask[0] & 0xF800 == 0}
    missing = "".join(pin for number, pin in enumerate(PINS, 1) if number & mask not in named)
    if not missing:
        return
    name = facts.name_of(bridge.path)
    yield interrupt_map_pins.rule.finding(
        map.place,
        f"interrupt-map of '{name}' has no entry for INT{' and INT'.join(missing)} of device 0",
        subject=name,
    )


def _described(facts: Facts, bridge: DtHostBridge, map: InterruptMap) -> Iterator[Finding]:
    assert facts.dt is not None
    name = facts.name_of(bridge.path)
    maps = InterruptMaps(facts.dt.tree)
    described = next((each for each in facts.platform.host_bridges if each.name == name), None)
    for device in () if described is None else described.devices:
        if device.pin is None or not device.present:
            continue
        pin = PINS.index(device.pin) + 1
        hop = Hop((bridge.buses or ALL_BUSES).first, device.dev << 3 | device.fn)
        route = route_intx(maps, bridge.node, [hop], pin)
        if route.reason is not None:
            yield interrupt_map_pins.rule.finding(
                map.place,
                f"interrupt-map of '{name}' has no entry for INT{device.pin} of {device.label}",
                related=[(device.at("pin"), "the pin is here")],
                notes=[route.reason],
                help="add the entry, or match pins only",
                subject=device.name or name,
            )
            return


@check("RPX0615", Level.ERROR, requires=("RPX0601", "RPX0619", "RPX0626"))
def interrupt_map_dead(facts: Facts) -> Iterator[Finding]:
    """What it finds: an `interrupt-map` of an enabled bridge that cannot be read (an error), or entries that
    end nowhere: at a disabled controller, at a node that takes no interrupts, in a loop (a warning).
    Why it matters: entries with a disabled parent are skipped and what follows a malformed one cannot be
    found: the devices have no INTx, and drivers that need it wait for ever.
    Example: `interrupt-map` entries whose phandle no node has.
    What to do: name an enabled interrupt controller, with as many cells as it takes.
    Source: Devicetree Specification 0.4 §2.4.3; Linux drivers/of/irq.c, of_irq_parse_raw.
    Sources that prove it: device tree.
    """
    # What is malformed; then one finding for all entries of a bridge that end nowhere.
    for bridge in enabled_bridges(facts):
        map = bridge.interrupt_map
        if map is None or facts.dt is None:
            continue
        name = facts.name_of(bridge.path)
        for problem in map.problems:
            yield interrupt_map_dead.rule.finding(
                problem.place,
                f"interrupt-map of '{name}' cannot be read to its end",
                notes=[problem.text],
                help="write '0 0 0 7': three cells of address, one of pin"
                if problem.kind == "size"
                else "an entry is 3 cells of address, 1 of pin, the controller, and its #address-cells and "
                "#interrupt-cells",
                subject=name,
                rests_on=(property_of(name, "interrupt-map"),),
            )
        yield from _dead(facts.dt.tree, name, map)


def _dead(tree: Tree, name: str, map: InterruptMap) -> Iterator[Finding]:
    dead = [(entry, why) for entry in map.entries if (why := _wrong_entry(tree, entry)) is not None]
    if not dead:
        return
    entry, why = dead[0]
    count = "no entry" if len(dead) == len(map.entries) else f"{len(dead)} of {len(map.entries)} entries"
    verb = "leads to an interrupt controller" if count == "no entry" else "lead to no interrupt controller"
    yield interrupt_map_dead.rule.finding(
        entry.place,
        f"{count} of the interrupt-map of '{name}' {verb}",
        level=Level.WARNING,
        notes=[why],
        help="name an enabled interrupt controller",
        subject=name,
        rests_on=(property_of(name, "interrupt-map"),),
    )


def _wrong_entry(tree: Tree, entry: InterruptMapEntry) -> str | None:
    """Why an entry ends nowhere: follows interrupt parents up to a controller, or another map."""
    if not entry.parent_enabled:
        return f"{entry.parent} is disabled"
    node: DtNode | None = tree.by_path.get(entry.parent or "")
    seen: set[str] = set()
    while node is not None:
        if "interrupt-controller" in node.properties or "interrupt-map" in node.properties:
            return None
        if node.path in seen:
            return f"the interrupt parents of {entry.parent} run in a circle"
        seen.add(node.path)
        phandle = node.u32("interrupt-parent")
        node = node.parent if phandle is None else tree.by_phandle.get(phandle)
    return f"{entry.parent} takes no interrupts, and has no interrupt parent that does"


GIC_CELLS = (3, 4)
SPI, ESPI = 0, 2
LAST_SPI = {SPI: 1019 - 32, ESPI: 1023}
"""The number of the last interrupt of a kind (Arm IHI 0069 §2.2.1)."""
TRIGGER, TRIGGERS = 0xF, (0, 1, 4)
"""The bits of the third cell, and what they may hold: as the hardware has it, a rising edge, level-high."""
KINDS = {0: "SPI", 1: "PPI", 2: "extended SPI", 3: "extended PPI"}


@check("RPX0618", Level.ERROR, requires=("RPX0615",), covers=("XP-37",))
def interrupt_not_spi(facts: Facts) -> Iterator[Finding]:
    """What it finds: an entry of the `interrupt-map` of an enabled bridge that names an interrupt of a GIC
    that no device of PCI can have: a processor's own one (a PPI), a number that no GIC has, or a trigger
    that its SPIs do not have (low, or an edge that falls). With today's Arm port of Xen also one of the
    extended range, and disabled bridges too.
    Why it matters: the pin has no interrupt. Today's port routes every interrupt of the map to Dom0, and
    panics while it builds Dom0 where one is no SPI (-EINVAL).
    Example: `interrupt-map` cells `1 9 4` (a PPI) for `0 9 4`.
    What to do: name an SPI: first cell 0, second its number, which is 32 less than the interrupt ID.
    Source: devicetree binding interrupt-controller/arm,gic-v3.yaml; Linux drivers/irqchip/irq-gic-v3.c,
    gic_irq_domain_translate and gic_set_type; Xen xen/arch/arm/device.c, map_dt_irq_to_domain.
    Sources that prove it: device tree.
    """
    # The first such entry of each bridge.
    if facts.dt is None:
        return
    gics = {each.path for each in facts.dt_controllers.values() if each.kind == "gic"}
    port = xen_probes(facts)
    for bridge in facts.dt_bridges:
        if not (bridge.is_on or port):
            continue
        for entry in () if bridge.interrupt_map is None else bridge.interrupt_map.entries:
            if entry.parent not in gics or len(entry.specifier) not in GIC_CELLS:
                continue
            kind, number, trigger = entry.specifier[:3]
            what = _no_spi(kind, number, only_spis=port)
            odd = what is None and trigger & TRIGGER not in TRIGGERS
            if odd:
                what = f"{KINDS[kind]} {number} with trigger {trigger & TRIGGER}, which a GIC's has not"
            if what is None:
                continue
            name = facts.name_of(bridge.path)
            notes = [f"its cells are {' '.join(map(str, entry.specifier))}"]
            if odd:
                notes.append("the kernel cannot set it (-EINVAL): no driver gets the interrupt")
            if port and kind != SPI:
                notes.append("Xen panics over it while it builds Dom0")
            yield interrupt_not_spi.rule.finding(
                entry.place,
                f"interrupt-map of '{name}' names {what}",
                notes=notes,
                help="write 4 in the third cell: level-high"
                if odd
                else "name an SPI: first cell 0, then its number"
                if facts.described is None
                else "name an SPI's number, which is its interrupt ID less 32",
                subject=name,
            )
            break


def _no_spi(kind: int, number: int, *, only_spis: bool) -> str | None:
    """What an interrupt is that no function can have; None for one that it can."""
    if kind not in KINDS:
        return f"an interrupt of kind {kind}, which a GIC does not have"
    if kind not in LAST_SPI or (only_spis and kind != SPI):
        return f"{KINDS[kind]} {number}, which is no SPI"
    if number > LAST_SPI[kind]:
        return f"{KINDS[kind]} {number}, and the last that a GIC has is {LAST_SPI[kind]}"
    return None


PIN_BITS, INTX = 7, (1, 2, 3, 4)


@check("RPX0635", Level.WARNING, requires=("RPX0601", "RPX0615"))
def interrupt_map_unreached(facts: Facts) -> Iterator[Finding]:
    """What it finds: an entry of the `interrupt-map` of an enabled bridge that no pin of a function comes
    to: an earlier one has the same key under the mask, or its pin is none of 1 to 4.
    Why it matters: the first that fits is taken. A pin that was to have the entry has another line, or none.
    Example: two entries for pin 1 and none for pin 2; `interrupt-map-mask = <0 0 0 0>` with four entries.
    What to do: give each entry a device and pin of its own, and let the mask keep them.
    Source: Devicetree Specification 0.4 §2.4.3; Linux drivers/of/irq.c, of_irq_parse_raw.
    Sources that prove it: device tree.
    """
    # The first such entry of each bridge.
    for bridge in enabled_bridges(facts):
        map = bridge.interrupt_map
        if map is None or map.interrupt_cells != 1:
            continue
        name = facts.name_of(bridge.path)
        seen: dict[tuple[int, ...], InterruptMapEntry] = {}
        for entry in map.entries:
            key = tuple(each & bits for each, bits in zip(entry.key, map.mask, strict=False))
            earlier = seen.setdefault(key, entry)
            is_pin = map.mask[-1] & PIN_BITS != PIN_BITS or key[-1] in INTX
            if earlier is entry and is_pin:
                continue
            cells = " ".join(f"{each:#x}" for each in entry.key)
            yield interrupt_map_unreached.rule.finding(
                entry.place,
                f"no function comes to the entry {cells} of the interrupt-map of '{name}'",
                related=() if earlier is entry else [(earlier.place, "this one fits first")],
                notes=() if is_pin else [f"its pin is {key[-1]}, and pins are 1 to 4"],
                help="give each entry a device and pin of its own, and let the mask keep them",
                subject=name,
                about=(property_of(name, "interrupt-map"),),
                rests_on=(property_of(name, "interrupt-map"),),
            )
            break


ASKED_FOR = {"eventq", "priq", "gerror"}


@check("RPX0632", Level.WARNING, only="undescribed", requires=("RPX0601",))
def smmu_line_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: two lines of enabled SMMUv3s in a given tree, `eventq`, `priq` or `gerror`, with one
    interrupt.
    Why it matters: the driver asks for each alone: the second gets -EBUSY and a line in the log, and what it
    would tell of (faults, page requests, errors of the unit) is never heard.
    Example: `interrupts = <0 40 1>, <0 40 1>` with `interrupt-names = "eventq", "gerror"`.
    What to do: look both up in the SoC's interrupt map. A unit with one line for all is said so by the name
    `combined`.
    Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_setup_unique_irqs; devicetree binding
    iommu/arm,smmu-v3.yaml. Sources that prove it: device tree.
    """
    seen: dict[tuple[int, ...], tuple[str, str, DtPlace]] = {}
    for line, unit, interrupt, at in _lines(facts):
        other = seen.setdefault(interrupt, (line, unit, at))
        if other[2] != at:
            yield smmu_line_twice.rule.finding(
                at,
                f"{line} of {unit} has the interrupt of {other[0]} of {other[1]}",
                related=[(other[2], "it is named here")],
                notes=[f"its cells are {' '.join(map(str, interrupt[1:]))}"],
                help="give each a line of its own",
                subject=unit,
            )


def _lines(facts: Facts) -> Iterator[tuple[str, str, tuple[int, ...], DtPlace]]:
    """Each line that a driver asks for: its name, its unit, the phandle of its controller and its cells, and
    where they are; `combined` beside them is asked for instead of all."""
    for unit in facts.dt_controllers.values():
        if unit.kind != "smmu-v3" or not unit.enabled or facts.dt is None:
            continue
        node = facts.dt.tree.by_path[unit.path]
        names, cells = node.strings("interrupt-names"), node.cells("interrupts") or ()
        above = (each.u32("interrupt-parent") for each in (node, *node.ancestors()))
        parent = next((each for each in above if each is not None), 0)
        if not names or len(cells) % len(names) or "combined" in names:
            continue
        width = len(cells) // len(names)
        for index, name in enumerate(names):
            if name in ASKED_FOR:
                place = facts.dt.tree.place(node, "interrupts", index * width)
                yield name, unit.path, (parent, *cells[index * width : (index + 1) * width]), place


@check("RPX0614", Level.WARNING, requires=("RPX0625",), covers=("LNX-25",))
def no_msi_controller(facts: Facts) -> Iterator[Finding]:
    """What it finds: an enabled bridge of the generic host driver with neither `msi-map` nor `msi-parent`. Of
    a description, only a bridge that has a device with MSI or MSI-X; of a given tree, only where it has an
    MSI controller to name, or nothing routes INTx either.
    Why it matters: the kernel flags the bus "no MSI", and every device falls back to INTx, which a
    passthrough guest cannot have on today's Arm port of Xen; PCI Express devices need not even have INTx.
    Example: a bridge without `msi` and a device with `msix: 8`.
    What to do: name an MSI controller: `msi: {controller: its}`.
    Source: Linux drivers/pci/probe.c, pci_register_host_bridge (PCI_BUS_FLAGS_NO_MSI), and drivers/pci/of.c,
    pci_host_bridge_of_msi_domain.
    Sources that prove it: device tree.
    """
    wanting = None
    if facts.described is not None:
        wanting = {
            bridge.name
            for bridge in facts.described.host_bridges
            if any(device.msi or device.msix for device in bridge.walk())
        }
    nodes = () if facts.dt is None else facts.dt.tree.walk()
    has_controller = any("msi-controller" in node.properties for node in nodes)
    for bridge in enabled_bridges(facts):
        if bridge.controller is None or bridge.controller.driver != "pci-host-generic":
            continue
        name = facts.name_of(bridge.path)
        if bridge.msi_map is not None or bridge.has_msi_parent:
            continue
        if name in wanting if wanting is not None else has_controller or bridge.interrupt_map is None:
            yield no_msi_controller.rule.finding(
                bridge.place(),
                f"'{name}' has neither msi-map nor msi-parent",
                notes=["every device behind it falls back to INTx"],
                help="name an MSI controller",
                subject=name,
                about=(name, map_of(name, "msi-map")),
                rests_on=(map_of(name, "msi-map"), property_of(name, "msi-parent")),
            )
