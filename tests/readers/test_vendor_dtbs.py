"""Vendor device trees against `expected/`, which was read from dtc's text by another program."""

from __future__ import annotations

from typing import Any

import pytest
from tests.corpus.board_corpus import TREES, Corpus, expected

from rootplex.formats.devicetree import MapCells
from rootplex.readers.dtb import read_dtb
from rootplex.readers.hostbridge import DtHostBridge, pci_host_bridges
from rootplex.readers.ridmap import RidMap


def as_expected(bridge: DtHostBridge) -> dict[str, Any]:
    """The bridge in the words of the expected files."""

    def entries(map: RidMap | None) -> list[dict[str, Any]] | None:
        if map is None:
            return None
        return [
            {"rid": e.rid_base, "target": e.target, "out": e.out_base, "length": e.length}
            for e in map.entries
        ]

    def mask(map: RidMap | None) -> int | None:
        return map.mask if map is not None and map.mask_present else None

    return {
        "path": bridge.path,
        "compatible": list(bridge.compatible),
        "enabled": bridge.enabled,
        "linux_pci_domain": bridge.domain,
        "bus_range": None if bridge.bus_range is None else list(bridge.bus_range),
        "regs": [{"name": r.name, "addr": r.address, "cpu": r.cpu, "size": r.size} for r in bridge.regs],
        "ranges": [
            {
                "space": w.space,
                "prefetch": w.prefetchable,
                "pci": w.pci,
                "cpu_local": w.cpu_local,
                "cpu": w.cpu,
                "size": w.size,
            }
            for w in bridge.windows
        ],
        "msi_map": entries(bridge.msi_map),
        "msi_map_mask": mask(bridge.msi_map),
        "iommu_map": entries(bridge.iommu_map),
        "iommu_map_mask": mask(bridge.iommu_map),
        "dma_coherent": bridge.dma_coherent is True,
        "has_msi_parent": bridge.has_msi_parent,
        "has_interrupt_map": bridge.interrupt_map is not None,
        "numa_node_id": bridge.numa_node_id,
        "dma_ranges": bridge.dma_ranges != "absent",
    }


@pytest.mark.parametrize("board", TREES)
def test_bridges_are_those_that_dtc_shows(corpus: Corpus, board: str) -> None:
    known = expected(board)
    tree = read_dtb(corpus(board).read_bytes(), board)
    assert tree.root.string("model") == known["model"]
    assert list(tree.root.compatible) == known["compatible"]
    bridges = pci_host_bridges(tree, MapCells.ONE)
    assert [as_expected(bridge) for bridge in bridges] == known["bridges"]
