"""IORT as `iasl -d` reads it, and its ids by Linux's walk (linux.md §3.3) over what iasl printed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace
from tests.acpica import Field, fields
from tests.backends import platforms

from rootplex.backends.acpi.iort import iort
from rootplex.backends.artifact import Artifact
from rootplex.backends.refusal import CannotCompile
from rootplex.model.bridge import AcpiView, HostBridge, IdMapEntry
from rootplex.model.controllers import DtNode, SmmuV2
from rootplex.model.numbers import BusRange
from rootplex.model.part import Places
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding
from rootplex.source.place import Span, TablePlace

ITS, ROOT_COMPLEX, SMMU_V2, SMMU_V3 = 0, 2, 3, 4
LOW, HIGH = BusRange(0, 0x3F), BusRange(0x40, 0x7F)


@dataclass
class Node:
    """One node of the printed table; `mappings` are (input base, count, output base, reference, single)."""

    offset: int
    fields: dict[str, Field] = field(default_factory=dict)
    mappings: list[tuple[int, ...]] = field(default_factory=list)

    def __getitem__(self, name: str) -> int:
        return self.fields[name].number


def table_of(platform: Platform) -> Artifact:
    table = iort(platform)
    assert table is not None
    return table


def nodes_of(table: Artifact) -> list[Node]:
    nodes: list[Node] = []
    mapping: list[int] = []
    for each in fields(table.data):
        if each.name == "Type":
            nodes.append(Node(each.offset))
        elif each.name == "Input base":
            mapping = [each.number]
        elif (
            each.name in ("ID Count", "Output Base", "Output Reference", "Flags (decoded below)") and mapping
        ):
            mapping.append(each.number)
            if len(mapping) == 5:
                nodes[-1].mappings.append(tuple(mapping))
                mapping = []
        if nodes:
            nodes[-1].fields.setdefault(each.name, each)
    return nodes


def of_type(platform: Platform, type: int) -> list[Node]:
    return [node for node in nodes_of(table_of(platform)) if node["Type"] == type]


def walk(table: Artifact, segment: int, rid: int, wanted: set[int]) -> tuple[int, int] | None:
    """(offset of the node, id) that a RID of a segment reaches; None where the way ends before."""
    nodes = {node.offset: node for node in nodes_of(table)}
    node = next(
        each
        for each in nodes.values()
        if each["Type"] == ROOT_COMPLEX and each["PCI Segment Number"] == segment
    )
    id = rid
    while node["Type"] not in wanted:
        skip = -1
        if node["Type"] == SMMU_V3 and node["Flags (decoded below)"] & 0x10:
            skip = node["Device ID Mapping Index"]
        hits = [
            (out if single else out + id - first, reference)
            for index, (first, count, out, reference, single) in enumerate(node.mappings)
            if index != skip and (single or first <= id <= first + count)
        ]
        if not hits:
            return None
        assert len(set(hits)) == 1
        id, reference = hits[0]
        node = nodes[reference]
    return node.offset, id


def two_bridges(**second: object) -> tuple[HostBridge, HostBridge]:
    first = platforms.host_bridge(bus_range=LOW)
    return first, platforms.host_bridge(**({"name": "second", "segment": 1, "bus_range": HIGH} | second))


def entries(*rows: tuple[int, int, int], target: str = "smmu", line: int = 50) -> tuple[IdMapEntry, ...]:
    """Rows of (rid, id, count), each with a line of its own."""
    return tuple(
        IdMapEntry(
            places=Places(Span("x.yaml", line + n, 1, line + n, 9)),
            rid=rid,
            id=id,
            count=count,
            target=target,
        )
        for n, (rid, id, count) in enumerate(rows)
    )


def refused(platform: Platform) -> list[Finding]:
    with pytest.raises(CannotCompile) as refusal:
        iort(platform)
    return list(refusal.value.findings)


def test_qemu_as_qemu_writes_it() -> None:
    """The values of QEMU 7.2's own table (hw/arm/virt-acpi-build.c) for gic-version=3,iommu=smmuv3."""
    table = table_of(platforms.platform())
    its, smmu, root_complex = nodes_of(table)
    assert (its["Type"], its["Revision"], its["ItsCount"], its["Identifiers"]) == (ITS, 1, 1, 0)
    assert (smmu["Type"], smmu["Base Address"]) == (SMMU_V3, 0x905_0000)
    assert smmu["Flags (decoded below)"] == 1
    lines = [smmu[f"{name} GSIV"] for name in ("Event", "PRI", "Sync", "GERR")]
    assert lines == [106, 107, 108, 109]
    assert smmu.mappings == [(0, 0xFFFF, 0, its.offset, 0)]
    assert root_complex["Type"] == ROOT_COMPLEX
    assert root_complex["Cache Coherency"] == 1
    assert root_complex["Memory Flags (decoded below)"] == 3
    assert root_complex["ATS Attribute"] == 0
    assert root_complex["PCI Segment Number"] == 0
    assert root_complex["Memory Size Limit"] == 64
    assert root_complex.mappings == [(0, 0xFFFF, 0, smmu.offset, 0)]


