"""Every device tree of the corpus as a description: its bridges are those that `dtc`'s text shows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.corpus.board_corpus import TREES, Corpus, described, expected, imported, platform_of

from rootplex.backends.compilation import compile_platform
from rootplex.model.bridge import HostBridge, IommuMap, MsiMap
from rootplex.model.platform import Platform

KINDS = {
    "marvell,armada8k-pcie": "windowed",
    "pci-host-ecam-generic": "ecam",
    "arm,juno-r1-pcie": "ecam",
    "brcm,bcm2711-pcie": "windowed",
    "fsl,lx2160a-pcie": "windowed",
    "hisilicon,hip07-pcie-ecam": "quirk",
    "starfive,jh7110-pcie": "quirk",
    "rockchip,rk3588-pcie": "windowed",
    "qcom,pcie-sc8280xp": "windowed",
    "xlnx,nwl-pcie-2.11": "quirk",
}
"""linux.md §1.13, by the first compatible."""
LIMITED_ABOVE = {"fsl,lx2160a-pcie", "qcom,pcie-sc8280xp"}
"""In a bus whose `dma-ranges` hold for the bridges in it, which have none."""


@pytest.mark.parametrize("name", TREES)
def test_the_bridges_are_those_of_the_file(corpus: Corpus, name: str) -> None:
    platform = platform_of(corpus(name))
    known = expected(name)["bridges"]
    assert [each["path"] for each in known] == list(imported(corpus(name)).bridges)
    assert [_known(each) for each in known] == [_shown(platform, each) for each in platform.host_bridges]


def _known(known: dict[str, Any]) -> dict[str, Any]:
    return {
        "compatible": known["compatible"],
        "kind": KINDS[known["compatible"][0]],
        "enabled": known["enabled"],
        "segment": known["linux_pci_domain"],
        "buses": known["bus_range"] or [0, 0xFF],
        "regs": {(each["cpu"], each["size"]) for each in known["regs"]},
        "windows": [
            (each["space"], each["prefetch"], each["pci"], each["cpu"], each["size"])
            for each in known["ranges"]
        ],
        "msi": _rows(known["msi_map"]),
        "iommu": _rows(known["iommu_map"]),
        "iommu_mask": known["iommu_map_mask"],
        "coherent": known["dma_coherent"],
        "dma": known["dma_ranges"] or known["compatible"][0] in LIMITED_ABOVE,
        "node": known["numa_node_id"],
    }


def _rows(entries: list[dict[str, int]] | None) -> list[tuple[int, int, int]] | None:
    return None if entries is None else [(each["rid"], each["out"], each["length"]) for each in entries]


def _shown(platform: Platform, bridge: HostBridge) -> dict[str, Any]:
    config = bridge.config
    regs = {(each.base, each.size) for each in config.registers} | {(config.base, config.size)}
    reg = dict(bridge.dt.properties).get("reg")
    if isinstance(reg, list):
        cells = [int(cell) for cell in reg]
        regs = {
            (cells[at] << 32 | cells[at + 1], cells[at + 2] << 32 | cells[at + 3])
            for at in range(0, len(cells), 4)
        }
    assert (config.base, config.size) in regs
    return {
        "compatible": list(config.compatible),
        "kind": config.kind,
        "enabled": bridge.enabled,
        "segment": bridge.segment,
        "buses": [bridge.bus_range.first, bridge.bus_range.last],
        "regs": regs,
        "windows": [
            (each.space, each.prefetchable, each.pci, each.cpu, each.size) for each in bridge.windows
        ],
        "msi": None if bridge.msi is None or bridge.msi.parent else _map(bridge.msi),
        "iommu": None if bridge.iommu is None else _map(bridge.iommu),
        "iommu_mask": bridge.iommu.mask if bridge.iommu is not None and bridge.iommu.wrote("mask") else None,
        "coherent": bridge.dma_coherent,
        "dma": bridge.dma_windows is not None or "dma-ranges" in dict(bridge.dt.properties),
        "node": bridge.proximity,
    }


def _map(map: MsiMap | IommuMap) -> list[tuple[int, int, int]]:
    return [(each.rid, each.id, each.count) for each in map.entries]


@pytest.mark.parametrize("name", TREES)
def test_the_description_compiles(corpus: Corpus, name: str) -> None:
    checked = described(corpus(name))
    assert () == checked.findings
    assert checked.platform is not None
    assert f"{checked.platform.name}.dtb" in compile_platform(checked.platform).files


OWN_MESSAGES = {"bcm2711-rpi-4-b", "zynqmp-zcu102-rev1.0"}
"""Their `msi-parent` is the bridge itself."""


@pytest.mark.parametrize("name", TREES)
def test_msi_parents_and_interrupt_maps_are_said_or_listed(corpus: Corpus, name: str) -> None:
    platform = platform_of(corpus(name))
    listed = " ".join(each.what for each in imported(corpus(name)).missing)
    for known, bridge in zip(expected(name)["bridges"], platform.host_bridges, strict=True):
        said = bridge.intx is not None or f"{bridge.name}: interrupt-map" in listed
        assert known["has_interrupt_map"] == said
        if known["has_msi_parent"] and known["msi_map"] is None:
            assert bridge.msi is not None
            assert bridge.msi.parent
            assert (bridge.msi.controller == bridge.name) == (name in OWN_MESSAGES)


def test_what_is_not_told_is_listed_and_not_invented(corpus: Corpus) -> None:
    turing = imported(corpus("rk3588-turing-rk1"))
    assert "memory" in {each.what for each in turing.missing}
    assert turing.document.get("memory") is None
    disabled = imported(corpus("armada-8040-mcbin")).document
    (unit,) = (disabled.get("iommus") or disabled).items
    assert unit.plain() == {
        "name": "smmu",
        "kind": "arm-smmu-v2",
        "base": "0xf010_0000",
        "size": "1MiB",
        "model": "mmu-500",
        "interrupts": (unit.get("interrupts") or unit).plain(),
        "enabled": False,
    }
