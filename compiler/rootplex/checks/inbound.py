"""What DMA of a host bridge's devices reaches, and by which addresses on the PCI side.

By the device tree where there is one, else by ACPI. Linux drivers/of/address.c, of_dma_get_range, and
drivers/acpi/arm64/dma.c, acpi_arch_dma_setup: `_DMA`, or without it the address size limit of IORT. On x86
Linux asks neither. Without a limit an address on the bus is the CPU's.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from rootplex.checks.acpi_tables import root_complexes, takes_iort
from rootplex.checks.areas import Area, memory_areas
from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.facts import Facts
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.iort_facts import NamedComponent, RootComplex, Smmu, SmmuV3
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.inbound import BusStretch, narrowest
from rootplex.source.place import Place

BITS = 64
MANY = 1024
"""How many ranges of a bridge, and stretches of memory, are looked at: no board has as many (RPX0521)."""


class Inbound(Struct, frozen=True, kw_only=True):
    """DMA of one host bridge's devices. `limits` are the stretches that firmware names, None without; `at` is
    where they are said, or the bridge. `translated`: an IOMMU is between, so that the kernel chooses the
    addresses on the bus. `windows` are those of memory."""

    name: str
    path: str
    said_by: str
    limits: tuple[BusStretch, ...] | None
    windows: tuple[BusStretch, ...]
    translated: bool
    at: Place

    @property
    def ways(self) -> tuple[BusStretch, ...]:
        """The stretches of the bus by which requests come in: 1:1 without a limit."""
        return (BusStretch(0, 0, 1 << BITS, self.at),) if self.limits is None else self.limits[:MANY]

    def seen(self, area: Area) -> Iterator[tuple[int, int, BusStretch]]:
        """Where on the bus addresses of the CPU are: first, last, and by what they come in."""
        for way in self.ways:
            common = way.of_cpu(area.base, area.last)
            if common is not None:
                yield *common, way


def inbound_of(facts: Facts) -> Iterator[Inbound]:
    """Every host bridge that is on, as far as its limits can be known."""
    if facts.dt is not None:
        if facts.dt.platform.foreign is None:
            yield from (_of_tree(facts, bridge) for bridge in enabled_bridges(facts))
        return
    for bridge in facts.acpi_bridges:
        if bridge.is_on and bridge.dma.state in ("absent", "known"):
            yield _of_tables(facts, bridge)


def memory_known(facts: Facts) -> tuple[Area, ...]:
    """The RAM that is described; none where the boot loader or EFI tells of it."""
    return tuple(islice((area for area in memory_areas(facts) if area.size > 0), MANY))


def narrowest_reach(facts: Facts) -> int | None:
    """The last address that the narrowest limit of the whole platform reaches, by which Arm's kernel ends its
    lowest zone of memory: `dma-ranges`, or IORT's address size limits; None without one. `_DMA` does not
    count: the zones are made before AML is read (`zone_sizes_init`, `acpi_iort_dma_get_max_cpu_address`)."""
    if facts.dt is not None:
        return narrowest(facts.dt.tree)
    iort = facts.tables.iort if takes_iort(facts) else None
    limits = (
        node.data.address_size_limit or 0
        for node in (() if iort is None else iort.nodes)
        if isinstance(node.data, NamedComponent) or (isinstance(node.data, RootComplex) and node.revision)
    )
    return min(((1 << bits) - 1 for bits in limits if 0 < bits < BITS), default=None)


def _of_tree(facts: Facts, bridge: DtHostBridge) -> Inbound:
    limits = bridge.inbound
    return Inbound(
        name=facts.name_of(bridge.path),
        path=bridge.path,
        said_by="dma-ranges",
        limits=limits,
        windows=tuple(
            BusStretch(each.pci, each.cpu, each.size, each.place)
            for each in bridge.windows
            if each.space in ("mem32", "mem64") and each.cpu is not None and each.size
        ),
        translated=not facts.for_xen and _behind_unit(bridge),
        at=limits[0].place if limits else bridge.place(),
    )


def _behind_unit(bridge: DtHostBridge) -> bool:
    """Whether an IOMMU that is on translates what the bridge's devices ask for."""
    mapped = () if bridge.iommu_map is None else bridge.iommu_map.entries
    return any(each.target_enabled for each in mapped) or any(each.target_enabled for each in bridge.iommus)


def _of_tables(facts: Facts, bridge: AcpiHostBridge) -> Inbound:
    limits = (bridge.inbound or _by_iort(facts, bridge)) if takes_iort(facts) else None
    return Inbound(
        name=facts.name_of(bridge.path),
        path=bridge.path,
        said_by="_DMA" if bridge.inbound else "IORT",
        limits=limits,
        windows=tuple(
            BusStretch(each.minimum, each.cpu_minimum, each.span, bridge.descriptor(each))
            for each in bridge.windows
            if each.type == "memory"
        ),
        translated=not facts.for_xen and _behind_smmu(facts, bridge),
        at=limits[0].place if limits else bridge.crs.place,
    )


def _by_iort(facts: Facts, bridge: AcpiHostBridge) -> tuple[BusStretch, ...] | None:
    iort = facts.tables.iort
    for node, data in root_complexes(iort):
        bits = data.address_size_limit or 0
        if iort is not None and data.segment == bridge.segment and node.revision and 0 < bits < BITS:
            return (BusStretch(0, 0, 1 << bits, iort.place(node, "address_size_limit")),)
    return None


def _behind_smmu(facts: Facts, bridge: AcpiHostBridge) -> bool:
    if not takes_iort(facts):
        return facts.tables.dmar is not None or facts.tables.ivrs is not None
    iort = facts.tables.iort
    units = {node.offset for node in iort.nodes if isinstance(node.data, Smmu | SmmuV3)} if iort else set()
    return any(
        mapping.output_reference in units
        for node, data in root_complexes(iort)
        if data.segment == bridge.segment
        for mapping in node.mappings
    )
