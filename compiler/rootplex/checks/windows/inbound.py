"""DMA against memory and windows: what is reached, and what is in the way."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, combinations

from rootplex.checks.areas import Area, memory_areas, part_of
from rootplex.checks.causes import WRONG_WINDOW, property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.inbound import MANY, Inbound, inbound_of, memory_known
from rootplex.readers.inbound import BusStretch
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

UNREADABLE = ("RPX0601", "RPX0630", "RPX0631")
"""In `requires`: what can be wrong with `dma-ranges` themselves."""


@check("RPX0125", Level.WARNING, requires=(*UNREADABLE, *WRONG_WINDOW))
def memory_behind_window(facts: Facts) -> Iterator[Finding]:
    """What it finds: memory whose address on the PCI side, where DMA reaches it, is also in a window of the
    same host bridge, by `dma-ranges` or `_DMA`. A note where nothing limits DMA, so that memory has the CPU's
    own address there: then only a BAR that is placed there is in the way. Where no memory is described,
    windows that lie on an inbound range with another meaning; a note where that range is simply all
    addresses.
    Why it matters: a request for that memory goes to the BAR that has the address, or nowhere; what is read
    is not what the driver wrote. The kernel looks only where an IOMMU translates.
    Example: a window at PCI 0xc000_0000 of 4 GiB, and `dma_windows: [{pci: 4GiB, cpu: 0, size: 4GiB}]`.
    What to do: give window and memory addresses of their own on the PCI side; where there are too few, leave
    out of the inbound ranges what is in the window.
    Source: PCI Express Base 6.0 §2.4.1 (requests are routed by address); Linux
    drivers/pci/controller/pcie-brcmstb.c, on the inbound view beside the outbound one, and
    drivers/iommu/dma-iommu.c, iova_reserve_pci_windows. Sources that prove it: device tree with memory nodes
    (which a boot loader may rewrite); `_DMA` and `_CRS`; EFI's memory map is not in the tables.
    """
    memory = memory_known(facts)
    for bridge in inbound_of(facts):
        if bridge.translated:
            continue
        seen = _Seen(_memory(bridge, memory) if memory else _ranges(bridge))
        for window in bridge.windows:
            found = seen.behind(window)
            if found:
                yield _behind_window(facts, bridge, window, found)


Clash = tuple[int, int, BusStretch, Area | None]
"""First and last address on the bus, by what requests come in, and the memory there."""


def _memory(bridge: Inbound, memory: Sequence[Area]) -> list[Clash]:
    return [(first, last, way, area) for area in memory for first, last, way in bridge.seen(area)]


def _ranges(bridge: Inbound) -> list[Clash]:
    return [(way.bus, way.last, way, None) for way in (() if bridge.limits is None else bridge.ways)]


class _Seen:
    """What requests come to, by its addresses on the bus."""

    def __init__(self, stretches: Sequence[Clash]) -> None:
        self._in_order = sorted(enumerate(stretches), key=lambda each: each[1][0])
        self._firsts = [first for _, (first, *_) in self._in_order]
        self._reach = list(accumulate((last for _, (_, last, *_) in self._in_order), max))

    def behind(self, window: BusStretch) -> list[Clash]:
        """What is in a window, unless the CPU has it there, too: a fault of its own."""
        start = bisect_left(self._reach, window.bus)
        end = bisect_right(self._firsts, window.last)
        found = [
            (index, (*common, way, area))
            for index, (first, last, way, area) in self._in_order[start:end]
            if way.offset != window.offset and (common := window.common(first, last)) is not None
        ]
        return [clash for _, clash in sorted(found, key=lambda each: each[0])]


def _behind_window(facts: Facts, bridge: Inbound, window: BusStretch, found: Sequence[Clash]) -> Finding:
    first, last, way, area = found[0]
    known = area is not None
    given = facts.described is None and facts.dt is not None
    everything = not known and way.offset == 0 and way.bus <= window.bus and window.last <= way.last
    cpu = f"{first + way.offset:#x}-{last + way.offset:#x}"
    related: list[tuple[Place, str]] = []
    if bridge.limits is not None:
        related.append((way.place, f"by this its devices have {cpu} of the CPU there"))
    if area is not None:
        related.append((area.at, "the memory is here"))
    notes = [f"so it does at {low:#x}-{high:#x}" for low, high, _, _ in found[1:3]]
    if bridge.limits is None:
        notes.append(f"without dma-ranges DMA to memory {cpu} has the CPU's addresses on the bus")
    if not known:
        notes.append("no memory is described here, so what of it lies there is not known")
    what = "memory lies" if known else f"what {bridge.said_by} lets in lies"
    return memory_behind_window.rule.finding(
        window.place,
        f"{what} at PCI {first:#x}-{last:#x}, in the window of '{bridge.name}' at PCI {window.bus:#x}-"
        f"{window.last:#x}",
        level=Level.NOTE if bridge.limits is None or (everything and given) else Level.WARNING,
        related=related,
        notes=notes,
        help="give the window addresses on the PCI side that no memory has there",
        subject=bridge.name,
        about=(bridge.name, part_of("window", bridge.name, window.cpu)),
        rests_on=(
            property_of(bridge.name, "dma-ranges"),
            property_of(bridge.name, "ranges"),
            part_of("window", bridge.name, window.cpu),
            *(() if area is None else (area.part,)),
        ),
    )


@check("RPX0127", Level.ERROR, requires=(*UNREADABLE, "RPX0813"))
def no_memory_in_reach(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge whose devices reach none of the memory that is described, by `dma-ranges`,
    `_DMA` or IORT's address size limit, without an IOMMU between.
    Why it matters: no buffer can be handed to a device, nor one to copy through; every driver fails.
    Example: `dma_windows: [{pci: 0, size: 1GiB}]` where memory begins at 0x8000_0000.
    What to do: name the memory that the bridge lets in, on the CPU side in `cpu`.
    Source: Linux kernel/dma/direct.c, dma_coherent_ok.
    Sources that prove it: device tree with memory nodes, or a description with `memory`.
    """
    memory = memory_known(facts)
    for bridge in inbound_of(facts):
        if not memory or bridge.translated or bridge.limits is None:
            continue
        if any(True for area in memory for _ in bridge.seen(area)):
            continue
        limits = ", ".join(f"{each.cpu:#x}-{each.cpu + each.size - 1:#x}" for each in bridge.limits[:3])
        property = property_of(bridge.name, "dma-ranges")
        yield no_memory_in_reach.rule.finding(
            bridge.at,
            f"DMA of '{bridge.name}' reaches {limits} of the CPU by {bridge.said_by}, and no memory lies "
            "there",
            related=[(area.at, f"memory is at {area.base:#x}-{area.last:#x}") for area in memory[:3]],
            help="name the memory that devices reach, by the address that the CPU has for it",
            subject=bridge.name,
            about=(bridge.name, property),
            rests_on=(property,),
        )


