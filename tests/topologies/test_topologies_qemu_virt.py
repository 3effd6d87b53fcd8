"""`qemu-virt` beside the device tree that QEMU dumps of the same machine.

Only phandle values, node order, node names, seeds and `linux,pci-domain` may differ.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.corpus.board_corpus import Corpus

from rootplex.readers.dtb import read_dtb
from rootplex.readers.tree import DtNode, Tree, cells_of

DUMP = "qemu-virt-gic-version-3-iommu-smmuv3"

# Where a property holds phandles: cells of one row, and the cell of the row that is one.
PHANDLES = {"interrupt-map": (10, 4), "iommu-map": (4, 1), "msi-map": (4, 1)}


@pytest.mark.parametrize(
    "compatible", ["pci-host-ecam-generic", "arm,gic-v3", "arm,gic-v3-its", "arm,smmu-v3"]
)
def test_the_node_has_the_properties_that_qemu_gives_it(
    compiled: Path, corpus: Corpus, compatible: str
) -> None:
    ours = _tree(compiled / "qemu-virt" / "qemu-virt.dtb")
    theirs = _tree(corpus(DUMP))
    found = _properties(ours, _node(ours, compatible))
    if compatible == "arm,gic-v3":  # the description has a key `xen`: as with `virtualization=on`
        assert found.pop("interrupts") == b"\0\0\0\1\0\0\0\x09\0\0\0\x04"
    assert _properties(theirs, _node(theirs, compatible)) == found


def test_the_its_stands_inside_the_gic_as_in_qemus(compiled: Path, corpus: Corpus) -> None:
    for file in (compiled / "qemu-virt" / "qemu-virt.dtb", corpus(DUMP)):
        parent = _node(_tree(file), "arm,gic-v3-its").parent
        assert parent is not None
        assert parent.compatible == ("arm,gic-v3",)


def _tree(file: Path) -> Tree:
    return read_dtb(file.read_bytes(), file.name)


def _node(tree: Tree, compatible: str) -> DtNode:
    (node,) = (node for node in tree.walk() if compatible in node.compatible)
    return node


def _properties(tree: Tree, node: DtNode) -> dict[str, object]:
    """The node's properties, with the compatible of the node behind a phandle in place of its number."""
    out: dict[str, object] = {}
    for name, value in node.properties.items():
        if name in {"phandle", "linux,pci-domain"}:
            continue
        out[name] = value
        if name in PHANDLES:
            width, at = PHANDLES[name]
            named = [str(cell) for cell in cells_of(value)]
            for index in range(at, len(named), width):
                named[index] = _compatible(tree, int(named[index]))
            out[name] = named
    return out


def _compatible(tree: Tree, phandle: int) -> str:
    (node,) = (node for node in tree.walk() if node.phandle == phandle)
    return node.compatible[0]
