"""RIMT read and written: QEMU 11's own tables, bytes by ACPICA's actbl2.h, and what Linux makes of them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests import newer_iasl
from tests.checks.cases import findings_of

from rootplex.backends.acpi.rimt import rimt
from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import read_source
from rootplex.model.controllers import RiscvIommu
from rootplex.model.platform import Platform
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.rimt import Rimt, read_rimt
from rootplex.simulator.boots.outcome import Outcome
from rootplex.source.finding import Finding
from rootplex.source.place import TablePlace
from rootplex.tools.runner import ToolError

# -M virt,aia=aplic-imsic,iommu-sys=on, and -device riscv-iommu-pci,addr=1: what fw_cfg has.
QEMU_OWN = """
52494d54800000000100424f43485320 42585043202020200100000042585043 01000000020000003000000000000000
00012800000000005253435630303034 00000103000000000000000000000000 00000000000028000101280000000100
00000000000000001400010000000000 00000100000000003000000000000000"""
QEMU_FUNCTION = """
52494d54800000000100424f43485320 42585043202020200100000042585043 01000000020000003000000000000000
00012800000000003030313030303134 00000000000000000100000000000000 00000800000028000101280000000100
00000000000000001400010009000000 f7ff0000090000003000000000000000"""

TEXT = """\
rootplex: 1
platform: {name: rimt, arch: riscv64, firmware: [dt, acpi]}
iommus:
  - {name: own, kind: riscv-iommu, base: 0x301_0000, interrupts: [36, 37]}
  - {name: function, kind: riscv-iommu, parent: second, dev: 1}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0x3000_0000}
    windows: [{space: mem32, pci: 0x40000000, size: 256MiB}]
    iommu: {unit: own, ats: true, map: [{rid: 0, id: 0x10000, count: 0x4000}]}
    devices: [{name: rp, dev: 3, type: root-port, acs: true, devices: [{name: disk, dev: 0}]}]
  - name: second
    segment: 1
    bus_range: [0x40, 0x7f]
    config: {base: 0x3400_0000}
    windows: [{space: mem32, pci: 0x50000000, size: 256MiB}]
    iommu:
      unit: function
      map: [{rid: 0x4009, id: 0x4009, count: 0x3ff7}]
    devices:
      - {name: unit, dev: 1, id: "1b36:0014", class: 0x080600, type: integrated-endpoint}
      - {name: port, dev: 2, type: root-port, acs: true, devices: [{name: nic, dev: 0}]}
