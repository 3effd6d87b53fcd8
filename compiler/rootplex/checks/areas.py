"""Stretches of CPU addresses that somebody claims, and which of them lie on each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.checks.bridges import config_space, enabled_bridges, is_endpoint
from rootplex.checks.facts import Facts
from rootplex.model.controllers import IntelVtd, IoApic
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.iort_facts import SmmuV3
from rootplex.readers.first import First
from rootplex.readers.platform_dt import DtArea
from rootplex.source.place import Place

Kind: TypeAlias = Literal["config", "registers", "window", "memory", "reserved", "controller", "device"]

LEGACY_END = 1 << 20
SMMU_V3_SIZE = 0x20000
IO_APIC_SIZE, LOCAL_APIC_SIZE, VTD_SIZE, DISTRIBUTOR_SIZE, ITS_SIZE = 0x1000, 0x1000, 0x1000, 0x10000, 0x20000


class Area(Struct, frozen=True):
    """One stretch: first and last address, whose it is (the bridge's name or a node's path), what
    messages call it, and where it is written; `path` is the node's."""

    kind: Kind
    base: int
    last: int
    owner: str
    what: str
    at: Place
    path: str = ""

    @property
    def size(self) -> int:
        return self.last - self.base + 1

    @property
    def part(self) -> str:
        """What a finding about this area alone, and not about the whole bridge, bears on."""
        return part_of(self.kind, self.owner, self.base)

    def overlaps(self, other: Area) -> bool:
        return self.base <= other.last and other.base <= self.last

    def __str__(self) -> str:
        return f"{self.what} at {self.base:#x}-{self.last:#x}"


def part_of(kind: Kind, owner: str, base: int) -> str:
    """The area of a bridge at a CPU address, whichever firmware has it."""
    return f"{kind} of {owner} at {base:#x}"


def overlapping(areas: Iterable[Area], others: Iterable[Area]) -> Iterator[tuple[Area, Area]]:
    """Each area with the first of the others that it overlaps; at most one pair an area."""
    candidates = tuple(others)
    first = _first_of(candidates)
    for area in areas:
        index = first.within(area.base, area.last)
        if index is not None and candidates[index] is area:
            overlapped = (each is not area and area.overlaps(each) for each in candidates)
            index = next((at for at, found in enumerate(overlapped) if found), None)
        if index is not None:
            yield area, candidates[index]


MANY = 8
"""With how many others a finding shows an area to collide."""


def colliding(areas: Iterable[Area], *, of_one: bool = True) -> Iterator[tuple[Area, list[Area]]]:
    """The areas that lie on others, each with those: of two the later one, of several the one that lies on
    most. `of_one`: also those of one owner."""
    listed = tuple(areas)
    order = {id(area): place for place, area in enumerate(listed)}
    met: dict[int, list[Area]] = {}
    begun: deque[Area] = deque()
    for area in sorted(listed, key=lambda each: each.base):
        first = list(islice(_open_at(area.base, begun), MANY))
        begun.extendleft(reversed(first))
        for other in first:
            if of_one or other.owner != area.owner:
                met.setdefault(id(area), []).append(other)
                met.setdefault(id(other), []).append(area)
        begun.append(area)
    told: set[int] = set()
    for area in sorted(listed, key=lambda each: (-len(met.get(id(each), ())), -order[id(each)])):
        others = [each for each in met.get(id(area), ()) if id(each) not in told]
        told.add(id(area))
        if others:
            yield area, sorted(others, key=lambda each: order[id(each)])


def _open_at(base: int, begun: deque[Area]) -> Iterator[Area]:
    """The areas that reach to `base`, taken from the front; those that end before it are let go."""
    while begun:
        area = begun.popleft()
        if area.last >= base:
            yield area


def _first_of(areas: Sequence[Area]) -> First:
    return First([(area.base, max(0, area.size)) for area in areas])


def dt_config_areas(facts: Facts) -> Iterator[Area]:
    """The configuration spaces of the enabled bridges."""
    for bridge in enabled_bridges(facts):
        reg = config_space(bridge)
        if reg is not None and reg.cpu is not None and reg.size:
            name = facts.name_of(bridge.path)
            what = f"the configuration space of '{name}'"
            yield Area("config", reg.cpu, reg.cpu + reg.size - 1, name, what, reg.place, bridge.path)


def dt_register_areas(facts: Facts) -> Iterator[Area]:
    """Every `reg` entry of the enabled bridges, configuration space first in each bridge."""
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        config = config_space(bridge)
        for reg in sorted(bridge.regs, key=lambda each: each is not config):
            if reg.cpu is None or not reg.size:
                continue
            what = (
                f"the configuration space of '{name}'" if reg is config else f"a register block of '{name}'"
            )
            kind: Kind = "config" if reg is config else "registers"
            yield Area(kind, reg.cpu, reg.cpu + reg.size - 1, name, what, reg.place, bridge.path)


def dt_window_areas(facts: Facts) -> Iterator[Area]:
    """The windows of the enabled bridges, as the CPU sees them; not the old way to say in `ranges`
    where configuration space is."""
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        for window in bridge.windows:
            if window.space == "config" or window.cpu is None or not window.size:
                continue
            what = f"the {window.space} window of '{name}'"
            last = window.cpu + window.size - 1
            yield Area("window", window.cpu, last, name, what, window.at_address, bridge.path)


def memory_areas(facts: Facts) -> Iterator[Area]:
    """RAM, as the enabled memory nodes say; without a device tree as the description does."""
    if facts.dt is not None:
        for area in facts.dt.platform.memory:
            yield _area("memory", area, "memory")
    elif facts.described is not None:
        for each in facts.described.memory:
            yield Area("memory", each.base, each.base + each.size - 1, "memory", "memory", each.at())


