"""From a requester id to a stream through `iommu-map`, as Xen reads it (§1.9).

Xen's `dt_map_id`: one output cell whatever the target says, and for phantom functions the entries
that name another IOMMU than the first function's are passed over.
"""

from __future__ import annotations

from rootplex.formats.acpi import IortType
from rootplex.formats.errno import Errno
from rootplex.readers.acpi.iort_facts import Iort, RootComplex
from rootplex.readers.acpi.iort_ids import map_id
from rootplex.readers.tree import DtNode, Tree
from rootplex.simulator.xen.records import Record, Streams

ALL_BITS = 0xFFFFFFFF


def translate(tree: Tree, bridge: DtNode, record: Record) -> tuple[int, Streams | None]:
    """(0, streams), or an error; `iommu_add_dt_pci_sideband_ids`.

    Errors: -EINVAL (length zero or not a multiple of 16 bytes; functions behind different IOMMUs),
    -EFAULT (an entry's base has bits outside the mask). No error is what leaves the function without
    streams, or without those of a phantom: no property, a phandle of no node, a disabled IOMMU. An id
    that no entry covers is taken as it is, behind no IOMMU.
    """
    value = bridge.properties.get("iommu-map")
    if value is None:
        return 0, None
    if not value or len(value) % 16:
        return -Errno.EINVAL, None
    words = bridge.cells("iommu-map") or ()
    mask = bridge.u32("iommu-map-mask")
    target: DtNode | None = None
    made: Streams | None = None
    for devfn in record.functions():
        rid = record.bus << 8 | devfn
        found = _lookup(tree, words, ALL_BITS if mask is None else mask, rid, target)
        if found is Errno.ENODEV:
            return 0, made
        if isinstance(found, Errno):
            return -found, None
        target, stream = found
        if target is not None and not target.is_enabled:
            continue
        path = None if target is None else target.path
        if made is not None and made.iommu != path:
            return -Errno.EINVAL, None
        made = Streams(path, (*(() if made is None else made.ids), stream))
    return 0, made


def _lookup(
    tree: Tree, words: tuple[int, ...], mask: int, rid: int, wanted: DtNode | None
) -> tuple[DtNode | None, int] | Errno:
    """`dt_map_id`: (IOMMU node, stream id) of one id; without an entry for it the id itself."""
    masked = rid & mask
    for at in range(0, len(words), 4):
        base, phandle, output, length = words[at : at + 4]
        if base & ~mask & ALL_BITS:
            return Errno.EFAULT
        if not base <= masked < base + length & ALL_BITS:
            continue
        node = tree.by_phandle.get(phandle)
        if node is None:
            return Errno.ENODEV
        if wanted is not None and node is not wanted:
            continue
        return node, masked - base + output & ALL_BITS
    return wanted, rid


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
            found = map_id(iort, root, record.bus << 8 | devfn, (IortType.SMMU, IortType.SMMU_V3))
            if found.node is not None:
                target = found.node.offset
                ids.append(found.id)
    if target is None:
        return -Errno.ENODEV, None
    return 0, Streams(iort_iommu(target), tuple(ids))


def iort_iommu(offset: int) -> str:
    """The name of the IORT node at an offset, as an IOMMU."""
    return f"IORT+{offset:#x}"