def test_lengths_counts_and_offsets_fit() -> None:
    table = table_of(platforms.platform(*two_bridges()))
    head = {each.name: each.number for each in fields(table.data) if each.offset in (0x24, 0x28)}
    nodes = nodes_of(table)
    assert head == {"Node Count": len(nodes), "Node Offset": nodes[0].offset}
    ends = [node.offset + node["Length"] for node in nodes]
    assert ends == [*(node.offset for node in nodes[1:]), len(table.data)]
    assert [node["Mapping Count"] for node in nodes] == [len(node.mappings) for node in nodes]


def test_a_root_complex_a_segment() -> None:
    first, second = two_bridges(segment=0)
    third = platforms.host_bridge(name="third", segment=None, bus_range=BusRange(0x80, 0x80))
    fourth = platforms.host_bridge(name="fourth", segment=9, bus_range=HIGH)
    platform = platforms.platform(first, second, third, fourth)
    found = of_type(platform, ROOT_COMPLEX)
    assert [node["PCI Segment Number"] for node in found] == [0, 9]
    assert [row[:3] for row in found[0].mappings] == [
        (0, 0x3FFF, 0),
        (0x4000, 0x3FFF, 0x4000),
        (0x8000, 0xFF, 0x8000),
    ]


def test_a_map_is_cut_to_the_buses_of_its_bridge() -> None:
    every_rid = platforms.iommu(entries=entries((0, 0x1_0000, 0x1_0000)))
    bridge = platforms.host_bridge(bus_range=HIGH, iommu=every_rid, msi=None)
    (node,) = of_type(platforms.platform(bridge), ROOT_COMPLEX)
    assert [row[:3] for row in node.mappings] == [(0x4000, 0x3FFF, 0x1_4000)]


def test_stream_and_device_ids_of_a_real_board() -> None:
    """X13s (corpus facts): segment N: RID → StreamID (N << 16) + RID, DeviceID = 0x80000 + that."""
    bridges = []
    for segment in range(7):
        base, buses = segment << 16, BusRange(0, 1)
        bridges.append(
            platforms.host_bridge(
                name=f"pcie{segment}",
                segment=segment,
                bus_range=buses,
                iommu=platforms.iommu(entries=entries((0, base, 0x1_0000))),
                msi=platforms.msi(entries=entries((0, 0x8_0000 + base, 0x1_0000), target="its")),
            )
        )
    table = table_of(platforms.platform(*bridges))
    its, smmu = nodes_of(table)[:2]
    for segment in range(7):
        for rid in (0, 0x100, 0x1FF):
            stream = (segment << 16) + rid
            assert walk(table, segment, rid, {SMMU_V3}) == (smmu.offset, stream)
            assert walk(table, segment, rid, {ITS}) == (its.offset, 0x8_0000 + stream)
        assert walk(table, segment, 0x200, {ITS}) is None


def test_without_an_smmu_messages_go_to_the_its_directly() -> None:
    bridge = platforms.host_bridge(
        iommu=None, msi=platforms.msi(entries=entries((0, 0x100, 0x8000), target="its"))
    )
    table = table_of(platforms.platform(bridge))
    its = nodes_of(table)[0]
    assert walk(table, 0, 0x7FFF, {ITS}) == (its.offset, 0x80FF)
    assert walk(table, 0, 0x8000, {ITS}) is None
    assert walk(table, 0, 0, {SMMU_V3}) is None


