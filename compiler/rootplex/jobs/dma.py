"""What DMA of a host bridge's devices reaches, for reports: by which PCI addresses which memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.inbound import Inbound, inbound_of, memory_known
from rootplex.jobs.result import Dma, DmaStretch, Stretch


def dma_by_bridge(facts: Facts) -> dict[str, Dma]:
    """By the bridges' names, those that are on and whose limits can be known."""
    memory = tuple(_merged((area.base, area.last) for area in memory_known(facts)))
    return {each.name: _dma(each, memory) for each in inbound_of(facts)}


def _dma(bridge: Inbound, memory: tuple[tuple[int, int], ...]) -> Dma:
    seen = sorted(
        (*common, way.offset)
        for first, last in memory
        for way in bridge.ways
        if (common := way.of_cpu(first, last)) is not None
    )
    reached = tuple(_merged((low + offset, high + offset) for low, high, offset in seen))
    return Dma(
        limited_by=None if bridge.limits is None else bridge.said_by,
        translated=bridge.translated,
        ranges=tuple(DmaStretch(pci=each.bus, cpu=each.cpu, size=each.size) for each in bridge.limits or ()),
        memory=tuple(DmaStretch(pci=low, cpu=low + offset, size=high - low + 1) for low, high, offset in seen)
        if memory
        else None,
        beyond=tuple(Stretch(base=low, size=high - low + 1) for low, high in _without(memory, reached)),
    )


def _merged(stretches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Stretches by address, those that touch made one; both ends are in them."""
    start = end = None
    for low, high in sorted(stretches):
        if start is not None and end is not None and low <= end + 1:
            end = max(end, high)
            continue
        if start is not None and end is not None:
            yield start, end
        start, end = low, high
    if start is not None and end is not None:
        yield start, end


def _without(
    stretches: Iterable[tuple[int, int]], taken: tuple[tuple[int, int], ...]
) -> Iterator[tuple[int, int]]:
    """What of some stretches is in none of the others, which are in order."""
    for low, high in stretches:
        for first, last in taken:
            if low <= last and first <= high:
                if low < first:
                    yield low, first - 1
                low = last + 1
        if low <= high:
            yield low, high
