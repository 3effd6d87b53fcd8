"""Doorbells of MSIs that a bridge's devices cannot write."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from rootplex.checks.acpi_tables import root_complexes
from rootplex.checks.causes import WRONG_MAP, property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.inbound import Inbound, inbound_of
from rootplex.model.controllers import GicV2m, Its
from rootplex.readers.acpi.iort_facts import Iort, ItsGroup
from rootplex.readers.address import to_cpu
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.platform_dt import DtController
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

TRANSLATER = 0x10040
"""GITS_TRANSLATER of an ITS (Arm IHI 0069H §12.18.5)."""
SETSPI = 0x40
"""MSI_SETSPI_NS of a GICv2m frame, GICD_SETSPI_NSR of a distributor."""

# By compatible: which register block, and how far in it.
_DOORBELLS: tuple[tuple[str, int, int], ...] = (
    (r"arm,gic-v3-its", 0, TRANSLATER),
    (r"arm,gic-v2m-frame|arm,gic-v3", 0, SETSPI),
    (r"fsl,ls\w+-msi|apm,xgene1-msi|loongson,pch-msi-1.0|riscv,imsics", 0, 0),
    (r"al,alpine-msix", 0, 0x10000),
    (r"brcm,bcm2712-mip", 1, 0),
)

_BY_ANOTHER_WAY = {
    "arm,juno-r1-pcie": "its firmware sets up a window for messages beside those for memory",
    "brcm,iproc-pcie-paxb-v2": "its driver sets one up, iproc_pcie_paxb_v2_msi_steer",
}
"""Bridges with an inbound window for messages that `dma-ranges` do not name (edk2-platforms,
Platform/ARM/JunoPkg; Linux drivers/pci/controller/pcie-iproc.c)."""


class Doorbell(Struct, frozen=True):
    """Where messages are written to: the address on the bus, and what the CPU has to have there."""

    controller: str
    bus: int
    cpu: int
    place: Place


@check(
    "RPX0126",
    Level.WARNING,
    requires=("RPX0601", "RPX0630", "RPX0631", "RPX0127", "RPX0813", "RPX0619", *WRONG_MAP),
)
def doorbell_out_of_reach(facts: Facts) -> Iterator[Finding]:
    """What it finds: an MSI controller whose doorbell, the address that messages are written to, devices of a
    host bridge do not reach by the `dma-ranges` or `_DMA` that limit them; without an IOMMU between, which
    would map it.
    Why it matters: a message is a memory write to the doorbell's own address. What does not come in at that
    address is lost, or written into memory: the devices have no interrupts.
    Example: `dma-ranges` of RAM alone, and an ITS at 0x602_0000, whose doorbell is at 0x603_0040.
    What to do: name the doorbell's page among the ranges, at the same address on both sides.
    Source: Linux drivers/irqchip/irq-gic-v3-its.c, its_irq_get_msi_base; irq-gic-v2m.c, gicv2m_get_msi_addr;
    irq-gic-v3-mbi.c, mbi_init; irq-ls-scfg-msi.c, ls_scfg_msi_probe; irq-alpine-msi.c, alpine_msix_init;
    irq-loongson-pch-msi.c, pch_msi_of_init; irq-sg2042-msi.c, sg2042_msi_probe; irq-bcm2712-mip.c,
    mip_parse_dt; irq-riscv-imsic-platform.c; drivers/pci/controller/pci-xgene-msi.c, xgene_compose_msi_msg;
    PCI Local Bus 3.0 §6.8.1. Sources that prove it: device tree; MADT with IORT, or a description. Linux
    itself asks `dma-ranges` for memory alone.
    """
    # Each bridge once, with the first doorbell that is out of reach.
    for bridge in inbound_of(facts):
        if bridge.translated or bridge.limits is None:
            continue
        for doorbell in _doorbells(facts, bridge):
            if _comes_to(bridge, doorbell.bus) != doorbell.cpu:
                yield _finding(bridge, doorbell)
                break


def _comes_to(bridge: Inbound, address: int) -> int | None:
    """The CPU's address for one of the bus."""
    way = next((each for each in bridge.ways if each.bus <= address <= each.last), None)
    return None if way is None else address + way.offset


def _doorbells(facts: Facts, bridge: Inbound) -> Iterator[Doorbell]:
    if facts.dt is None:
        yield from _by_madt(facts, bridge)
        return
    node = next(each for each in facts.dt.bridges if each.path == bridge.path)
    if _BY_ANOTHER_WAY.keys().isdisjoint(node.compatible):
        targets = _controllers_of(node)
        for controller in facts.dt_controllers.values():
            if controller.enabled and controller.path in targets:
                yield from _of_controller(facts, controller)