xen: false
"""


def read(data: bytes) -> Rimt:
    return read_rimt(read_table(data, "rimt.dat"))


def of(text: str = TEXT, firmware: str = "acpi") -> Outcome:
    done = examine(read_checked(text.encode(), "x.yaml"), RunOptions(firmware=firmware))  # type: ignore[arg-type]
    assert done.outcome is not None
    return done.outcome


def written() -> bytes:
    platform = read_checked(TEXT.encode(), "x.yaml").platform
    assert platform is not None
    made = rimt(platform)
    assert made is not None
    return made.data


def test_qemus_own_tables_are_read() -> None:
    own, function = (read(bytes.fromhex(text)) for text in (QEMU_OWN, QEMU_FUNCTION))
    # firmware makes the sums, as QEMU tells it to
    assert {"checksum"} == {each.kind for each in (*own.problems, *function.problems)}
    assert [(0x30, None, 0x301_0000)] == [(each.offset, each.rid, each.base) for each in own.units]
    assert [(0, [(0, 0x1_0000, 0, 0x30)])] == [
        (root.segment, [(each.first, each.count, each.id, each.unit) for each in root.mappings])
        for root in own.roots
    ]
    assert [(0, 8, None)] == [(each.segment, each.rid, each.base) for each in function.units]
    assert [(9, 0xFFF7, 9, 0x30)] == [
        (each.first, each.count, each.id, each.unit) for each in function.roots[0].mappings
    ]


def test_what_is_written_is_the_description() -> None:
    table = read(written())
    assert table.problems == ()
    assert [(None, None, 0x301_0000), (1, 0x4008, None)] == [
        (each.segment, each.rid, each.base) for each in table.units
    ]
    own, function = (each.offset for each in table.units)
    assert [(0, True, [(0, 0x4000, 0x1_0000, own)]), (1, False, [
            (0x4009, 0x3FF7, 0x4009, function)])] == [
        (root.segment, root.ats, [(each.first, each.count, each.id, each.unit) for each in root.mappings])
        for root in table.roots
    ]  # fmt: skip


def test_iasl_reads_the_same() -> None:
    """Debian 13's knows the table, but for the wires behind an IOMMU's node."""
    try:
        newer_iasl.command()
    except ToolError as error:
        pytest.skip(str(error))
    listed = newer_iasl.fields(written())
    first, function, roots = (
        [[each.text for each in node if each.name in names] for node in newer_iasl.structures(listed, "Type")]
        for names in (
            ("Hardware ID", "Base Address", "Flags", "Number of interrupt wires"),
            ("PCIe Segment number", "PCIe B/D/F"),
            ("PCIe Segment number", "Source ID Base", "Number of IDs", "Destination Device ID Base",
             "Destination IOMMU Offset"),
        )
    )  # fmt: skip
    assert first[0] == ['"RSCV0004"', "0000000003010000", "00000000", "0002"]
    assert function[1] == ["0001", "4008"]
    assert roots[2:] == [
        ["0000", "00000000", "00004000", "00010000", "00000030"],
        ["0001", "00004009", "00003FF7", "00004009", "00000068"],
    ]


def test_groups_by_rimt_are_those_of_the_tree() -> None:
    by_acpi, by_tree = of(), of(firmware="dt")
    groups = [{each.sbdf: each.group for each in outcome.dom0.functions} for outcome in (by_acpi, by_tree)]
    assert [key for key, group in groups[0].items() if group is None] == ["0001:40:01.0"]
    assert [group is None for group in groups[0].values()] == [group is None for group in groups[1].values()]
    streams = [
        {each.sbdf: outcome.streams[each].own.id for each in outcome.dom0.functions}
        for outcome in (by_acpi, by_tree)
    ]
    assert streams[0] == streams[1]
    assert 0x1_0100 == streams[0]["0000:01:00.0"]


def node(type: int, body: bytes) -> bytes:
    return struct.pack("<BBHHH", type, 1, 8 + len(body), 0, 0) + body


def table(*nodes: bytes) -> Rimt:
    body = struct.pack("<III", len(nodes), 48, 0) + b"".join(nodes)
    head = struct.pack("<4sIBB6s8sI4sI", b"RIMT", 36 + len(body), 1, 0, b"TEST", b"TEST", 1, b"TEST", 1)
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xFF
    return read(bytes(data))


UNIT = node(0, struct.pack("<8sQIIHHHH", b"RSCV0004", 0x301_0000, 0, 0, 0, 0, 0, 40))


def root(output: int, count: int = 1) -> bytes:
    return node(1, struct.pack("<IHHHH", 0, 0, 0, 20, count) + struct.pack("<IIIII", 0, 8, 0, output, 0))


@pytest.mark.parametrize(
    ("nodes", "offset", "words"),
    [
        ((UNIT[:-8],), 48, "node of 40 bytes, 32 are left"),
        ((UNIT, root(0x30, 2)), 88, "2 mappings at 0x14 do not fit its 40 bytes"),
        ((UNIT, root(0x40)), 108, "the mapping leads to offset 0x40, where no IOMMU is"),
    ],
)
def test_what_does_not_fit_is_told_with_its_offset(nodes: tuple[bytes, ...], offset: int, words: str) -> None:
    (problem,) = table(*nodes).problems
    assert words == problem.text
    assert isinstance(problem.place, TablePlace)
    assert offset == problem.place.offset


@pytest.mark.parametrize(("flags", "ats", "pri"), [(0, False, False), (1, True, False), (2, False, True)])
def test_the_flags_of_a_root_complex(flags: int, ats: bool, pri: bool) -> None:
    """ACPICA's ACPI_RIMT_PCIE_ATS_SUPPORTED and ACPI_RIMT_PCIE_PRI_SUPPORTED."""
    (found,) = table(node(1, struct.pack("<IHHHH", flags, 0, 0, 20, 0))).roots
    assert (ats, pri) == (found.ats, found.pri)


def test_a_unit_behind_another_one_is_not_behind_itself() -> None:
    function = node(0, struct.pack("<8sQIIHHHH", b"00010014", 0, 1, 0, 0, 4, 0, 40))
    for output, itself in ((0x30, True), (0x58, False)):
        read = table(function, UNIT, root(output))
        assert () == read.problems
        assert [itself, False] == [read.behind_itself(unit) is not None for unit in read.units]


def planted(at: int, value: int, size: int) -> tuple[Finding, ...]:
    """The findings of RIMT's checks with other bytes in the table that is compiled."""
    return tuple(each for each in altered(at, value, size) if each.code in ("RPX0770", "RPX0771"))


