"""Functions that a map of requester ids leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.ids._claims import Kind, acpi_claims
from rootplex.checks.ids._own_messages import by_device_tree, by_iort
from rootplex.checks.simulated import booted, map_above, root_of
from rootplex.model.controllers import Its
from rootplex.model.platform import Platform
from rootplex.readers.acpi.iort_facts import ItsGroup
from rootplex.readers.ridmap import map_rid
from rootplex.report.causes import because
from rootplex.simulator.firmware.facts import DtFirmware
from rootplex.simulator.firmware.routing.routes import FirmwareUnit, MsiRoute
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check(
    "RPX0402",
    Level.ERROR,
    needs="simulation",
    requires=(*WRONG_MAP, "RPX0210", "RPX0404", "RPX0611", "RPX0731", "RPX0806"),
    covers=("LNX-20", "LNX-44", "XP-30"),
)
def function_without_stream(facts: Facts) -> Iterator[Finding]:
    """What it finds: a present function with a requester id (its own or a bridge's alias) that its bridge's
    map does not cover.
    Why it matters: it has no IOMMU: no group, no passthrough, DMA past the protection; Xen refuses the
    device.
    Example: an `iommu-map` of bus 0 alone, and a disk on bus 1.
    What to do: let the map cover the id.
    Source: Linux drivers/iommu/of_iommu.c, of_pci_iommu_init, and drivers/acpi/arm64/iort.c,
    iort_pci_iommu_init; Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids.
    """
    outcome = booted(facts)
    if not outcome.settings.iommu:
        return
    claimed = _claimed(facts, "iommu")
    for function, streams in outcome.streams.items():
        route = next((each for each in streams.routes if each.unit is None), None)
        if route is None or not _is_hole(facts, function, route.rid, "iommu", claimed):
            continue
        name = facts.device_name(function)
        alias = "" if route.rid == function.rid else f", the alias of {facts.device_name(route.owner)},"
        yield function_without_stream.rule.finding(
            route.place or root_of(facts, function).places["node"],
            f"no map covers requester {route.rid:#06x}{alias} of '{name}'",
            notes=(f"it is {function.sbdf}", *([because(route.cause)] if route.cause else [])),
            help="let the map cover this id",
            subject=name,
            rests_on=(name, map_above(facts, function, "iommu-map")),
        )


@check(
    "RPX0403",
    Level.ERROR,
    needs="simulation",
    requires=(*WRONG_MAP, "RPX0210", "RPX0807"),
    covers=("LNX-44", "XP-36"),
)
def function_without_messages(facts: Facts) -> Iterator[Finding]:
    """What it finds: a present function with MSI or MSI-X whose requester id its bridge's `msi-map`, or IORT,
    does not cover.
    Why it matters: its messages reach no interrupt controller: the driver falls back to INTx, or fails.
    Example: an `msi-map` of bus 0 alone, and a disk on bus 1.
    What to do: let the map cover the id.
    Source: Linux drivers/pci/msi/irqdomain.c, pci_msi_domain_get_msi_rid; drivers/of/base.c, of_map_id;
    drivers/acpi/arm64/iort.c, iort_msi_map_id.
    """
    outcome = booted(facts)
    claimed = _claimed(facts, "msi")
    for function, route in outcome.messages.items():
        if route.controller is not None or not (function.msi or function.msix):
            continue
        if not _is_hole(facts, function, route.rid, "msi", claimed):
            continue
        name = facts.device_name(function)
        yield function_without_messages.rule.finding(
            route.place or root_of(facts, function).places["node"],
            f"no map gives the messages of '{name}', requester {route.rid:#06x}, a controller",
            notes=(f"it is {function.sbdf}", *([because(route.cause)] if route.cause else [])),
            help="let the map cover this id",
            subject=name,
            rests_on=(name, map_above(facts, function, "msi-map")),
        )


def _claimed(facts: Facts, kind: Kind) -> frozenset[str]:
    """The bridges for which IORT maps something, where that decides."""
    by_iort = booted(facts).settings.firmware == "acpi"
    return frozenset(each.bridge for each in acpi_claims(facts, kind)) if by_iort else frozenset()


def _is_hole(facts: Facts, function: Function, rid: int, kind: Kind, claimed: frozenset[str]) -> bool:
    """Whether the bridge has a map, and it just does not cover the id."""
    joined = facts.joined(root_of(facts, function).path)
    if booted(facts).settings.firmware == "acpi":
        return joined is not None and joined.name in claimed
    bridge = None if joined is None else joined.dt
    map = None if bridge is None else bridge.iommu_map if kind == "iommu" else bridge.msi_map
    if bridge is None or map is None or (kind == "iommu" and rid in bridge.own_iommus.values()):
        return False
    found = map_rid(map, rid)
    return found.entry is None and found.error is None


@check(
    "RPX0406", Level.ERROR, needs="simulation", requires=("RPX0405", "RPX0806"), covers=("LNX-22", "XP-33")
)
def stream_of_two_functions(facts: Facts) -> Iterator[Finding]:
    """What it finds: two present functions with one StreamID at one SMMUv3.
    Why it matters: Linux leaves the second without an IOMMU; Xen goes down when it is added.
    Example: `iommu: {unit: smmu, mask: 0xff00}` and two functions on one bus.
    What to do: let every requester id have a StreamID of its own.
    Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master; Xen
    xen/drivers/passthrough/arm/smmu-v3.c, arm_smmu_write_strtab_ent (the BUG).
    """
    outcome = booted(facts)
    if not outcome.settings.iommu:
        return
    seen: dict[tuple[str, int], Function] = {}
    for function, streams in outcome.streams.items():
        own = streams.own
        if own.unit is None or own.id is None or own.unit.kind != "smmu-v3":
            continue
        first = seen.setdefault((own.unit.name, own.id), function)
        if first is function:
            continue
        name, taken = facts.device_name(function), facts.device_name(first)
        other = outcome.streams[first].own.place
        yield stream_of_two_functions.rule.finding(
            own.place or own.unit.place,
            f"'{name}' has the StreamID of '{taken}', {own.id:#x}",
            related=[] if other is None else [(other, f"'{taken}' gets it here")],
            notes=(f"they are {function.sbdf} and {first.sbdf}",),
            help="let every requester id have a StreamID of its own",
            subject=name,
            rests_on=(name, map_above(facts, function, "iommu-map")),
        )


@check("RPX0519", Level.WARNING, needs="simulation")
def smmu_shares_device_id(facts: Facts) -> Iterator[Finding]:
    """What it finds: an SMMUv3 whose own messages have the DeviceID of a function with MSI at the same ITS.
    Why it matters: to the ITS the two are one device. Its table of interrupts is made for whoever comes
    first, and the other one gets what is left of it.
    Example: `msi_controller: its` without `device_id`, which is 0, and a function with MSI at 0000:00:00.0.
    What to do: give the SMMU the DeviceID that it is wired to, or map the function elsewhere.
    Source: Arm IHI0069 §5.2; Linux drivers/irqchip/irq-gic-v3-its.c, its_msi_prepare (a DeviceID that is
    there is shared).
    """
    # By the firmware that is booted.
    outcome = booted(facts)
    tree = isinstance(outcome.firmware, DtFirmware)
    taken: dict[tuple[str, int], Function] = {}
    for function, route in outcome.messages.items():
        unit = route.controller
        if unit is not None and unit.kind == "its" and (function.msi or function.msix):
            taken.setdefault((unit.name, route.id), function)
    for own in by_device_tree(facts) if tree else by_iort(facts):
        sharing = taken.get((own.its if isinstance(own.its, str) else f"ITS {own.its}", own.id))
        if sharing is not None:
            name = facts.device_name(sharing)
            yield smmu_shares_device_id.rule.finding(
                own.at,
                f"messages of the SMMU at {own.unit:#x} have the DeviceID of '{name}', {own.id:#x}",
                notes=("to the ITS both are one device, whose interrupts are those of whoever comes first",),
                help="write the unit's DeviceID as it is wired ('device_id'), or map the function elsewhere",
                subject=name,
            )


@check("RPX0408", Level.ERROR, needs="simulation", covers=("LNX-23",))
def device_id_beyond_unit(facts: Facts) -> Iterator[Finding]:
    """What it finds: a present function with MSI whose DeviceID has more bits than the ITS.
    Why it matters: the ITS drops its messages.
    Example: `device_id_bits: 8` and a device on bus 1.
    What to do: map to lower DeviceIDs, or correct `device_id_bits`.
    Source: Arm IHI0069 §5.2; Linux drivers/irqchip/irq-gic-v3-its.c, its_alloc_device_table.
    """
    # One finding for each entry of a map, at the first function.
    outcome = booted(facts)
    if facts.described is None:
        return
    beyond: dict[tuple[Place, Its], list[MsiRoute]] = {}
    for function, route in outcome.messages.items():
        unit = None if route.controller is None else _described(facts, facts.described, route.controller)
        if unit is None or not (function.msi or function.msix) or route.id < 1 << unit.device_id_bits:
            continue
        beyond.setdefault((route.place or unit.at(), unit), []).append(route)
    for (at, unit), (first, *more) in beyond.items():
        name = facts.device_name(first.function)
        others = ", ".join(facts.device_name(each.function) for each in more)
        yield device_id_beyond_unit.rule.finding(
            at,
            f"DeviceID {first.id:#x} of '{name}' has more bits than {unit.name}",
            related=[(unit.at("device_id_bits"), f"it has {unit.device_id_bits}")],
            notes=[f"so have those of {others}"] if others else (),
            help="map to lower DeviceIDs, or correct 'device_id_bits'",
            subject=name,
            about=(facts.device_name(each.function) for each in (first, *more)),
            rests_on=(map_above(facts, first.function, "msi-map"),),
        )


def _described(facts: Facts, platform: Platform, unit: FirmwareUnit) -> Its | None:
    """The description's ITS: by its address, or where no MADT tells that by the id that IORT names."""
    described = [each for each in platform.msi_controllers if isinstance(each, Its)]
    if unit.base is not None:
        return next((each for each in described if each.base == unit.base), None)
    iort = facts.tables.iort
    node = next((each for each in (iort.nodes if iort else ()) if each.place == unit.place), None)
    ids = node.data.ids if node is not None and isinstance(node.data, ItsGroup) else ()
    return next((each for each in described if each.id in ids[:1]), None)