@check("RPX0129", Level.WARNING, requires=(*UNREADABLE, "RPX0623", "RPX0813"))
def inbound_ranges_overlap(facts: Facts) -> Iterator[Finding]:
    """What it finds: two inbound ranges of a host bridge that share addresses on the PCI side and lead to
    different addresses of the CPU.
    Why it matters: only one of them can answer. The kernel hands out addresses of both, so that transfers to
    some of the memory go to other memory.
    Example: `dma_windows: [{pci: 0, cpu: 0x8000_0000, size: 2GiB}, {pci: 1GiB, cpu: 4GiB, size: 1GiB}]`.
    What to do: let each range have addresses of its own on the PCI side.
    Source: Linux kernel/dma/direct.c, dma_direct_map_phys, which translates by the first that holds the CPU's
    address. Sources that prove it: device tree, `_DMA`.
    """
    for bridge in inbound_of(facts):
        clash = next(
            (
                (one, other, common)
                for one, other in combinations((bridge.limits or ())[:MANY], 2)
                if one.offset != other.offset and (common := one.common(other.bus, other.last)) is not None
            ),
            None,
        )
        if clash is None:
            continue
        one, other, (first, last) = clash
        property = property_of(bridge.name, "dma-ranges")
        yield inbound_ranges_overlap.rule.finding(
            other.place,
            f"PCI addresses {first:#x}-{last:#x} of '{bridge.name}' lead to {first + one.offset:#x} and to "
            f"{first + other.offset:#x} of the CPU",
            related=[(one.place, "this is the other range")],
            help="let each range have addresses of its own on the PCI side",
            subject=bridge.name,
            about=(property,),
            rests_on=(property,),
        )


@check("RPX0521", Level.NOTE, requires=UNREADABLE)
def inbound_not_all_looked_at(facts: Facts) -> Iterator[Finding]:
    """What it finds: more inbound ranges of a host bridge, or more stretches of memory, than are held against
    each other: 1,024 of each.
    Why it matters: what other findings say of DMA (RPX0125 to RPX0129, RPX0630) holds for those that stand
    first; of the others nothing is said.
    Example: `dma-ranges` of 2,000 entries.
    What to do: join ranges that follow each other.
    Source: none: this is a limit of Rootplex, no board is known that has as many.
    """
    for bridge in inbound_of(facts):
        count = len(bridge.limits or ())
        if count > MANY:
            yield inbound_not_all_looked_at.rule.finding(
                bridge.at,
                f"'{bridge.name}' has {count} inbound ranges, of which the first {MANY} are looked at",
                help="join ranges that follow each other",
                subject=bridge.name,
            )
    memory = [area for area in memory_areas(facts) if area.size > 0]
    if len(memory) > MANY:
        yield inbound_not_all_looked_at.rule.finding(
            memory[MANY].at,
            f"there are {len(memory)} stretches of memory, of which the first {MANY} are looked at",
            help="join stretches that follow each other",
            subject="memory",
        )
