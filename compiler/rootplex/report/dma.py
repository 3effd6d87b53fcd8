"""What DMA reaches, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from rootplex.jobs.result import Dma, DmaStretch

_TOLD = 3


def line(dma: Dma) -> str:
    """`DMA: PCI 0x0-0xbfffffff is memory 0x0-0xbfffffff (dma-ranges); memory 0xc0000000-0xffffffff is out of
    reach, and copied through bounce buffers`."""
    by = f" ({dma.limited_by})" if dma.limited_by else ""
    if dma.translated:
        within = f"within PCI {_listed([_pci(each) for each in dma.ranges])}{by}" if dma.ranges else "freely"
        return f"DMA: an IOMMU translates; the kernel chooses PCI addresses {within}"
    if dma.memory is None:
        reached = [f"PCI {_pci(each)} is {_cpu(each)} of the CPU" for each in dma.ranges]
        said = f"{_listed(reached)}{by}" if reached else "PCI addresses are the CPU's"
        return f"DMA: {said}; no memory is described here"
    if not dma.memory:
        return f"DMA: no memory is reached{by}"
    said = _listed([f"PCI {_pci(each)} is memory {_cpu(each)}" for each in dma.memory])
    beyond = _listed([f"{each.base:#x}-{each.base + each.size - 1:#x}" for each in dma.beyond])
    return f"DMA: {said}{by}" + (
        f"; memory {beyond} is out of reach, and copied through bounce buffers" if beyond else ""
    )


def _pci(each: DmaStretch) -> str:
    return f"{each.pci:#x}-{each.pci + each.size - 1:#x}"


def _cpu(each: DmaStretch) -> str:
    return f"{each.cpu:#x}-{each.cpu + each.size - 1:#x}"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:_TOLD], *(["…"] if len(texts) > _TOLD else [])])
