"""dma-ranges-order

What it finds: a bridge with an `iommu-map` whose `dma-ranges`, sorted by the address that the CPU has, do not
also rise on the bus, or lie on each other there.
Why it matters: Linux keeps what is between them from being used for DMA. It goes through them by the CPU's
addresses, takes one that lies before the end of the last one for an overlap, and sets up no DMA through the
IOMMU for any device below the bridge.
Example: two ranges of 1 GiB, bus 0 at CPU 0x1_0000_0000 and bus 0x4000_0000 at CPU 0x4000_0000.
What to do: behind an IOMMU let bus addresses rise as the CPU's do, without overlap; 1:1 does it, since the
IOMMU translates.
Source: Linux drivers/iommu/dma-iommu.c, iova_reserve_pci_windows, which fails with -EINVAL ("Failed to
reserve IOVA"), and iommu_dma_init_domain; drivers/pci/of.c, devm_of_pci_get_host_bridge_resources.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.address import DtWindow
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0623",
    name="dma-ranges-order",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0601", "RPX0813"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge once, at the first range that the kernel stumbles over."""
    for bridge in enabled_bridges(facts):
        if bridge.iommu_map is not None:
            wrong = next((pair for pair in pairwise(_by_cpu(bridge)) if not _rise(*pair)), None)
            if wrong is not None:
                yield _finding(name_of(facts, bridge.path), *wrong)


def _by_cpu(bridge: DtHostBridge) -> list[DtWindow]:
    """The ranges of memory in the order in which the kernel goes through them."""
    taken = (each for each in bridge.dma_windows if each.cpu is not None and each.size)
    return sorted(
        (each for each in taken if each.space in ("mem32", "mem64")), key=lambda each: each.cpu or 0
    )


def _rise(lower: DtWindow, upper: DtWindow) -> bool:
    return lower.pci + lower.size <= upper.pci


def _finding(name: str, lower: DtWindow, upper: DtWindow) -> Finding:
    how = "lies on" if upper.pci + upper.size > lower.pci else "lies before"
    property = property_of(name, "dma-ranges")
    return RULE.finding(
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