def dt_reserved(facts: Facts) -> Iterator[Area]:
    """Reserved memory: the reservation block and `/reserved-memory`."""
    for area in () if facts.dt is None else facts.dt.platform.reserved:
        yield _area("reserved", area, "reserved memory")


def dt_controllers(facts: Facts) -> Iterator[Area]:
    """Register blocks of enabled interrupt controllers, MSI controllers and IOMMUs, but for those
    inside a host bridge's own node or behind it."""
    if facts.dt is None:
        return
    bridges = frozenset(bridge.path for bridge in facts.dt.bridges)
    for area in facts.dt.platform.areas:
        if area.enabled and area.path in facts.dt_controllers and not _is_in(area.path, bridges):
            yield _area("controller", area, f"{area.path}")


def dt_devices(facts: Facts) -> Iterator[Area]:
    """Register blocks of all other enabled devices: not host bridges and what is behind, not their
    endpoint twins,
    not buses, whose `reg` holds what is on them."""
    if facts.dt is None:
        return
    bridges = frozenset(bridge.path for bridge in facts.dt.bridges)
    for area in facts.dt.platform.areas:
        if not area.enabled or area.path in facts.dt_controllers or _is_in(area.path, bridges):
            continue
        node = facts.dt.tree.by_path[area.path]
        if not is_endpoint(node) and "ranges" not in node.properties:
            yield _area("device", area, area.path)


def _is_in(path: str, bridges: frozenset[str]) -> bool:
    """Whether a node is a host bridge, or below one: what is behind it lies in its windows."""
    while path and path not in bridges:
        path = path.rpartition("/")[0]
    return bool(path)


def _area(kind: Kind, area: DtArea, what: str) -> Area:
    return Area(kind, area.base, area.base + area.size - 1, area.path, what, area.place, area.path)


def mcfg_areas(facts: Facts) -> Iterator[Area]:
    """What each MCFG entry covers: from the configuration space of its first bus to its last."""
    mcfg = facts.tables.mcfg
    for entry in () if mcfg is None else mcfg.entries:
        if entry.start_bus > entry.end_bus or not entry.base:
            continue
        owner = facts.owner_of(entry) or f"segment {entry.segment}"
        base, last = entry.base + (entry.start_bus << 20), entry.base + (entry.end_bus + 1 << 20) - 1
        what = f"the configuration space that MCFG gives segment {entry.segment}"
        yield Area("config", base, last, owner, what, entry.place)


def acpi_window_areas(facts: Facts) -> Iterator[Area]:
    """The memory windows of the bridges that are there, as far as they surely come out so. Not those
    below 1 MiB: several bridges list VGA's, and a bit in each bridge decides who has it."""
    for bridge in facts.acpi_bridges:
        if bridge.is_on:
            yield from _template_areas(facts, bridge)


def _template_areas(facts: Facts, bridge: AcpiHostBridge) -> Iterator[Area]:
    name = facts.name_of(bridge.path)
    for item in bridge.windows:
        base, end = item.cpu_minimum, item.cpu_minimum + item.span
        if item.type == "memory" and end > LEGACY_END:
            at = bridge.descriptor(item)
            yield Area("window", base, end - 1, name, f"a _CRS window of '{name}'", at)


def acpi_controllers(facts: Facts) -> Iterator[Area]:
    """What MADT lists: I/O APICs and the local APIC, or the parts of the GIC. For a description, which
    makes no MADT, what no device tree lists either: its I/O APICs and VT-d units."""

    def area(base: int, size: int, what: str, at: Place) -> Area:
        return Area("controller", base, base + size - 1, what, what, at)

    madt = facts.tables.madt
    if madt is None:
        described = facts.described
        for each in () if described is None else (*described.interrupt_controllers, *described.iommus):
            if isinstance(each, IoApic):
                yield area(each.base, IO_APIC_SIZE, f"the I/O APIC {each.name}", each.at("base"))
            elif isinstance(each, IntelVtd):
                yield area(each.base, VTD_SIZE, f"the VT-d unit {each.name}", each.at("base"))
        return
    for apic in madt.ioapics:
        yield area(apic.address, IO_APIC_SIZE, f"I/O APIC {apic.id}", apic.place)
    if madt.local_apic and (madt.ioapics or facts.arch == "x86_64"):
        yield area(madt.local_apic, LOCAL_APIC_SIZE, "the local APIC", madt.table.place(36, 4))
    for gicd in madt.distributors:
        yield area(gicd.base, DISTRIBUTOR_SIZE, "the GIC distributor", gicd.place)
    for gicr in madt.redistributors:
        if gicr.size:
            yield area(gicr.base, gicr.size, "the GIC redistributors", gicr.place)
    for its in madt.its:
        yield area(its.base, ITS_SIZE, f"ITS {its.id}", its.place)


def given_iommus(facts: Facts) -> Iterator[Area]:
    """The units of a given DMAR, the SMMUv3s of a given IORT."""
    if facts.described is not None:
        return
    dmar, iort = facts.tables.dmar, facts.tables.iort
    for unit in () if dmar is None else dmar.drhds:
        what, last = f"the VT-d unit of segment {unit.segment}", unit.base + VTD_SIZE - 1
        yield Area("controller", unit.base, last, what, what, unit.place)
    for node in () if iort is None else iort.nodes:
        if isinstance(node.data, SmmuV3):
            last = node.data.base + SMMU_V3_SIZE - 1
            yield Area("controller", node.data.base, last, "the SMMU", "the SMMU", node.place)
