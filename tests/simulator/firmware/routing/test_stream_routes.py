"""Requester ids to streams: linux.md §1.10, §3.3, §5.4, §11.6, and DMAR's scopes."""

from __future__ import annotations

import struct

import pytest
from tests.simulator.firmware.routing.routing_firmware import (
    ITS_AT,
    NODE,
    SMMU,
    SMMU_AT,
    Mapping,
    Scanned,
    acpi,
    device_tree,
    dmar,
    drhd,
    iort,
    scope,
    table,
)
from tests.simulator.groups.pci_trees import FULL, PciTree, pages, partition, pci_bridge

from rootplex.readers.acpi.header import Table
from rootplex.report.causes import because
from rootplex.simulator.firmware.facts import Firmware
from rootplex.simulator.firmware.routing.aliases import dma_aliases, requester_id
from rootplex.simulator.firmware.routing.routes import DeviceStreams
from rootplex.simulator.firmware.routing.stream import StreamRouter
from rootplex.simulator.function import PCI_TO_PCIE, Function
from rootplex.simulator.groups.dom0 import group_streams
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.inputs import Settings
from rootplex.source.place import DtPlace


def by_dt(tree: PciTree, bridge: str, name: str, *, smmu: str = "") -> DeviceStreams:
    firmware = device_tree(bridge, smmu=smmu)
    return StreamRouter(Scanned(tree.functions), firmware).streams(tree[name])


def one(dev: int = 1) -> PciTree:
    tree = PciTree()
    tree.add("A", tree.root, dev)
    return tree


def test_a_map_entry_gives_the_stream_and_its_place() -> None:
    found = by_dt(one(2), "iommu-map = <0 &smmu 0x100 0x10>, <0x10 &smmu 0x800 0x10>;", "A")
    assert (SMMU, "smmu-v3", 0x9050000) == (
        found.own.unit and found.own.unit.name,
        found.own.unit and found.own.unit.kind,
        found.own.unit and found.own.unit.base,
    )
    assert (0x10, 0x800) == (found.own.rid, found.own.id)
    assert DtPlace("x.dtb", NODE, "iommu-map", 4) == found.own.place
    assert found.unit == found.own.unit


def test_the_mask_is_applied_first() -> None:
    found = by_dt(one(2), "iommu-map = <0 &smmu 0x100 0x10>; iommu-map-mask = <0xff0f>;", "A")
    assert 0x100 == found.own.id


@pytest.mark.parametrize(
    ("bridge", "smmu", "reason"),
    [
        ("", "", "no iommu-map"),
        ("iommu-map = <0 &smmu 0 8>;", "", "no entry covers 0x8"),
        ("iommu-map = <0 &smmu 0 0x10000>;", 'status = "disabled";', "is disabled"),
        ("iommu-map = <8 &smmu 8 8>; iommu-map-mask = <0xff00>;", "", "outside the mask"),
        ("iommu-map = <0 0x7777 0 0x10000>;", "", "no node has phandle"),
    ],
)
def test_why_there_is_no_iommu(bridge: str, smmu: str, reason: str) -> None:
    found = by_dt(one(), bridge, "A", smmu=smmu)
    assert (None, None) == (found.unit, found.own.unit)
    assert found.cause is not None
    assert reason in because(found.cause)
    assert found.place is not None


def test_all_aliases_must_be_mapped() -> None:
    """The bridge's secondary<<8 is left out: the functions behind it have no IOMMU."""
    tree = PciTree()
    pci_bridge(tree)
    bridge = "iommu-map = <0 &smmu 0 0x200>, <0x201 &smmu 0x201 0x1000>;"
    found = by_dt(tree, bridge, "P1")
    assert found.own.id == tree["P1"].rid
    assert found.unit is None
    assert found.cause is not None
    assert "alias 0x0200" in because(found.cause)
    assert by_dt(tree, bridge, "BR").unit is not None


def test_aliases_of_bridges() -> None:
    """§5.4: PCIe-to-PCI: secondary<<8; PCI-to-PCIe and conventional bridges: their own id."""
    tree = PciTree()
    conventional = pci_bridge(tree)
    inner = tree.bridge("PB", conventional, 3, type=None)
    express = tree.bridge("X", inner, 0, type=PCI_TO_PCIE)
    deep = tree.add("D", express, 0, aliases=(1,))
    assert dma_aliases(deep) == (
        (deep, deep.rid),
        (deep, express.number << 8 | 1),
        (tree["X"], tree["X"].rid),
        (tree["PB"], tree["PB"].rid),
        (tree["BR"], 0x200),
    )
    assert requester_id(deep) == 0x200
    assert requester_id(tree["P1"]) == 0x200
    assert requester_id(tree["RP"]) == tree["RP"].rid


def test_a_fixed_alias_does_not_change_the_id_of_messages() -> None:
    tree = PciTree()
    function = tree.add("A", tree.root, 1, aliases=(9,))
    assert requester_id(function) == function.rid