def altered(at: int, value: int, size: int) -> tuple[Finding, ...]:
    """All findings with these bytes."""

    def alter(compiled: Compiled) -> Compiled:
        data = bytearray(compiled.files["rimt.aml"])
        data[at : at + size] = value.to_bytes(size, "little")
        data[9] = 0
        data[9] = -sum(data) & 0xFF
        return replace(compiled, files={**compiled.files, "rimt.aml": bytes(data)})

    return findings_of(TEXT, options=RunOptions(firmware="acpi"), alter=alter)


def test_a_mapping_to_no_iommu_is_an_error() -> None:
    """The first mapping's offset is at B0h (see `iasl -d`)."""
    (finding,) = planted(0xB0, 0x40, 4)
    assert "RPX0770" == finding.code
    assert "RIMT: the mapping leads to offset 0x40, where no IOMMU is" == finding.message


@pytest.mark.parametrize(
    ("segment", "words"),
    [
        (5, "no host bridge is of segment 0x5, for which RIMT has a root complex"),
        (0, "RIMT has a root complex of segment 0x0 before this one"),
    ],
)
def test_a_root_complex_that_nobody_asks_is_told(segment: int, words: str) -> None:
    """The second one's segment is at C6h."""
    (finding,) = planted(0xC6, segment, 2)
    assert "RPX0771" == finding.code
    assert words == finding.message


OWN = "map: [{rid: 0x4009, id: 0x4009, count: 0x3ff7}]"
ITSELF = [
    ("in the map", "map: [{rid: 0x4000, id: 0, count: 0x4000}]", {"iommu-map"}, "leave 0x4008 out"),
    # rimt_id_map: `rid_in > map->source_id_base + map->num_ids`
    ("behind it", "map: [{rid: 0x4000, id: 0, count: 8}]", {"RIMT"}, "end the mapping one id earlier"),
    ("one before", OWN.replace("[", "[{rid: 0x4000, id: 0, count: 7}, "), set(), ""),
]


@pytest.mark.parametrize(("map", "told", "help"), [row[1:] for row in ITSELF], ids=[row[0] for row in ITSELF])
def test_a_unit_that_is_mapped_to_itself(map: str, told: set[str], help: str) -> None:
    text = TEXT.replace(OWN, map)
    found = [each for each in findings_of(text) if each.code == "RPX0773"]
    assert {each.message.partition(" of ")[0] for each in found} == told
    assert all(each.help is not None and help in each.help for each in found)
    units = {each.unit and each.unit.name for each in of(text).streams.values() if each.function.segment == 1}
    assert units == ({None} if told else {None, "RISC-V IOMMU 0001:40:01.0"})


def imported(folder: Path, suffix: str) -> Platform:
    """What is compiled of the description, imported by one firmware alone."""
    platform = read_checked(TEXT.encode(), "x.yaml").platform
    assert platform is not None
    for name, data in compile_platform(platform).files.items():
        if name.endswith(suffix):
            (folder / name).write_bytes(data)
    source = read_source(folder if suffix == ".aml" else folder / "rimt.dtb", "given")
    again = read_checked(to_yaml(import_source(source).document).encode(), "again.yaml").platform
    assert again is not None
    return again


@pytest.mark.parametrize("suffix", [".aml", ".dtb"])
def test_what_is_compiled_is_imported_as_what_it_is(suffix: str, tmp_path: Path) -> None:
    found = imported(tmp_path, suffix)
    assert found.arch == "riscv64"
    first, second = found.host_bridges
    own, function = found.iommus
    assert isinstance(own, RiscvIommu)
    assert isinstance(function, RiscvIommu)
    assert (own.base, own.parent, function.base) == (0x301_0000, None, None)
    assert (function.parent, function.devfn) == (second.name, 8)
    maps = [each.iommu for each in (first, second)]
    assert [None if each is None else (each.unit, each.ats) for each in maps] == [
        (own.name, True),
        (function.name, False),
    ]
    assert [[(e.rid, e.id, e.count) for e in each.entries] for each in maps if each is not None] == [
        [(0, 0x1_0000, 0x4000)],
        [(0x4009, 0x4009, 0x3FF7)],
    ]


def test_tree_and_rimt_are_held_against_each_other() -> None:
    """The device id of the first mapping is at ACh."""
    assert not [each for each in findings_of(TEXT) if each.code == "RPX0806"]
    (finding,) = [each for each in altered(0xAC, 0x2_0000, 4) if each.code == "RPX0806"]
    assert finding.message == (
        "requesters 0x0000-0x3fff of main have StreamID 0x10000 of the RISC-V IOMMU at 0x3010000 by device "
        "tree and StreamID 0x20000 of the RISC-V IOMMU at 0x3010000 by RIMT"
    )


def test_sound_tables_have_no_findings() -> None:
    assert [] == [each for each in findings_of(TEXT) if each.code in ("RPX0770", "RPX0771")]
