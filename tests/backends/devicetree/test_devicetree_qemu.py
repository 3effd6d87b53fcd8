"""The tree of QEMU's own host bridge, against the tree that QEMU itself makes, property by property."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.backends.devicetree.dtc_text import Properties, phandles, read
from tests.backends.platforms import host_bridge, platform
from tests.corpus.board_corpus import Corpus
from tests.corpus.qemu_trees import dump

from rootplex.backends.devicetree import device_tree
from rootplex.jobs.describe import read_checked
from rootplex.model.platform import Memory

NAMES = {
    "/intc@8000000": "/interrupt-controller@8000000",
    "/intc@8000000/its@8080000": "/interrupt-controller@8000000/msi-controller@8080000",
    "/smmuv3@9050000": "/iommu@9050000",
    "/pcie@10000000": "/pcie@4010000000",
}
"""QEMU's node names that are not ours: a generic name, and the address of the registers."""

REFERENCES = {
    "interrupt-parent": (1, (0,)),
    "interrupt-map": (10, (4,)),
    "iommu-map": (4, (1,)),
    "msi-map": (4, (1,)),
    "clocks": (1, (0,)),
    "gpios": (3, (0,)),
    "cpu": (1, (0,)),
}
"""Property → its row's width and the cells in it that are phandles."""

DESCRIPTION = """\
rootplex: 1
platform: {{name: x, arch: arm64, base: qemu-virt, virtualization: {virtualization}}}
host_bridges:
  - {{name: main, segment: 0, config: {{base: 0x40_1000_0000}}}}
"""

GIC = "/interrupt-controller@8000000"
SEEDS = {"kaslr-seed", "rng-seed"}

SINCE: dict[str, Properties] = {
    "/": {"dma-coherent": b""},
    "/aliases": {"serial0": ("/pl011@9000000",)},
}
"""What QEMU 10 says and 7.2, which the tree follows, does not."""


def _settled(nodes: Mapping[str, Properties]) -> dict[str, Properties]:
    """The nodes with our names, phandles as the paths behind them, no seeds."""
    behind = {phandle: NAMES.get(path, path) for phandle, path in phandles(nodes).items()}
    out = {}
    for path, node in nodes.items():
        settled: Properties = {}
        for name, value in node.items():
            if name in SEEDS | {"phandle"}:
                continue
            width, places = REFERENCES.get(name, (1, ()))
            cells = [
                behind[cell] if isinstance(cell, int) and index % width in places else cell
                for index, cell in enumerate(value)
            ]
            settled[name] = tuple(cells) if places else value
        out[NAMES.get(path, path)] = settled
    return out


def _ours() -> dict[str, Properties]:
    memory = (Memory(base=0x4000_0000, size=128 << 20),)  # QEMU's default, the one of the dumps
    return _settled(read(device_tree(platform(host_bridge(), memory=memory)).dtb().data))


def test_every_node_is_as_qemu_has_it(corpus: Corpus) -> None:
    theirs = _settled(read(corpus("qemu-virt-gic-version-3-iommu-smmuv3").read_bytes()))
    for path, node in SINCE.items():
        if node.items() <= theirs.get(path, {}).items():
            theirs[path] = {name: value for name, value in theirs[path].items() if name not in node}
    theirs = {path: node for path, node in theirs.items() if node or path not in SINCE}
    ours = _ours()
    assert sorted(ours) == sorted(theirs)
    for path, node in theirs.items():
        assert ours[path] == node, path


@pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="needs qemu-system-aarch64")
@pytest.mark.parametrize("virtualization", [False, True])
def test_the_machine_is_qemus_with_and_without_virtualization(virtualization: bool, tmp_path: Path) -> None:
    """What a hypervisor needs and Linux does not: the GIC's own interrupt, and how PSCI is called."""
    switch = "on" if virtualization else "off"
    dump(f"gic-version=3,iommu=smmuv3,virtualization={switch}", tmp_path / "dumped.dtb")
    theirs = _settled(read((tmp_path / "dumped.dtb").read_bytes()))
    read_ = read_checked(DESCRIPTION.format(virtualization=str(virtualization).lower()).encode(), "x.yaml")
    assert read_.platform is not None
    assert read_.findings == ()
    ours = _settled(read(device_tree(read_.platform).dtb().data))
    for node in (GIC, "/psci", "/timer"):
        assert ours[node] == theirs[node], node


def test_the_machine_has_what_a_boot_needs_and_no_seed() -> None:
    nodes = read(device_tree(platform(bootargs="quiet", console="/pl011@9000000:115200")).dtb().data)
    assert nodes["/chosen"] == {"stdout-path": ("/pl011@9000000:115200",), "bootargs": ("quiet",)}
    assert nodes["/memory@40000000"]["reg"] == (0, 0x4000_0000, 0, 0x4000_0000)


def test_the_smmu_is_there_only_where_a_bridge_uses_it() -> None:
    nodes = read(device_tree(platform(host_bridge(iommu=None))).dtb().data)
    assert "/iommu@9050000" not in nodes
    assert "iommu-map" not in nodes["/pcie@4010000000"]
