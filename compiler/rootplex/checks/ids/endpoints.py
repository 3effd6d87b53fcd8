"""IOMMUs that groups and ports do not fit: two for one group, an endpoint that is not there, ATS without a
port."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted, map_above
from rootplex.readers.acpi.dmar import Atsr
from rootplex.simulator.firmware.routing.dmar_units import scope_end
from rootplex.simulator.firmware.routing.routes import FirmwareUnit
from rootplex.simulator.function import DOWNSTREAM, ROOT_PORT, UPSTREAM, Function
from rootplex.simulator.groups.iommu_probe import ENOENT, Refusal
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0409", Level.ERROR, needs="simulation")
def group_over_two_iommus(facts: Facts) -> Iterator[Finding]:
    """What it finds: functions that must share a group, because nothing isolates them from each other, and
    that go to two SMMUs.
    Why it matters: a group has one set of translations, and an SMMU's driver shares none with another SMMU.
    Linux 7.2 gives up the SMMU that comes later, with all that is behind it; 6.1 and 6.12 leave out the
    function that would join.
    Example: a map that sends bus 0 to one SMMU and bus 1 to another, and a root port without ACS on bus 0
    with a device on bus 1.
    What to do: map both to one SMMU; or let the port between them isolate.
    Source: Linux drivers/iommu/iommu.c, iommu_device_register and __iommu_probe_device;
    drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_attach_dev.
    """
    # One finding a unit that is given up, or a function that is left out.
    outcome = booted(facts)
    for refusal in outcome.linux.refusals:
        first, first_unit = refusal.other, refusal.other_unit
        if first is None or first_unit is None:
            continue
        function = refusal.function
        own_unit = outcome.streams[function].own.unit or refusal.unit
        name, other = facts.device_name(function), facts.device_name(first)
        units = {each: _called(facts, each) for each in (own_unit, first_unit, refusal.unit)}
        yield group_over_two_iommus.rule.finding(
            _hop(facts, function, own_unit),
            f"'{name}' behind {units[own_unit]} has to share a group with "
            f"'{other}' behind {units[first_unit]}",
            related=[(_hop(facts, first, first_unit), f"'{other}' goes to {units[first_unit]} here")],
            notes=[
                f"they are {function.sbdf} and {first.sbdf}: nothing isolates them from each other",
                _consequence(facts, refusal, units[refusal.unit]),
            ],
            help="map both to one SMMU, or let the port between them isolate (acs)",
            subject=name,
            about=(name, *_lost(facts, refusal)),
        )


def _lost(facts: Facts, refusal: Refusal) -> Iterator[str]:
    """Who is in no group because the unit is given up."""
    for each in booted(facts).linux.ungrouped if refusal.unit_lost else ():
        if each.kind == "unit-lost":
            yield facts.device_name(each.function)


def _hop(facts: Facts, function: Function, unit: FirmwareUnit) -> Place:
    """The entry that takes a function to its unit."""
    return booted(facts).streams[function].own.place or unit.place


def _consequence(facts: Facts, refusal: Refusal, unit: str) -> str:
    outcome = booted(facts)
    kernel = outcome.settings.kernel
    if not refusal.unit_lost:
        return f"{kernel} leaves {refusal.function.sbdf} without a group ({refusal.errno})"
    left = sum(reason.kind == "unit-lost" for reason in outcome.linux.ungrouped)
    return f"{kernel} gives up {unit} with all behind it ({refusal.errno}): {left} functions are in no group"


def _called(facts: Facts, unit: FirmwareUnit) -> str:
    """The description's name of a unit, else its path or what ACPI calls it."""
    described = facts.described
    for each in () if described is None or unit.base is None else described.iommus:
        if each.base == unit.base:
            return each.name
    return unit.name