# §11.6: mappings, RID, StreamID (None: unmapped).
IORT_VECTORS: list[tuple[list[Mapping], int, int | None]] = [
    ([(0, 0xFFFF, 0, SMMU_AT, 0)], 0xFFFF, 0xFFFF),
    ([(0, 0x100, 0, SMMU_AT, 0), (0x100, 0xFF, 0x1000, SMMU_AT, 0)], 0x100, 0x1000),
    ([(0, 0xFE, 0, SMMU_AT, 0)], 0xFF, None),
    ([(0, 0x100, 0, SMMU_AT, 0)], 0x100, 0x100),
]


@pytest.mark.parametrize(("mappings", "rid", "stream"), IORT_VECTORS)
def test_streams_by_iort(mappings: list[Mapping], rid: int, stream: int | None) -> None:
    tree = PciTree()
    tree.root.number = rid >> 8
    function = tree.add("A", tree.root, rid >> 3 & 0x1F, rid & 7)
    firmware = acpi(iort(mappings))
    found = StreamRouter(Scanned(tree.functions), firmware).streams(function)
    assert (stream, stream is None) == (found.own.id, found.cause is not None)
    if stream is not None:
        assert (("smmu-v3", 0x9050000)) == (found.unit and found.unit.kind, found.unit and found.unit.base)
        assert found.place == found.own.steps[-1].place


def test_iort_goes_by_segment_only() -> None:
    firmware = acpi(iort([(0, 0xFFFF, 0, SMMU_AT, 0)], segment=1))
    tree = one()
    found = StreamRouter(Scanned(tree.functions), firmware).streams(tree["A"])
    assert found.cause is not None
    assert "no root complex node for segment 0x0000" in because(found.cause)


def test_an_older_smmu_by_iort() -> None:
    firmware = acpi(iort([(0, 0xFFFF, 0, SMMU_AT, 0)], type=3))
    tree = one()
    found = StreamRouter(Scanned(tree.functions), firmware).streams(tree["A"])
    assert "smmu-v2" == (found.unit and found.unit.kind)


def unit_base(streams: DeviceStreams) -> int | None:
    return None if streams.unit is None else streams.unit.base


def test_dmar_scopes() -> None:
    """The first unit that names a function or a bridge above it; else the one for all the rest."""
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 1, acs=FULL)
    tree.add("EP", below, 0)
    physical = tree.add("PF", tree.root, 2)
    tree.virtual("VF", physical, tree.root, 0x18)
    tree.add("X", tree.root, 4)
    deep = tree.bridge("RP2", tree.root, 5, acs=FULL)
    tree.add("N", deep, 3)
    tree.add("M", deep, 4)
    table = dmar(
        drhd(0x1000, scope(2, 0, (1, 0))),
        drhd(0x2000, scope(1, 0, (2, 0)), scope(1, 0, (5, 0), (3, 0))),
        drhd(0x9000, all=True),
    )
    router = StreamRouter(Scanned(tree.functions), acpi(table))
    bases = {f.page: unit_base(router.streams(f)) for f in tree.functions}
    expected = dict.fromkeys(("RP", "EP"), 0x1000) | dict.fromkeys(("PF", "VF", "N"), 0x2000)
    assert bases == expected | dict.fromkeys(("X", "RP2", "M"), 0x9000)
    assert router.streams(tree["EP"]).own.id == tree["EP"].rid


def test_dmar_without_a_unit_for_the_rest() -> None:
    tree = one()
    table = dmar(drhd(0x9000, all=True, segment=1))
    found = StreamRouter(Scanned(tree.functions), acpi(table)).streams(tree["A"])
    assert found.unit is None
    assert found.cause is not None
    assert "segment 0x0000" in because(found.cause)


def test_registers_of_one_unit_in_two_segments_end_dmar() -> None:
    """A boot of 6.1: "DMAR: Can't reserve memory", "Parse DMAR table failure", and no groups at all."""
    tree = one()
    table = dmar(drhd(0x9000, all=True), drhd(0x9000, all=True, segment=1))
    found = StreamRouter(Scanned(tree.functions), acpi(table)).streams(tree["A"])
    assert found.unit is None
    assert found.cause is not None
    assert "0x9000" in because(found.cause)


@pytest.mark.parametrize(
    ("made", "base"),
    [
        (dmar(drhd(0x9000, all=True)), 0x9000),
        (dmar(drhd(0x9000, all=True), width=11), 0x9000),
        (dmar(drhd(0x9000, all=True), width=10), None),
        (dmar(drhd(0x9000, all=True), drhd(0, segment=1)), None),
    ],
)
def test_of_a_dmar_that_linux_drops_nothing_is_left(made: Table, base: int | None) -> None:
    """`parse_dmar_table`: "Invalid DMAR haw" below a page's bits less one; `dmar_validate_one_drhd`: a unit
    of any segment at 0."""
    tree = one()
    assert base == unit_base(StreamRouter(Scanned(tree.functions), acpi(made)).streams(tree["A"]))


