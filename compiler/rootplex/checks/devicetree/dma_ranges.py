"""`dma-ranges` that the kernel reads otherwise than they are meant."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.causes import property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.readers.address import DtWindow
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.inbound import Unpassed, unpassed
from rootplex.source.finding import Finding, Level


@check("RPX0623", Level.ERROR, requires=("RPX0601", "RPX0813"))
def dma_ranges_order(facts: Facts) -> Iterator[Finding]:
    """What it finds: a bridge with an `iommu-map` whose `dma-ranges`, sorted by the address that the CPU has,
    do not also rise on the bus, or lie on each other there.
    Why it matters: Linux keeps what is between them from being used for DMA. It goes through them by the
    CPU's addresses, takes one that lies before the end of the last one for an overlap, and sets up no DMA
    through the IOMMU for any device below the bridge.
    Example: two ranges of 1 GiB, bus 0 at CPU 0x1_0000_0000 and bus 0x4000_0000 at CPU 0x4000_0000.
    What to do: behind an IOMMU let bus addresses rise as the CPU's do, without overlap; 1:1 does it, since
    the IOMMU translates.
    Source: Linux drivers/iommu/dma-iommu.c, iova_reserve_pci_windows, which fails with -EINVAL ("Failed to
    reserve IOVA"), and iommu_dma_init_domain; drivers/pci/of.c, devm_of_pci_get_host_bridge_resources.
    Sources that prove it: device tree.
    """
    # Each bridge once, at the first range that the kernel stumbles over.
    for bridge in enabled_bridges(facts):
        if bridge.iommu_map is not None:
            wrong = next((pair for pair in pairwise(_by_cpu(bridge)) if not _rise(*pair)), None)
            if wrong is not None:
                yield _out_of_order(facts.name_of(bridge.path), *wrong)


def _by_cpu(bridge: DtHostBridge) -> list[DtWindow]:
    """The ranges of memory in the order in which the kernel goes through them."""
    taken = (each for each in bridge.dma_windows if each.cpu is not None and each.size)
    return sorted(
        (each for each in taken if each.space in ("mem32", "mem64")), key=lambda each: each.cpu or 0
    )


def _rise(lower: DtWindow, upper: DtWindow) -> bool:
    return lower.pci + lower.size <= upper.pci


def _out_of_order(name: str, lower: DtWindow, upper: DtWindow) -> Finding:
    how = "lies on" if upper.pci + upper.size > lower.pci else "lies before"
    property = property_of(name, "dma-ranges")
    return dma_ranges_order.rule.finding(
        upper.place,
        f"the dma-range of '{name}' at bus address {upper.pci:#x} {how} that at {lower.pci:#x}, though the "
        "CPU has it behind that",
        related=[(lower.place, "this is the other one")],
        notes=["the kernel sets up no DMA behind an IOMMU where the two do not rise together"],
        help="let bus addresses rise as the CPU's do, without overlap",
        subject=name,
        about=(property,),
        rests_on=(property,),
    )


@check("RPX0630", Level.ERROR, requires=("RPX0601",))
def dma_range_not_passed(facts: Facts) -> Iterator[Finding]:
    """What it finds: an entry of `dma-ranges`, the bridge's own or the one of a bus that holds for it, that
    the `dma-ranges` of a bus above do not pass: not at all (an error), or not to its end (a warning).
    Why it matters: the kernel translates the first address through all buses. Where that fails it drops the
    entry, and that memory is never used for DMA; where all fail, it takes DMA for unlimited. It does not look
    at the end: buffers beyond what the bus above passes are lost.
    Example: `dma-ranges` of 4 GiB below a bus whose own are of 1 GiB.
    What to do: name on each level what the level above passes; buses without `dma-ranges`, or with empty
    ones, pass all of it.
    Source: Linux drivers/of/address.c, of_dma_get_range and of_translate_dma_address; Devicetree
    Specification 0.4, §2.3.9. Sources that prove it: device tree.
    """
    # Each bridge once, at the first entry that is cut.
    if facts.dt is None:
        return
    for bridge in enabled_bridges(facts):
        cut = next(unpassed(facts.dt.tree, bridge.node), None)
        if cut is not None:
            yield _cut(facts, facts.name_of(bridge.path), cut)


def _cut(facts: Facts, name: str, cut: Unpassed) -> Finding:
    assert facts.dt is not None
    last = cut.address + cut.size - 1
    property = property_of(name, "dma-ranges")
    text = f"the dma-range of '{name}' to {cut.address:#x}-{last:#x} is not passed by {cut.bus.path}"
    note = "the kernel drops it: memory there is not used for DMA"
    if cut.passed:
        text += f" beyond {cut.address + cut.passed - 1:#x}"
        note = "the kernel does not look at its end, and hands out what is beyond, too"
    return dma_range_not_passed.rule.finding(
        cut.place,
        text,
        level=Level.WARNING if cut.passed else Level.ERROR,
        related=[(facts.dt.tree.place(cut.bus, "dma-ranges"), "this is what passes there")],
        notes=[note],
        help="name on each level what the level above passes",
        subject=name,
        about=(property,),
        rests_on=(property, cut.bus.path),
    )


DRIVER = "pcie-brcmstb"
SEVERAL_VIEWS = {"brcm,bcm2712-pcie", "brcm,bcm7712-pcie"}
GIB_2, GIB_4 = 1 << 31, 1 << 32


@check("RPX0631", Level.ERROR, requires=("RPX0118", "RPX0601", "RPX0630"))
def inbound_view_refused(facts: Facts) -> Iterator[Finding]:
    """What it finds: a Broadcom STB bridge (Raspberry Pi 4 and 5 among them) whose driver does not come up
    with its `dma-ranges`: it has none of its own, or, but for the newer kind of BCM7712 and BCM2712, they do
    not make one view whose beginning on the PCI side is a multiple of its size, as a power of two, and not
    between 2 and 4 GiB.
    Why it matters: the driver sets up the way in by them, and ends with -EINVAL: nothing below the bridge is
    found.
    Example: `dma_windows: [{pci: 2GiB, cpu: 0, size: 4GiB}]` with `compatible: "brcm,bcm2711-pcie"`.
    What to do: name all of memory from 0 on, or at a multiple of its size, rounded up to a power of two.
    Source: Linux drivers/pci/controller/pcie-brcmstb.c, brcm_pcie_get_inbound_wins
    (brcm_pcie_get_rc_bar2_size_and_offset up to 6.12).
    Sources that prove it: device tree; a boot loader may write these ranges.
    """
    for bridge in enabled_bridges(facts):
        if bridge.controller is None or bridge.controller.driver != DRIVER:
            continue
        name = facts.name_of(bridge.path)
        own = [each for each in bridge.dma_windows if each.cpu is not None and each.size]
        wrong = "has no dma-ranges of its own" if not own else _wrong_view(bridge)
        if wrong is not None:
            property = property_of(name, "dma-ranges")
            yield inbound_view_refused.rule.finding(
                bridge.place("dma-ranges" if "dma-ranges" in bridge.node.properties else None),
                f"'{name}' {wrong}",
                notes=["its driver sets up DMA by them, and ends with -EINVAL"],
                help="name the memory that comes in, from a multiple of its size on the PCI side",
                subject=name,
                about=(name, property),
                rests_on=(name, property),
            )


def _wrong_view(bridge: DtHostBridge) -> str | None:
    """What is wrong with the one view that the ranges make; None: nothing, or there may be several."""
    if bridge.controller is None or bridge.controller.compatible in SEVERAL_VIEWS:
        return None
    own = [each for each in bridge.dma_windows if each.cpu is not None and each.size]
    sizes = bridge.node.cells("brcm,scb-sizes") or ()
    parts = [high << 32 | low for high, low in zip(sizes[::2], sizes[1::2], strict=False)]
    size = _rounded(sum(parts or [_rounded(sum(each.size for each in own))]))
    start = min(each.pci for each in own)
    if start % size:
        return f"has {size:#x} bytes come in from PCI {start:#x} on, which is no multiple of that"
    if GIB_2 < start < GIB_4:
        return f"has memory come in from PCI {start:#x} on, between 2 and 4 GiB"
    return None


def _rounded(size: int) -> int:
    """The power of two from a size up."""
    return 1 << (size - 1).bit_length() if size else 1