def test_rids_without_a_stream_go_to_the_its_directly() -> None:
    bridge = platforms.host_bridge(
        bus_range=LOW, iommu=platforms.iommu(entries=entries((0x100, 0, 0x100), (0x300, 0x100, 0x100)))
    )
    bridge = replace(bridge, msi=platforms.msi(entries=entries((0, 0, 0x4000), target="its")))
    streams = {rid: rid - 0x100 if rid < 0x200 else rid - 0x200 for rid in (0x100, 0x1FF, 0x300, 0x3FF)}
    table = table_of(platforms.platform(bridge))
    its, smmu = nodes_of(table)[:2]
    for rid in (0, 0xFF, 0x100, 0x1FF, 0x200, 0x2FF, 0x300, 0x3FF, 0x400, 0x3FFF):
        assert walk(table, 0, rid, {ITS}) == (its.offset, rid)
        expected = (smmu.offset, streams[rid]) if rid in streams else None
        assert walk(table, 0, rid, {SMMU_V3}) == expected


def test_two_bridges_may_say_the_same_of_a_stream() -> None:
    """LX2160A: only RID 0 has a StreamID, 0 on every bridge."""
    placeholder = platforms.iommu(entries=entries((0, 0, 1)))
    bridges = [
        platforms.host_bridge(name=f"b{n}", segment=n, iommu=placeholder, msi=platforms.msi())
        for n in range(3)
    ]
    platform = platforms.platform(*bridges)
    (smmu,) = of_type(platform, SMMU_V3)
    assert [row[:3] for row in smmu.mappings] == [(0, 0, 0)]
    assert walk(table_of(platform), 2, 1, {ITS}) is not None


def test_partly_equal_streams() -> None:
    first, second = two_bridges(
        iommu=platforms.iommu(entries=entries((0x4000, 0x3F00, 0x1000))),
        msi=platforms.msi(entries=entries((0x4000, 0x3F00, 0x1000), target="its")),
    )
    (smmu,) = of_type(platforms.platform(first, second), SMMU_V3)
    assert [row[:3] for row in smmu.mappings] == [(0, 0x3FFF, 0), (0x4000, 0xEFF, 0x4000)]


def test_a_stream_with_two_device_ids_is_refused_at_the_later_msi_entry() -> None:
    rows = entries((0x4000, 0x9000, 0x4000), target="its", line=70)
    first, second = two_bridges(
        iommu=platforms.iommu(entries=entries((0x4000, 0, 0x4000))),
        msi=platforms.msi(entries=rows),
    )
    mine = entries((0, 0, 0x4000), target="its", line=60)
    first = replace(first, msi=platforms.msi(entries=mine))
    (finding,) = refused(platforms.platform(first, second))
    assert finding.code == "RPX0706"
    assert {finding.at, finding.related[0].at} == {rows[0].at(), mine[0].at()}
    assert finding.subject == "second"


def test_a_stream_of_many_rids_with_many_device_ids_is_refused() -> None:
    bridge = platforms.host_bridge(iommu=platforms.iommu(entries=entries((0, 7, 1)), mask=0))
    (finding,) = refused(platforms.platform(bridge))
    assert finding.code == "RPX0706"
    assert "StreamID 0x7 of smmu" in finding.message


def test_one_id_for_everything_is_a_single_mapping() -> None:
    """Juno: iommu-map <0 smmu 0 1>, mask 0; its MSIs are no ITS's."""
    bridge = platforms.host_bridge(iommu=platforms.iommu(entries=entries((0, 5, 1)), mask=0), msi=None)
    platform = platforms.platform(bridge)
    (node,) = of_type(platform, ROOT_COMPLEX)
    assert [(row[1], row[2], row[4]) for row in node.mappings] == [(0, 5, 1)]
    assert walk(table_of(platform), 0, 0xFFFF, {SMMU_V3}) is not None


def test_one_id_for_some_buses_of_a_segment_is_a_mapping_each() -> None:
    first, second = two_bridges(
        segment=0,
        bus_range=BusRange(0x40, 0x40),
        iommu=platforms.iommu(entries=entries((0, 0x9000, 1)), mask=0),
        msi=None,
    )
    platform = platforms.platform(first, second)
    (node,) = of_type(platform, ROOT_COMPLEX)
    assert len(node.mappings) == 1 + 256
    table = table_of(platform)
    smmu = nodes_of(table)[1]
    assert walk(table, 0, 0x40FF, {SMMU_V3}) == (smmu.offset, 0x9000)
    assert walk(table, 0, 0x3FFF, {SMMU_V3}) == (smmu.offset, 0x3FFF)