def viot(*nodes: bytes) -> Table:
    """Of nodes from 48 on (ACPI 6.5 §5.2.31)."""
    return table("VIOT", 0, struct.pack("<HHQ", len(nodes), 48, 0) + b"".join(nodes))


def virtio(rid: int) -> bytes:
    return struct.pack("<BBHHH8x", 3, 0, 16, 0, rid)


def all_to(unit: int, endpoint: int) -> bytes:
    """All of bus 0 to the unit at an offset."""
    return struct.pack("<BBHIHHHHH6x", 1, 0, 24, endpoint, 0, 0, 0, 0xFF, unit)


def test_of_viots_ranges_the_last_whose_unit_is_there_counts() -> None:
    """`viot_parse_node`: "Could not find PCI IOMMU" leaves the range out; a unit does not translate itself
    (`viot_dev_iommu_init`)."""
    tree = one()
    unit = tree.add("U", tree.root, 2)
    lost, there = virtio(0x18), virtio(unit.rid)
    firmware = acpi(viot(lost, there, all_to(64, 0x1000), all_to(48, 0x2000)))
    router = StreamRouter(Scanned(tree.functions), firmware)
    assert router.streams(tree["A"]).own.id == 0x1000 + tree["A"].rid
    assert router.streams(unit).unit is None
    alone = StreamRouter(Scanned(tree.functions), acpi(viot(lost, there, all_to(48, 0x2000))))
    assert alone.streams(tree["A"]).unit is None


def test_where_iort_leads_to_an_smmu_viot_is_not_asked() -> None:
    tree = one()
    unit = tree.add("U", tree.root, 2)
    listed = viot(virtio(unit.rid), all_to(48, 0))
    for mapping, found in (((0x100, 0, 0, SMMU_AT, 0), False), ((0, 0xFFFF, 0, ITS_AT, 0), True)):
        router = StreamRouter(Scanned(tree.functions), acpi(listed, iort([mapping])))
        assert (router.streams(tree["A"]).unit is not None) is found


def test_a_unit_of_rimt_that_waits_for_itself_never_comes_up() -> None:
    """`rimt_iommu_xlate`: its driver is deferred for the IOMMU that it is to make."""
    tree = one()
    unit = tree.add("U", tree.root, 2)
    node = struct.pack("<BBHHH8sQIIHHHH", 0, 1, 40, 0, 0, b"00010014", 0, 1, 0, 0, unit.rid, 0, 40)
    for first, up in ((0, False), (unit.rid + 1, True)):
        mapping = struct.pack("<IIIII", first, 0xFF, 0, 48, 0)
        root = struct.pack("<BBHHHIHHHH", 1, 1, 40, 0, 0, 0, 0, 0, 20, 1) + mapping
        rimt = table("RIMT", 1, struct.pack("<III", 2, 48, 0) + node + root)
        router = StreamRouter(Scanned(tree.functions), acpi(rimt))
        assert (len(router.units), router.streams(unit).unit) == (int(up), None)


def grouped(tree: PciTree, firmware: Firmware) -> Grouping:
    scan = Scanned(tree.functions)
    return group_streams(scan, StreamRouter(scan, firmware).streams, Settings(arch="arm64", firmware="dt"))


def functions_in(tree: PciTree, names: str) -> list[Function | None]:
    return [tree[name] for name in names.split()]


def test_from_bytes_to_groups() -> None:
    """A port left out of iommu-map: no group for it, and a hazard for what is below it."""
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 1)
    tree.add("A", below, 0)
    tree.add("B", below, 0, 1)
    whole = device_tree("iommu-map = <0 &smmu 0 0x10000>;")
    assert partition("{RP,A,B}") == pages(grouped(tree, whole))
    partial = device_tree("iommu-map = <0x100 &smmu 0x100 0xff00>;")
    grouping = grouped(tree, partial)
    assert partition("{A} {B}") == pages(grouping)
    assert functions_in(tree, "RP") == [reason.function for reason in grouping.ungrouped]
    assert functions_in(tree, "RP") == [reason.function for reason in grouping.hazards]


def test_units_in_the_order_in_which_linux_registers_them() -> None:
    """Nodes in document order, SMMUv2's driver before SMMUv3's; of DMAR the last that names devices is first
    (`dmar_register_drhd_unit`), and the one of all the rest last."""
    later = """}; smmuv3@1000 { compatible = "arm,smmu-v3"; reg = <0 0x1000 0 0x20000>; #iommu-cells = <1>; };
        iommu@5000 { compatible = "arm,mmu-500"; reg = <0 0x5000 0 0x1000>; #iommu-cells = <1>; """
    by_tree = StreamRouter(Scanned([]), device_tree(smmu=later))
    assert [unit.name for unit in by_tree.units] == ["/iommu@5000", "/smmuv3@9050000", "/smmuv3@1000"]
    tables = acpi(dmar(drhd(0x1000, all=True), drhd(0x2000, scope(1, 0, (1, 0))), drhd(0x3000)))
    by_table = StreamRouter(Scanned([]), tables)
    assert [unit.base for unit in by_table.units] == [0x3000, 0x2000, 0x1000]
