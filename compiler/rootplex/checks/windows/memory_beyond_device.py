"""Memory beyond the addresses that a device can send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from rootplex.checks.areas import Area
from rootplex.checks.causes import property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.inbound import Inbound, inbound_of, memory_known, narrowest_reach
from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device
from rootplex.source.finding import Finding, Level

ALL_BITS = 64
LEAST_TRUSTED = 32
"""A mask of so many bits is always taken."""
LOWEST_ZONE = {"x86_64": 1 << 24, "arm": 1 << 32}
"""Where ZONE_DMA ends; RISC-V has none, and Arm's 64-bit kernel reckons."""


class Reach(Struct, frozen=True):
    """Memory as devices below one bridge see it: (first, last) on the bus, and the last address of the zone
    that a narrow device must reach; None where that is not on the bus at all."""

    seen: tuple[tuple[int, int], ...]
    zone: int | None


@check("RPX0128", Level.ERROR, requires=("RPX0127", "RPX0129", "RPX0601", "RPX0630"))
def memory_beyond_device(facts: Facts) -> Iterator[Finding]:
    """What it finds: a device whose address bits (`dma_bits`, or what the catalogue says of its model) reach
    none of the memory by the addresses that it has on the PCI side; or too few of them for the kernel to take
    the device; behind an IOMMU, one that lies below all inbound ranges. A note where some memory is reached,
    and the rest is copied through bounce buffers (swiotlb). Devices that a guest has are left out: their
    memory is the guest's.
    Why it matters: the driver finds no buffer that the device can address. With 32 bits or more the kernel
    lets it try, and each transfer fails; with fewer it must reach all of the lowest zone of memory.
    Example: `dma_bits: 32` on a board whose memory begins at 0x80_0000_0000.
    What to do: put the device behind an IOMMU, or behind a bridge that has memory at lower addresses on the
    PCI side (`dma_windows`).
    Source: Linux kernel/dma/direct.c, dma_direct_supported and dma_coherent_ok; arch/arm64/mm/init.c,
    max_zone_phys; drivers/of/address.c, of_dma_get_max_cpu_address; kernel/dma/swiotlb.c, swiotlb_map.
    """
    # As far as memory is known.
    memory = memory_known(facts)
    inbound = {each.name: each for each in inbound_of(facts)}
    given = (
        {name for guest in facts.described.xen.guests for name in guest.devices} if facts.described else ()
    )
    for described in facts.described_bridges:
        bridge = inbound.get(described.name)
        narrow = [
            each for each in _endpoints(described) if each.dma_bits < ALL_BITS and each.name not in given
        ]
        if bridge is None or not narrow:
            continue
        if bridge.translated:
            yield from _below_all_ranges(bridge, narrow)
        elif memory:
            reach = _reach(facts, bridge, memory)
            for device in narrow:
                found = _of_device(bridge, device, reach)
                if found is not None:
                    yield found


def _endpoints(bridge: HostBridge) -> Iterator[Device]:
    return (each for each in bridge.walk() if each.present and not each.is_bridge)


def _reach(facts: Facts, bridge: Inbound, memory: Sequence[Area]) -> Reach:
    seen = sorted((first, last) for area in memory for first, last, _ in bridge.seen(area))
    top = _end_of_zone(facts, memory) - 1
    ways = (way.of_cpu(top, top) for way in bridge.ways)
    return Reach(tuple(seen), next((found[0] for found in ways if found is not None), None))


def _end_of_zone(facts: Facts, memory: Sequence[Area]) -> int:
    """Where the kernel's lowest zone of memory ends, or memory itself."""
    end = max(area.last for area in memory) + 1
    if facts.arch != "arm64":
        return min(end, LOWEST_ZONE.get(facts.arch, end))
    start = min(area.base for area in memory)
    limit = narrowest_reach(facts)
    zone = 1 << 32 if limit is None else min(1 << 32, limit + 1)
    if start >= zone:
        zone = 1 << 32 if start < 1 << 32 else end
    return min(end, zone)


def _of_device(bridge: Inbound, device: Device, reach: Reach) -> Finding | None:
    mask = (1 << device.dma_bits) - 1
    bits = f"'{device.label}' has {device.dma_bits} bits of DMA addresses"
    first = reach.seen[0][0] if reach.seen else 0
    if first > mask:
        return _finding(
            bridge, device, f"{bits}, and memory begins at PCI {first:#x} below '{bridge.name}'", Level.ERROR
        )
    if device.dma_bits < LEAST_TRUSTED and (reach.zone is None or reach.zone > mask):
        end = "is not on the bus" if reach.zone is None else f"ends at PCI {reach.zone:#x}"
        return _finding(
            bridge,
            device,
            f"{bits}, and the kernel's lowest zone of memory {end}: it refuses them",
            Level.ERROR,
        )
    beyond = [f"{max(low, mask + 1):#x}-{high:#x}" for low, high in reach.seen if high > mask]
    if not beyond:
        return None
    text = f"{bits}: what has memory at PCI {', '.join(beyond[:3])} is copied for it"
    return _finding(bridge, device, text, Level.NOTE)


def _below_all_ranges(bridge: Inbound, devices: Sequence[Device]) -> Iterator[Finding]:
    """Behind an IOMMU the kernel chooses addresses, within the inbound ranges alone."""
    least = min(way.bus for way in bridge.ways)
    for device in devices:
        if least >> device.dma_bits:
            text = (
                f"'{device.label}' has {device.dma_bits} bits of DMA addresses, and the inbound ranges of "
                f"'{bridge.name}' begin at PCI {least:#x}"
            )
            yield _finding(bridge, device, text, Level.ERROR)


def _finding(bridge: Inbound, device: Device, text: str, level: Level) -> Finding:
    return memory_beyond_device.rule.finding(
        device.at("dma_bits"),
        text,
        level=level,
        related=[] if bridge.limits is None else [(bridge.at, "the ranges are here")],
        notes=["bounce buffers (swiotlb) are in the memory that it reaches"] if level is Level.NOTE else [],
        help=None
        if level is Level.NOTE
        else "put it behind an IOMMU, or behind inbound ranges at lower addresses on the PCI side",
        subject=device.label,
        about=(device.label,),
        rests_on=(property_of(bridge.name, "dma-ranges"),),
    )