def test_a_mask_is_expanded() -> None:
    masked = platforms.iommu(entries=entries((0, 0x100, 0x100)), mask=0xFF)
    platform = platforms.platform(platforms.host_bridge(iommu=masked, msi=None))
    (node,) = of_type(platform, ROOT_COMPLEX)
    assert [row[:3] for row in node.mappings] == [(bus << 8, 0xFF, 0x100) for bus in range(256)]


@pytest.mark.parametrize("mask", [0xFFF8, 0xFF00])
def test_a_mask_that_scatters_is_refused(mask: int) -> None:
    places = platforms.places("mask", whole=30)
    scattered = replace(platforms.iommu(mask=mask), places=places)
    findings = refused(platforms.platform(platforms.host_bridge(iommu=scattered, msi=None)))
    assert [finding.code for finding in findings] == ["RPX0707"]


def test_ids_beyond_32_bits_are_refused() -> None:
    rows = entries((0, 0xFFFF_FFF0, 0x1_0000))
    bridge = platforms.host_bridge(iommu=platforms.iommu(entries=rows), msi=None)
    (finding,) = refused(platforms.platform(bridge))
    assert (finding.code, finding.at) == ("RPX0708", rows[0].at())


def test_bridges_of_one_segment_must_agree() -> None:
    places = platforms.places("dma_coherent", whole=10)
    first, second = two_bridges(segment=0, dma_coherent=False)
    first = replace(first, iommu=platforms.iommu(bus_range=LOW, ats=True, pri=True))
    findings = refused(platforms.platform(first, replace(second, places=places)))
    assert [finding.code for finding in findings] == ["RPX0704", "RPX0705", "RPX0705"]
    assert findings[0].at == places.fields["dma_coherent"]
    agreeing = platforms.platform(first, replace(second, segment=1))
    ats = [node["ATS Attribute"] for node in of_type(agreeing, ROOT_COMPLEX)]
    coherent = [node["Memory Flags (decoded below)"] for node in of_type(agreeing, ROOT_COMPLEX)]
    assert (ats, coherent) == ([3, 0], [3, 0])


def test_bridges_without_an_iommu_have_no_say_in_ats() -> None:
    first, second = two_bridges(segment=0, iommu=None)
    first = replace(first, iommu=platforms.iommu(bus_range=LOW, ats=True))
    (node,) = of_type(platforms.platform(second, first), ROOT_COMPLEX)
    assert node["ATS Attribute"] == 1


def test_smmu_v3_with_messages_of_its_own() -> None:
    unit = platforms.smmu(msi_controller="its", device_id=0x1_0000, priq=None)
    platform = platforms.platform(iommus=(unit,))
    table = table_of(platform)
    its, smmu, _ = nodes_of(table)
    assert smmu["Revision"] == 5
    assert smmu["PRI GSIV"] == 0
    assert smmu["Flags (decoded below)"] == 0x11
    own = smmu.mappings[smmu["Device ID Mapping Index"]]
    assert own == (0, 0, 0x1_0000, its.offset, 1)
    assert walk(table, 0, 0x1234, {ITS}) == (its.offset, 0x1234)


def test_smmu_v3_without_all_lines_and_without_messages_has_no_special_mapping() -> None:
    """A revision below 5 would take mapping 0 for the unit's own MSIs here (linux.md §3.3)."""
    platform = platforms.platform(iommus=(platforms.smmu(priq=None),))
    (smmu,) = of_type(platform, SMMU_V3)
    assert (smmu["Revision"], smmu["Flags (decoded below)"]) == (5, 1)


@pytest.mark.parametrize(
    ("model", "number"), [("smmu-v1", 0), ("smmu-v2", 1), ("mmu-400", 2), ("mmu-500", 3), ("mmu-401", 4)]
)
def test_the_model_of_an_smmu_of_version_1_or_2(model: str, number: int) -> None:
    """The numbers of Arm DEN0049 E.f §3.1.1.1; ACPICA's actbl2.h has the same (ACPI_IORT_SMMU_V1 …)."""
    unit = SmmuV2(
        name="smmu", base=0xE060_0000, size=0x1_0000, interrupts=(73,), stream_id_bits=15, model=model
    )
    (smmu,) = of_type(platforms.platform(iommus=(unit,)), SMMU_V2)
    assert smmu["Model"] == number