def _controllers_of(bridge: DtHostBridge) -> set[str | None]:
    if bridge.msi_map is not None:
        return {entry.target for entry in bridge.msi_map.entries}
    return {parent.target for parent in bridge.msi_parent}


def _of_controller(facts: Facts, controller: DtController) -> Iterator[Doorbell]:
    assert facts.dt is not None
    own = facts.dt.tree.by_path[controller.path]
    if "socionext,synquacer-pre-its" in own.properties:  # a window of its own in front of the doorbell
        return
    named = next((reg for reg in controller.regs if reg.name == "doorbell"), None)
    known = next(
        (
            (controller.regs[block], offset)
            for pattern, block, offset in _DOORBELLS
            if block < len(controller.regs)
            and any(re.fullmatch(pattern, name) for name in controller.compatible)
        ),
        None if named is None else (named, 0),
    )
    if known is None or known[0].cpu is None:
        return
    reg, offset = known
    assert reg.cpu is not None
    # the second block of a MIP is the address that devices write to, and comes to the first one
    cpu = controller.regs[0].cpu if reg.index and reg is not named else reg.cpu
    alias = own.number("mbi-alias")  # of a distributor, in place of its registers
    if alias is not None and offset == SETSPI:
        at = to_cpu(own, alias)
        if at is not None:
            place = facts.dt.tree.place(own, "mbi-alias")
            yield Doorbell(controller.path, at + SETSPI, at + SETSPI, place)
    elif cpu is not None:
        yield Doorbell(controller.path, reg.cpu + offset, cpu + offset, reg.place)


def _by_madt(facts: Facts, bridge: Inbound) -> Iterator[Doorbell]:
    """The ITSs that IORT leads the bridge's segment to, else the frames of a GICv2m."""
    segment = next(each.segment for each in facts.acpi_bridges if each.path == bridge.path)
    ids = set(_its_ids(facts.tables.iort, segment))
    for id, base, place in _units(facts):
        if (id in ids) if ids else id is None:
            name, offset = ("a GICv2m frame", SETSPI) if id is None else (f"ITS {id}", TRANSLATER)
            yield Doorbell(name, base + offset, base + offset, place)


def _units(facts: Facts) -> Iterator[tuple[int | None, int, Place]]:
    """Identifier (None: a GICv2m frame), base, place: by MADT, or where a description makes none, by that."""
    madt, described = facts.tables.madt, facts.described
    if madt is not None:
        yield from ((None, each.base, each.place) for each in madt.msi_frames)
        yield from ((each.id, each.base, each.place) for each in madt.its)
        return
    for each in () if described is None else described.msi_controllers:
        if isinstance(each, Its | GicV2m):
            yield (each.id if isinstance(each, Its) else None), each.base, each.at()


def _its_ids(iort: Iort | None, segment: int | None) -> Iterator[int]:
    """The ITSs that messages of a segment end at, through an SMMU or not."""
    nodes = {} if iort is None else {node.offset: node for node in iort.nodes}
    waiting = [node for node, data in root_complexes(iort) if data.segment == segment]
    passed = set()
    while waiting:
        node = waiting.pop()
        if node.offset in passed:
            continue
        passed.add(node.offset)
        if isinstance(node.data, ItsGroup):
            yield from node.data.ids
        waiting += [nodes[each.output_reference] for each in node.mappings if each.output_reference in nodes]


def _finding(bridge: Inbound, doorbell: Doorbell) -> Finding:
    limits = ", ".join(f"{each.bus:#x}-{each.last:#x}" for each in (bridge.limits or ())[:4])
    there = _comes_to(bridge, doorbell.bus)
    came = (
        f"{bridge.said_by} lets in {limits} on the PCI side"
        if there is None
        else f"a write to it comes to {there:#x} of the CPU, and the doorbell is at {doorbell.cpu:#x}"
    )
    property = property_of(bridge.name, "dma-ranges")
    return doorbell_out_of_reach.rule.finding(
        bridge.at,
        f"devices of '{bridge.name}' cannot write to the doorbell of {doorbell.controller} at "
        f"{doorbell.bus:#x}: {came}",
        related=[(doorbell.place, "the doorbell is in these registers")],
        notes=["messages are written there, so the devices have no interrupts"],
        help="name the doorbell's page among the ranges, at the same address on both sides"
        if doorbell.bus == doorbell.cpu
        else f"name it among the ranges: {doorbell.bus:#x} on the PCI side, {doorbell.cpu:#x} for the CPU",
        subject=bridge.name,
        about=(property,),
        rests_on=(property, property_of(bridge.name, "msi-map")),
    )