@check("RPX0768", Level.WARNING, needs="simulation")
def endpoint_unknown(facts: Facts) -> Iterator[Finding]:
    """What it finds: functions behind a conventional PCI bridge whose host bridge has a virtio-iommu.
    Why it matters: their requests come with the bridge's id, and a virtio-iommu as QEMU has it knows nothing
    by theirs. Linux asks for their own ids: 7.2 gives the whole virtio-iommu up when one is refused, and
    nothing is translated; 6.1 and 6.12 leave these functions without a group.
    Example: `pcie-to-pci-bridge` with a card below it, and `iommu: {unit: viommu, …}` on its host bridge.
    What to do: leave the ids behind the bridge out of the map, or put the card elsewhere.
    Source: Linux drivers/iommu/virtio-iommu.c, viommu_probe_endpoint, and drivers/iommu/iommu.c,
    iommu_device_register; QEMU hw/pci/pci.c, pci_device_iommu_address_space.
    """
    # Each bridge once, with the first function behind it.
    outcome = booted(facts)
    found: dict[object, list[Refusal]] = {}
    for refusal in outcome.linux.refusals:
        if refusal.errno == ENOENT and refusal.reason.other is not None:
            found.setdefault(refusal.reason.other, []).append(refusal)
    for first, *others in found.values():
        bridge = first.reason.other
        assert bridge is not None
        own = outcome.streams[first.function].own
        name = facts.device_name(first.function)
        yield endpoint_unknown.rule.finding(
            own.place or first.unit.place,
            f"the virtio-iommu of '{name}' does not know it: its requests come with the id of "
            f"'{facts.device_name(bridge)}'",
            level=Level.ERROR if first.unit_lost else None,
            notes=(
                f"they are {first.function.sbdf} and {bridge.sbdf}"
                + (f"; functions behind that bridge: {1 + len(others)}" if others else ""),
                f"{outcome.settings.kernel} gives the virtio-iommu up: nothing is translated"
                if first.unit_lost
                else f"{outcome.settings.kernel} leaves {first.function.sbdf} without a group",
            ),
            help="leave the ids behind the bridge out of 'iommu.map', or put the card elsewhere",
            subject=name,
            about=(name, *(facts.device_name(each.function) for each in others), *_lost(facts, first)),
            rests_on=(name, map_above(facts, first.function, "iommu-map")),
        )


@check("RPX0769", Level.WARNING, needs="simulation", only="x86", requires=("RPX0763", "RPX0753"))
def ats_without_port(facts: Facts) -> Iterator[Finding]:
    """What it finds: functions with ATS below a root port that ATSR does not name, where it names others of
    the segment.
    Why it matters: Linux and Xen leave ATS of such a function off: it asks the IOMMU for every access, and
    shared virtual memory is not to be had.
    Example: an ATSR with the scope 00:1c.0, and a card with ATS below 00:1c.4.
    What to do: name the port, or set ALL_PORTS (`ats: true` at the `iommu` of all bridges of the segment).
    Source: VT-d specification 4.1 §8.5; Linux drivers/iommu/intel/iommu.c, dmar_ats_supported; Xen
    xen/drivers/passthrough/vtd/dmar.c, acpi_find_matched_atsr_unit.
    """
    # Each root port once, with the first function below it.
    dmar = None if facts.acpi is None else facts.acpi.dmar
    functions = booted(facts).dom0.functions if dmar is not None and dmar.atsrs else ()
    at = {(each.segment, each.bus.number, each.devfn): each for each in functions}
    told: set[Function] = set()
    for function in functions:
        port = _root_port(function) if function.ats else None
        mine = [each for each in dmar.atsrs if each.segment == function.segment] if dmar else []
        if port is None or port in told or not mine or any(_names(each, port, at) for each in mine):
            continue
        told.add(port)
        name = facts.device_name(function)
        yield ats_without_port.rule.finding(
            mine[0].place,
            f"ATSR does not name {port.sbdf}, the root port above '{name}', which has ATS",
            notes=(f"Linux and Xen leave ATS of {function.sbdf} off",),
            help="name the port, or all: 'ats: true' at the 'iommu' of each bridge of the segment",
            subject=name,
        )


def _root_port(function: Function) -> Function | None:
    """The root port that a function is below; None where it is integrated, or behind conventional PCI."""
    at = function.parent
    while at is not None and at.pcie_type in (UPSTREAM, DOWNSTREAM):
        at = at.parent
    return at if at is not None and at.pcie_type == ROOT_PORT else None


def _names(atsr: Atsr, port: Function, at: dict[tuple[int, int, int], Function]) -> bool:
    return atsr.all_ports or any(scope_end(atsr.segment, scope, at) is port for scope in atsr.scopes)