@pytest.mark.parametrize(
    ("interrupts", "expected", "contexts"),
    [((73, 74, 75), 105, [106, 107]), ((73,), 105, [105]), ((), 0, [])],
)
def test_smmu_v2(interrupts: tuple[int, ...], expected: int, contexts: list[int]) -> None:
    unit = SmmuV2(name="smmu", base=0xE060_0000, size=0x1_0000, interrupts=interrupts, stream_id_bits=15)
    table = table_of(platforms.platform(iommus=(unit,)))
    its, smmu, _ = nodes_of(table)
    assert (smmu["Type"], smmu["Base Address"], smmu["Span"]) == (SMMU_V2, 0xE060_0000, 0x1_0000)
    assert smmu["Model"] == 1
    assert smmu["NSgIrpt"] == expected
    printed = [each for each in fields(table.data) if each.name == "Context Interrupt"]
    assert [each.number & 0xFFFF_FFFF for each in printed] == contexts
    assert smmu.mappings == [(0, 0xFFFF, 0, its.offset, 0)]


def test_what_acpi_does_not_know_is_left_out() -> None:
    vendor = DtNode(
        name="smmu", compatible=("vendor,smmu",), base=None, size=None, cells=None,
        address_cells=None, interrupts=(), controller=None, parent=None,
    )  # fmt: skip
    table = table_of(platforms.platform(iommus=(vendor,)))
    assert [node["Type"] for node in nodes_of(table)] == [ITS, ROOT_COMPLEX]
    assert walk(table, 0, 0x55, {ITS}) == (nodes_of(table)[0].offset, 0x55)
    disabled = platforms.platform(
        msi_controllers=(platforms.its(enabled=False),), iommus=(platforms.smmu(enabled=False),)
    )
    assert [(node["Type"], node.mappings) for node in nodes_of(table_of(disabled))] == [(ROOT_COMPLEX, [])]


def test_several_controllers_and_units() -> None:
    first, second = two_bridges(
        msi=platforms.msi("its1", HIGH, entries=platforms.identity("its1", HIGH)),
        iommu=platforms.iommu("smmu1", HIGH, entries=platforms.identity("smmu1", HIGH)),
    )
    platform = platforms.platform(
        first,
        second,
        msi_controllers=(platforms.its(id=4), platforms.its(name="its1", id=9)),
        iommus=(platforms.smmu(), platforms.smmu(name="smmu1", base=0x4000_0000)),
    )
    table = table_of(platform)
    nodes = nodes_of(table)
    assert [node["Identifiers"] for node in nodes[:2]] == [4, 9]
    assert walk(table, 1, 0x4100, {ITS}) == (nodes[1].offset, 0x4100)
    assert walk(table, 1, 0x4100, {SMMU_V3}) == (nodes[3].offset, 0x4100)
    assert walk(table, 0, 0x100, {ITS}) == (nodes[0].offset, 0x100)


def test_where_there_is_no_iort() -> None:
    assert iort(platforms.platform(arch="x86_64")) is None
    assert iort(platforms.platform(platforms.host_bridge(enabled=False))) is None
    assert iort(platforms.platform(platforms.host_bridge(acpi=AcpiView(present=False)))) is None


def test_places_of_the_fields_by_the_offsets_that_iasl_prints() -> None:
    places = platforms.places("segment", "dma_coherent")
    rows = entries((0, 0, 0x4000))
    smmu_places = platforms.places("base", "interrupts.eventq", whole=90)
    bridge = replace(platforms.host_bridge(bus_range=LOW), places=places)
    bridge = replace(bridge, iommu=platforms.iommu(entries=rows))
    unit = replace(platforms.smmu(), places=smmu_places)
    table = table_of(platforms.platform(bridge, iommus=(unit,)))
    _, smmu, root_complex = nodes_of(table)

    def source(line: Field) -> object:
        return table.places.source(TablePlace("iort.aml", "IORT", line.offset, line.size))

    assert source(root_complex.fields["PCI Segment Number"]) == places.fields["segment"]
    assert source(root_complex.fields["Cache Coherency"]) == places.fields["dma_coherent"]
    assert source(root_complex.fields["ID Count"]) == rows[0].at()
    assert source(smmu.fields["Base Address"]) == smmu_places.fields["base"]
    assert source(smmu.fields["Event GSIV"]) == smmu_places.fields["interrupts.eventq"]
    assert source(smmu.fields["Model"]) == smmu_places.whole


def test_twice_the_same_bytes() -> None:
    assert iort(platforms.platform(*two_bridges())) == iort(platforms.platform(*two_bridges()))
