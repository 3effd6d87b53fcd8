"""From a requester id to a stream through `iommu-map`, as Xen reads it (§1.9).

Xen's `dt_map_id`: one output cell whatever the target says, and for phantom functions the entries
that name another IOMMU than the first function's are passed over.
"""

from __future__ import annotations

from rootplex.readers.acpi.iort import Iort, NodeType, RootComplex, map_id
from rootplex.readers.tree import DtNode, Tree
from rootplex.simulator.xen.errno import Errno
from rootplex.simulator.xen.records import Record, Streams

ALL_BITS = 0xFFFFFFFF


def translate(tree: Tree, bridge: DtNode, record: Record) -> tuple[int, Streams | None]:
    """(0, streams), or an error with what is left attached to the device.

    Errors: -ENODEV (no property; a phandle of no node; no entry covers the id, which leaves the
    identity id without an IOMMU), -EINVAL (length zero or not a multiple of 16 bytes), -EFAULT (an
    entry's base has bits outside the mask).
    """
    value = bridge.properties.get("iommu-map")
    if value is None:
        return -Errno.ENODEV, None
    if not value or len(value) % 16:
        return -Errno.EINVAL, None
    words = bridge.cells("iommu-map") or ()
    mask = bridge.u32("iommu-map-mask")
    target: DtNode | None = None
    ids: list[int] = []
    for devfn in record.functions():
        rid = record.bus << 8 | devfn
        error, found, stream = _lookup(tree, words, ALL_BITS if mask is None else mask, rid, target)
        if error:
            return error, Streams(target.path, tuple(ids)) if target is not None else None
        ids.append(stream)
        if found is None:
            return -Errno.ENODEV, Streams(None, tuple(ids))
        target = found
    return 0, Streams(target.path if target is not None else None, tuple(ids))


def _lookup(
    tree: Tree, words: tuple[int, ...], mask: int, rid: int, wanted: DtNode | None
) -> tuple[int, DtNode | None, int]:
    """(errno, IOMMU node, stream id) of one id; without an entry for it the id itself."""
    masked = rid & mask
    for at in range(0, len(words), 4):
        base, phandle, output, length = words[at : at + 4]
        if base & ~mask & ALL_BITS:
            return -Errno.EFAULT, None, 0
        if not base <= masked < base + length:
            continue
        node = tree.by_phandle.get(phandle)
        if node is None:
            return -Errno.ENODEV, None, 0
        if wanted is not None and node is not wanted:
            continue
        return 0, node, masked - base + output & ALL_BITS
    return 0, wanted, rid


def translate_iort(iort: Iort, record: Record) -> tuple[int, Streams | None]:
    """The same from an IORT, which today's Xen on Arm does not use for PCI (XP-51): only the 2017
    protocol with ACPI. (0, streams), or -ENODEV (no root complex of the segment, or no SMMU). The
    IOMMU is named by its node's offset: `IORT+0x48`."""
    roots = [
        node
        for node in iort.nodes
        if isinstance(node.data, RootComplex) and node.data.segment == record.segment
    ]
    target: int | None = None
    ids: list[int] = []
    for devfn in record.functions():
        for root in roots[:1]:
            found = map_id(iort, root, record.bus << 8 | devfn, (NodeType.SMMU, NodeType.SMMU_V3))
            if found.node is not None:
                target = found.node.offset
                ids.append(found.id)
    if target is None:
        return -Errno.ENODEV, None
    return 0, Streams(iort_iommu(target), tuple(ids))


def iort_iommu(offset: int) -> str:
    """The name of the IORT node at an offset, as an IOMMU."""
    return f"IORT+{offset:#x}"
