"""inbound-view-refused

What it finds: a Broadcom STB bridge (Raspberry Pi 4 and 5 among them) whose driver does not come up with its
`dma-ranges`: it has none of its own, or, but for the newer kind of BCM7712 and BCM2712, they do not make one
view whose beginning on the PCI side is a multiple of its size, as a power of two, and not between 2 and 4
GiB.
Why it matters: the driver sets up the way in by them, and ends with -EINVAL: nothing below the bridge is
found.
Example: `dma_windows: [{pci: 2GiB, cpu: 0, size: 4GiB}]` with `compatible: "brcm,bcm2711-pcie"`.
What to do: name all of memory from 0 on, or at a multiple of its size, rounded up to a power of two.
Source: Linux drivers/pci/controller/pcie-brcmstb.c, brcm_pcie_get_inbound_wins
(brcm_pcie_get_rc_bar2_size_and_offset up to 6.12).
Sources that prove it: device tree; a boot loader may write these ranges.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0631",
    name="inbound-view-refused",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0601", "RPX0630"),
)

DRIVER = "pcie-brcmstb"
SEVERAL_VIEWS = {"brcm,bcm2712-pcie", "brcm,bcm7712-pcie"}
GIB_2, GIB_4 = 1 << 31, 1 << 32


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge of that driver that it gives up."""
    for bridge in enabled_bridges(facts):
        if bridge.controller is None or bridge.controller.driver != DRIVER:
            continue
        name = name_of(facts, bridge.path)
        own = [each for each in bridge.dma_windows if each.cpu is not None and each.size]
        wrong = "has no dma-ranges of its own" if not own else _wrong_view(bridge)
        if wrong is not None:
            property = property_of(name, "dma-ranges")
            yield RULE.finding(
                bridge.place("dma-ranges" if "dma-ranges" in bridge.node.properties else None),
                f"'{name}' {wrong}",
                notes=["its driver sets up DMA by them, and ends with -EINVAL"],
                help="name the memory that comes in, from a multiple of its size on the PCI side",
                subject=name,
                about=(name, property),
                rests_on=(property,),
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
