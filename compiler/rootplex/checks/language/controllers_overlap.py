"""controllers-overlap

What it finds: two controllers of a description whose register blocks overlap: of one kind or of two. Two VT-d
units of different segments at one base have a finding of their own.
Why it matters: there is one set of registers at an address: the second driver to come does not get it
(-EBUSY), or both set up one unit, each over the other's tables.
Example: two entries `{kind: intel-vtd, base: 0xfed9_0000}`.
What to do: give each unit its own registers, or describe one unit and let both bridges name it.
Source: Linux drivers/iommu/intel/dmar.c, map_iommu; drivers/irqchip/irq-gic-v3-its.c, its_probe_one; Intel
VT-d specification 4.1 §8.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import IO_APIC_SIZE, VTD_SIZE
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.controllers import (
    Controller,
    DtNode,
    GicV2,
    GicV2m,
    GicV3,
    IntelVtd,
    IoApic,
    Its,
    RidIommu,
    RiscvIommu,
    SmmuV2,
    SmmuV3,
)
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(code="RPX0027", name="controllers-overlap", level=Level.ERROR, needs="description")

Block = tuple[int, int, Controller, Place]
"""First and last address of a register block, whose it is, and where it is written."""


def check(facts: Facts) -> Iterator[Finding]:
    """Each block with the first one before it that it meets; a built-in IOMMU goes where one is described."""
    platform = facts.platform
    everything = (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus)
    seen: list[Block] = []
    for controller in everything:
        if not controller.enabled or (controller.built_in and controller in platform.iommus):
            continue
        for block in _blocks(controller):
            low, high, _, at = block
            others = (each for each in seen if each[0] <= high and low <= each[1])
            other = next((each for each in others if not _takes_messages_too(platform, block, each)), None)
            if other is not None and not _told_by_dmar(controller, other[2]):
                yield RULE.finding(
                    at,
                    f"the registers of '{controller.name}' at {low:#x}-{high:#x} overlap '{other[2].name}'",
                    related=[(other[3], f"{other[2].name} is at {other[0]:#x}-{other[1]:#x}")],
                    help="give each its own, or let both users name one controller",
                    subject=controller.name,
                )
                break
        seen += _blocks(controller)


def _takes_messages_too(platform: Platform, block: Block, other: Block) -> bool:
    """Whether two blocks are one GIC's, of its distributor: a GICv3 with `mbi-ranges` is an MSI controller
    by itself (Linux drivers/irqchip/irq-gic-v3-mbi.c, mbi_init)."""
    same = block[:2] == other[:2] and block[2] in platform.msi_controllers
    return same and isinstance(block[2], DtNode) and other[2] in platform.interrupt_controllers


def _told_by_dmar(unit: Controller, other: Controller) -> bool:
    return isinstance(unit, IntelVtd) and isinstance(other, IntelVtd) and unit.segment != other.segment


def _blocks(controller: Controller) -> list[Block]:
    def block(base: int, size: int, key: str) -> Block:
        return base, base + size - 1, controller, controller.at(key)

    match controller:
        case GicV3(distributor=first, redistributors=other):
            return [
                block(first.base, first.size, "distributor"),
                block(other.base, other.size, "redistributors"),
            ]
        case GicV2(distributor=first, cpu_interface=other):
            return [
                block(first.base, first.size, "distributor"),
                block(other.base, other.size, "cpu_interface"),
            ]
        case IoApic(base=base):
            return [block(base, IO_APIC_SIZE, "base")]
        case RidIommu(base=base):
            return [block(base, VTD_SIZE, "base")]
        case Its(base=base, size=size) | GicV2m(base=base, size=size):
            return [block(base, size, "base")]
        case SmmuV3(base=base, size=size) | SmmuV2(base=base, size=size):
            return [block(base, size, "base")]
        case RiscvIommu(base=int(base), size=size, parent=None):
            return [block(base, size, "base")]
        case DtNode(base=int(base), size=int(size), parent=None) if size:
            return [block(base, size, "base")]
    return []
