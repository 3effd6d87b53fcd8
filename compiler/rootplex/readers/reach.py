"""Whether a driver finds the registers of a controller: without them it does not come up, and what is mapped
to the controller is lost.

Linux `drivers/of/address.c:of_address_to_resource`, as `irq-gic-v3-its.c:its_of_probe`,
`irq-gic-v2m.c:gicv2m_of_init` and the SMMU drivers ask it (linux.md §1.10, §1.11).
"""

from __future__ import annotations

from rootplex.readers.address import DtReg, is_pci_bus
from rootplex.readers.problem import Problem
from rootplex.readers.tree import DtNode, Tree

SMMU_V3_SIZE = 0x20000
ONE_PAGE = "cavium,cn9900-smmu-v3"
"""An SMMUv3 with one page of registers, of half the size (`arm_smmu_resource_size`)."""


def unreachable(tree: Tree, node: DtNode, kind: str, regs: tuple[DtReg, ...]) -> Problem | None:
    """Why the first register block of a controller cannot be found, at the place to mend; None where it can
    be, or where the controller's kind is not known to need one."""
    bus = node.parent
    if bus is None or is_pci_bus(bus):
        return None
    known = kind in ("gic", "its", "v2m", "smmu-v2", "smmu-v3")
    if "reg" not in node.properties:
        if known or "@" in node.name:
            return Problem("size", tree.place(node), f"{node.path} has no reg")
        return None
    if kind == "gic" and node.properties.keys().isdisjoint(("interrupt-controller", "msi-controller")):
        return Problem("reference", tree.place(node), f"{node.path} has no 'interrupt-controller'")
    if known and not bus.address_cells:
        text = f"an address on {bus.path} has no cells, so {node.path} has none"
        return Problem("cells", tree.place(bus, "#address-cells"), text)
    if not regs:
        length, whole = len(node.properties["reg"]), 4 * (bus.address_cells + bus.size_cells)
        text = f"{node.path} has a reg of {length} bytes, and an entry has {whole}"
        return Problem("size", tree.place(node, "reg"), text)
    first = regs[0]
    made = without_compatible(node) if kind in ("smmu-v2", "smmu-v3") else None
    if made is not None:
        return Problem("reference", tree.place(made), f"{made.path} has no compatible")
    if first.cpu is None and first.translation == "none" and (known or "simple-bus" in bus.compatible):
        return untranslated(tree, node, first)
    if known and not first.size:
        return Problem("length", first.at_size, f"{node.path} has registers of size 0")
    if kind == "v2m" and (given := _frame_range(tree, node)) is not None:
        return given
    if kind == "smmu-v3" and first.size < (SMMU_V3_SIZE >> (ONE_PAGE in node.compatible)):
        text = f"{node.path} has {first.size:#x} bytes of registers, fewer than an SMMUv3 has"
        return Problem("length", first.place, text)
    return None


FRAME_FIRST, FRAME_END = 32, 1019
"""The interrupts that a GICv2m frame may give out: from the first on, and none that ends behind the end
(`is_msi_spi_valid`, whose last one is 1018)."""


def _frame_range(tree: Tree, node: DtNode) -> Problem | None:
    """What is wrong with the interrupts that a frame's node names; its register counts where it does not."""
    base, count = node.u32("arm,msi-base-spi"), node.u32("arm,msi-num-spis")
    if not base or not count or (base >= FRAME_FIRST and base + count <= FRAME_END):
        return None
    property = "arm,msi-base-spi" if base < FRAME_FIRST or base >= FRAME_END else "arm,msi-num-spis"
    text = f"{node.path} gives out interrupts {base}-{base + count - 1}, and a frame has {FRAME_FIRST}-"
    return Problem("count", tree.place(node, property, 0), f"{text}{FRAME_END - 1}")


def without_compatible(node: DtNode) -> DtNode | None:
    """The node without a `compatible` for which Linux makes no device of this one: it, or the nearest above
    (`of_platform_bus_create`); None where there is none. The root needs none."""
    way = (node, *node.ancestors())
    return next((each for each in way if each.parent is not None and not each.compatible), None)


def untranslated(tree: Tree, node: DtNode, reg: DtReg) -> Problem:
    """The bus that an address does not come through: one without `ranges`, one of cell counts by which
    nothing is translated, or one whose `ranges` leave it out."""
    for bus in node.ancestors():
        if bus.parent is None:
            break
        if "ranges" not in bus.properties:
            return Problem("reference", tree.place(bus), f"{bus.path} has no ranges")
        if not bus.size_cells:
            return Problem("cells", tree.place(bus, "#size-cells"), f"a size on {bus.path} has no cells")
    return Problem(
        "reference", reg.place, f"{node.path} at {reg.address:#x} is in no ranges of the buses above"
    )
