"""Block 07: each check fires on a sound platform with one thing broken, at its place; sound, it is silent."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.checks.altered import with_bytes
from tests.checks.cases import changed, findings_of, flat, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

from rootplex.backends.artifact import Compiled
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts, Joined
from rootplex.readers.acpi.aml_facts import AcpiDevice, AcpiHostBridge, Namespace, Template, Value
from rootplex.readers.acpi.header import Table, read_table
from rootplex.readers.acpi.resources import Resource
from rootplex.simulator.firmware.facts import AcpiFirmware
from rootplex.source.finding import Finding
from rootplex.source.place import TablePlace

BOTH = ("firmware: [dt]", "firmware: [dt, acpi]")
LABEL_ONE, LABEL_TWO = "dt: {label: first}", "dt: {label: second}"
Change = tuple[str, str]
Alter = Callable[[Compiled], Compiled]


def bytes_at(file: str, offset: int, format: str, value: int) -> Alter:
    """A field of a table set to a value."""
    return lambda compiled: with_bytes(compiled, file, offset, struct.pack(format, value))


def aml_instead(old: bytes, new: bytes) -> Alter:
    """One place in the AML with other bytes."""

    def alter(compiled: Compiled) -> Compiled:
        data = compiled.files["ssdt.aml"]
        assert data.count(old) >= 1
        return with_bytes(compiled, "ssdt.aml", data.index(old), new)

    return alter


# By description: what it shows, code, level, changes; the mark is where the finding points.
DESCRIBED: list[tuple[str, str, str, list[Change]]] = [
    ("no PNP0A03", "RPX0710", "error", [(LABEL_TWO, "acpi: {cid: []} #<")]),
    ("PNP0A03 alone", "RPX0710", "warning", [(LABEL_TWO, "acpi: {hid: PNP0A03, cid: []} #<")]),
    (
        "not in MCFG",
        "RPX0720",
        "error",
        [("segment: 1\n", "segment: 1 #<\n"), (LABEL_TWO, "acpi: {mcfg: false}")],
    ),
    (
        "an entry that is too short",
        "RPX0721",
        "error",
        [
            ("bus_range: [0x10, 0x1f]", "bus_range: [0x10, 0x1f] #<"),
            (LABEL_TWO, "acpi: {mcfg: [0x10, 0x1e]}"),
        ],
    ),
    (
        "two bases in one segment",
        "RPX0715",
        "warning",
        [("segment: 1\n", "segment: 0\n"), ("0x40_1100_0000}", "0x40_2100_0000} #<")],
    ),
    ("two _UIDs alike", "RPX0732", "warning", [(LABEL_TWO, "acpi: {uid: 0} #<")]),
    (
        "buses of another bridge",
        "RPX0733",
        "error",
        [("segment: 1\n", "segment: 0\n"), ("[0x10, 0x1f]", "[0x0f, 0x1f] #<")],
    ),
]


@pytest.mark.parametrize(
    ("code", "level", "changes"), [row[1:] for row in DESCRIBED], ids=[r[0] for r in DESCRIBED]
)
def test_fires_on_a_description(code: str, level: str, changes: list[Change]) -> None:
    text = changed(SOUND, BOTH, *changes)
    found = only(findings_of(text), code)
    assert [(each.level, line_of(each.at)) for each in found] == [(level, marked_line(text))]


# By one altered field: what it shows, code, level, how, the description's line it points to (a piece of it).
NODES = 0x30
SMMU_AT = NODES + 24
ONE_AT = SMMU_AT + 0x80 - 20
TABLES: list[tuple[str, str, str, Alter, str | None]] = [
    ("a table of bytes over", "RPX0713", "error", bytes_at("mcfg.aml", 4, "<I", 70), None),
    ("one bus twice", "RPX0714", "error", lambda c: _same_segment(c), "bus_range: [0x10, 0x1f]"),
    ("base 0", "RPX0717", "error", bytes_at("mcfg.aml", 44, "<Q", 0), "config: {base: 0x40_1000_0000}"),
    (
        "buses reversed",
        "RPX0735",
        "error",
        bytes_at("mcfg.aml", 44 + 16 + 11, "<B", 1),
        "bus_range: [0x10, 0x1f]",
    ),
    ("ECAM elsewhere", "RPX0723", "warning", bytes_at("mcfg.aml", 44, "<Q", 0x5000000000), "0x40_1000_0000"),
    ("_BBN", "RPX0712", "warning", aml_instead(b"_BBN\x0a\x10", b"_BBN\x0a\x11"), "bus_range: [0x10, 0x1f]"),
    ("a length of its own", "RPX0754", "warning", lambda c: _longer_bus(c), "bus_range: [0, 0x0f]"),
    ("no _CCA", "RPX0731", "error", aml_instead(b"_CCA", b"_CCB"), "dma_coherent|name: one"),
    ("segment of the root complex", "RPX0740", "error", lambda c: _rc_segment(c, 1, 9), "segment: 1"),
    ("the same one twice", "RPX0741", "error", lambda c: _rc_segment(c, 1, 0), "segment: 1"),
]


def _same_segment(compiled: Compiled) -> Compiled:
    altered = with_bytes(compiled, "mcfg.aml", 44 + 16 + 8, struct.pack("<H", 0))
    return with_bytes(altered, "mcfg.aml", 44 + 16 + 10, b"\x08")


def _longer_bus(compiled: Compiled) -> Compiled:
    data = compiled.files["ssdt.aml"]
    return with_bytes(compiled, "ssdt.aml", data.index(b"\x88\x0d\x00\x02") + 14, struct.pack("<H", 15))


def _rc_segment(compiled: Compiled, index: int, segment: int) -> Compiled:
    data = compiled.files["iort.aml"]
    at, seen = NODES, 0
    while True:
        type, length = struct.unpack_from("<BH", data, at)
        if type == 2 and seen == index:
            return with_bytes(compiled, "iort.aml", at + 28, struct.pack("<I", segment))
        seen += type == 2
        at += length


@pytest.mark.parametrize(
    ("code", "level", "alter", "line"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES]
)
def test_fires_on_an_altered_table(code: str, level: str, alter: Alter, line: str | None) -> None:
    text = changed(SOUND, BOTH)
    found = only(findings_of(text, alter=alter), code)
    assert [each.level for each in found] == [level]
    if line is not None:
        written = text.splitlines()[(line_of(found[0].at) or 0) - 1]
        assert any(piece in written for piece in line.split("|")), written


def test_both_firmwares_sound() -> None:
    assert findings_of(changed(SOUND, BOTH)) == ()


# Tables and namespaces that no description makes.
AT = TablePlace("case", "DSDT")


def table(signature: str, body: bytes, revision: int = 1, instance: int = 1) -> Table:
    """A table with a right checksum."""
    head = struct.pack(
        "<4sIBB6s8sI4sI",
        signature.encode(),
        36 + len(body),
        revision,
        0,
        b"ROOTPX",
        b"CASE    ",
        1,
        b"CASE",
        1,
    )
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xFF
    return read_table(bytes(data), "case", instance)


def entry(base: int, segment: int = 0, start: int = 0, end: int = 255) -> bytes:
    return struct.pack("<QHBBI", base, segment, start, end, 0)


def mcfg(*entries: bytes, revision: int = 1, instance: int = 1) -> Table:
    return table("MCFG", bytes(8) + b"".join(entries), revision, instance)


def ivrs(*units: tuple[int, int]) -> Table:
    """Units of (segment, registers), each for all requester ids."""
    blocks = (
        struct.pack("<BBHHHQHHI", 0x10, 0, 32, index + 2, 0x40, base, segment, 0, 0)
        + bytes((3, 0, 0, 0, 4, 255, 255, 0))
        for index, (segment, base) in enumerate(units)
    )
    return table("IVRS", bytes(12) + b"".join(blocks))


def known(value: object) -> Value[object]:
    return Value("known", value, None, AT)


ABSENT: Value[object] = Value("absent", None, None, AT)


def resource(type: str, minimum: int, length: int, kind: str = "QWord") -> Resource:
    """A fixed descriptor that a bridge passes down."""
    return Resource(
        type=type,  # type: ignore[arg-type]
        kind=kind,
        offset=0,
        size=46,
        minimum=minimum,
        maximum=minimum + length - 1,
        length=length,
        producer=True,
        general_flags=0x0C,
    )


def template(*items: Resource, sure: bool = True) -> Value[Template]:
    return Value("known", Template(b"", items, (sure,) * len(items), None), None, AT)


def bridge(**values: object) -> AcpiHostBridge:
    """PCI0 with all buses of segment 0, and what is given."""
    fields: dict[str, object] = dict.fromkeys(
        ("seg", "bbn", "cba", "uid", "sta", "dma", "pxm", "prt", "osc", "preserve"), ABSENT
    )
    fields |= {
        "path": "\\_SB.PCI0",
        "hid": "PNP0A08",
        "cids": ("PNP0A03",),
        "place": AT,
        "cca": known(1),
    }
    fields["crs"] = template(
        resource("bus", 0, 256, "Word"), resource("memory", 0x9000_0000, 0x1000_0000, "DWord")
    )
    return AcpiHostBridge(**(fields | values))  # type: ignore[arg-type]


def reserving(base: int, size: int) -> AcpiDevice:
    item = replace(resource("memory", base, size), producer=False)
    return AcpiDevice("\\_SB.MB", "PNP0C02", (), ABSENT, ABSENT, template(item), AT)  # type: ignore[arg-type]


def vendor(
    *tables: Table,
    bridges: tuple[AcpiHostBridge, ...] | None = None,
    reserved: tuple[int, int] | None = None,
    arch: str = "x86_64",
    by_memory_map: tuple[tuple[int, int], ...] = (),
) -> tuple[Finding, ...]:
    """The findings on the tables of a machine that nobody described."""
    bridges = (bridge(),) if bridges is None else bridges
    motherboard = () if reserved is None else (reserving(*reserved),)
    space = Namespace("case", bridges, motherboard, ())
    acpi = AcpiFirmware(
        tables=tables,
        namespace=space,
    )
    joined = tuple(Joined(each.path, acpi=each) for each in bridges)
    facts = Facts(arch=arch, acpi=acpi, bridges=joined, reserved=by_memory_map)
    return flat(run_checks(facts, "artifacts"))


def codes(found: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(each.code, each.level) for each in found]


E0 = 0xE0000000
ECAM = (E0, 256 << 20)


def test_a_sound_pc_has_no_findings() -> None:
    assert codes(vendor(mcfg(entry(E0)), reserved=ECAM)) == []


@pytest.mark.parametrize(
    ("tables", "code", "level", "offset"),
    [
        ((mcfg(entry(E0)), mcfg(entry(E0, end=7), instance=2)), "RPX0716", "error", None),
        ((mcfg(entry(E0)), mcfg(entry(E0), instance=2)), "RPX0716", "note", None),
        ((mcfg(entry(E0), entry(E0, segment=3)),), "RPX0722", "note", 44 + 16 + 8),
        ((mcfg(entry(E0)), table("DMAR", bytes(12) + struct.pack("<HHBBHQ", 0, 16, 1, 0, 5, 0xFED90000))),
         "RPX0753", "warning", 48),
        ((mcfg(entry(E0)), table("DMAR", bytes(12) + b"".join(
            struct.pack("<HHBBHQ", 0, 16, 1, 0, segment, 0xFED90000) for segment in (0, 1)))),
         "RPX0755", "error", 70),
        ((mcfg(entry(E0)), table("DMAR", bytes(12) + struct.pack("<HHBBHQ", 0, 99, 1, 0, 0, 0xFED90000))),
         "RPX0763", "error", 48),
        ((mcfg(entry(E0)), ivrs((0, 0xFED80000), (5, 0xFED90000))), "RPX0760", "warning", 96),
        ((mcfg(entry(E0)), ivrs((0, 0xFED80000), (5, 0xFED80000))), "RPX0759", "error", 96),
        ((mcfg(entry(E0)), ivrs((0, 0xFED80000), (0, 0xFED90000))), "RPX0761", "warning", 104),
        ((mcfg(entry(E0)), table("IVRS", bytes(12) + bytes((0x10, 0, 99, 0, 0, 0)))), "RPX0758", "error", 48),
    ],
)  # fmt: skip
def test_fires_on_a_pc(tables: tuple[Table, ...], code: str, level: str, offset: int | None) -> None:
    found = only(vendor(*tables, reserved=ECAM), code)
    assert [(each.code, each.level) for each in found] == [(code, level)]
    assert isinstance(found[0].at, TablePlace)
    assert found[0].at.offset == offset


def test_units_of_their_own_are_sound_on_a_pc() -> None:
    units = (struct.pack("<HHBBHQ", 0, 16, 1, 0, 0, base) for base in (0xFED90000, 0xFED91000))
    found = vendor(mcfg(entry(E0)), table("DMAR", bytes(12) + b"".join(units)), reserved=ECAM)
    assert not [each for each in found if each.code in ("RPX0755", "RPX0763")]


@pytest.mark.parametrize(
    ("base", "segment", "end", "revision", "code", "level"),
    [
        (0x4010000000, 0, 255, 0, "RPX0718", "error"),
        (0xF8000000, 0, 255, 1, "RPX0719", "error"),
        (E0, 1, 255, 1, "RPX0725", "error"),
        (E0, 0, 6, 1, "RPX0721", "warning"),
    ],
)
def test_fires_on_one_entry(base: int, segment: int, end: int, revision: int, code: str, level: str) -> None:
    found = vendor(mcfg(entry(base, segment, 0, end), revision=revision), reserved=(base, 256 << 20))
    assert (code, level) in codes(found)


def test_mcfg_of_revision_1_may_be_high() -> None:
    base = 0x4010000000
    assert codes(vendor(mcfg(entry(base)), reserved=(base, 256 << 20))) == []


def test_room_for_entries_in_xen() -> None:
    entries = [entry(0x100000000 + (n << 28), segment=n) for n in range(2049)]
    found = only(vendor(mcfg(*entries), reserved=ECAM), "RPX0730")
    assert [each.at for each in found] == [TablePlace("case", "MCFG", 44 + 16 * 2048, 16)]
    assert not only(vendor(mcfg(*entries[:2048]), reserved=ECAM), "RPX0730")


def test_ecam_reserved_or_not() -> None:
    assert codes(vendor(mcfg(entry(E0)))) == [("RPX0723", "warning")]
    assert codes(vendor(mcfg(entry(E0)), by_memory_map=((E0, E0 + (256 << 20)),))) == []
    assert codes(vendor(mcfg(entry(E0)), by_memory_map=((E0, E0 + (128 << 20)),))) == [("RPX0723", "warning")]
    unsteady = replace(bridge(), crs=template(resource("bus", 0, 256, "Word")))
    assert codes(vendor(mcfg(entry(E0)), bridges=(unsteady,), reserved=ECAM)) == []


def test_ecam_in_a_window() -> None:
    window = template(resource("bus", 0, 256, "Word"), resource("memory", 0xC0000000, 0x30000000))
    found = vendor(mcfg(entry(E0)), bridges=(bridge(crs=window),), reserved=ECAM)
    assert codes(only(found, "RPX0724")) == [("RPX0724", "warning")]
    found = vendor(mcfg(entry(E0)), bridges=(bridge(crs=window),))
    assert codes(only(found, "RPX0724")) == [("RPX0724", "error")]
    moving = template(*window.value.resources, sure=False) if window.value else window
    assert not only(vendor(mcfg(entry(E0)), bridges=(bridge(crs=moving),), reserved=ECAM), "RPX0724")


def test_crs_without_buses() -> None:
    windows = template(resource("memory", 0xC0000000, 0x10000000))
    assert codes(vendor(mcfg(entry(E0)), bridges=(bridge(crs=windows),), reserved=ECAM)) == [
        ("RPX0711", "error")
    ]
    assert ("RPX0711", "error") in codes(
        vendor(mcfg(entry(E0)), bridges=(bridge(crs=ABSENT),), reserved=ECAM)
    )


def test_a_bridge_that_is_off_and_still_listed() -> None:
    found = vendor(mcfg(entry(E0)), bridges=(bridge(sta=known(0)),), reserved=ECAM)
    assert codes(found) == [("RPX0722", "warning")]


def test_cba_beside_mcfg() -> None:
    assert codes(vendor(mcfg(entry(E0)), bridges=(bridge(cba=known(0xD0000000)),), reserved=ECAM)) == [
        ("RPX0727", "error")
    ]
    assert codes(vendor(mcfg(entry(E0)), bridges=(bridge(cba=known(E0)),), reserved=ECAM)) == []


@pytest.mark.parametrize(
    ("segment", "level"),
    [
        (Value("failed", None, "it is a string", AT), "error"),
        (Value("unknown", 0, "computed from PCIC, which a dump does not have", AT), "warning"),
        (known(0x10000), "error"),
    ],
)
def test_segments_that_cannot_be_relied_on(segment: Value[object], level: str) -> None:
    found = vendor(mcfg(entry(E0)), bridges=(bridge(seg=segment),), reserved=ECAM)
    assert codes(only(found, "RPX0734")) == [("RPX0734", level)]


def test_a_status_that_has_no_value() -> None:
    """Linux takes the bridge for absent (`acpi_scan_init_status`); nothing else says why it is not there."""
    failed: Value[object] = Value("failed", None, "evaluation ends with AE_NOT_FOUND", AT)
    found = vendor(mcfg(entry(E0)), bridges=(bridge(sta=failed),), reserved=ECAM)
    assert codes(found) == [("RPX0790", "error")]
    for sound in (known(0xF), ABSENT, Value("unknown", 0, "computed from PCIC", AT)):
        found = vendor(mcfg(entry(E0)), bridges=(bridge(sta=sound),), reserved=ECAM)
        assert "RPX0790" not in [each.code for each in found]


def test_what_is_unknown_gives_no_error() -> None:
    """A segment and a window that hang on absent memory: no error, whatever their values are."""
    value: Value[object] = Value("unknown", 9, "computed from PCIC", AT)
    items = (resource("bus", 0, 1, "Word"), resource("memory", E0, 1 << 20))
    crs = replace(template(*items, sure=False), state="unknown")
    unsure = bridge(seg=value, crs=crs)
    assert all(each.level != "error" for each in vendor(mcfg(entry(E0)), bridges=(unsure,), reserved=ECAM))


def test_damaged_table() -> None:
    data = bytearray(mcfg(entry(E0)).data)
    data[20] ^= 1
    assert ("RPX0752", "warning") in codes(vendor(read_table(bytes(data), "case"), reserved=ECAM))


ARM = 0x4010000000


# IORT, made by hand: an ITS group, an SMMUv3, a root complex.
def iort(
    rc: tuple[int, int, int, int, int] = (0, 0xFFFF, 0, 0x48, 0),
    more: tuple[tuple[int, int, int, int, int], ...] = (),
    smmu: tuple[tuple[int, int, int, int, int], ...] = ((0, 0xFFFF, 0, 0x30, 0),),
    limit: int = 64,
    extra: bytes = b"",
    count: int = 0,
    base: int = 0x9050000,
    its_count: int = 1,
) -> Table:
    """ITS at 0x30, SMMUv3 at 0x48, the root complex of segment 0 behind; `extra` is a last node."""
    its = struct.pack("<BHBIII", 0, 24, 1, 0, 0, 0) + struct.pack("<II", its_count, 0)
    unit = struct.pack("<QIIQIIIIIII", base, 1, 0, 0, 0, 1, 2, 3, 4, 0, 0)
    unit = struct.pack("<BHBIII", 4, 16 + len(unit) + 20 * len(smmu), 4, 1, len(smmu), 68) + unit[:52]
    unit += b"".join(struct.pack("<5I", *each) for each in smmu)
    root = struct.pack("<IBHBIIBHB", 1, 0, 0, 3, 0, 0, limit, 0, 0)
    maps = (rc, *more)
    node = struct.pack("<BHBIII", 2, 36 + 20 * len(maps), 3, 2, len(maps), 36) + root
    node += b"".join(struct.pack("<5I", *each) for each in maps)
    unit = unit[:1] + struct.pack("<H", len(unit)) + unit[3:]
    nodes = 3 + bool(extra) + count
    return table("IORT", struct.pack("<3I", nodes, 0x30, 0) + its + unit + node + extra, 3)


def arm(*tables: Table, **fields: object) -> tuple[Finding, ...]:
    """An Arm machine's: its bridge has a window."""
    window = resource("memory", 0x2000_0000, 0x1000_0000)
    fields.setdefault("crs", template(resource("bus", 0, 256, "Word"), window))
    return vendor(
        mcfg(entry(ARM)), *tables, bridges=(bridge(**fields),), reserved=(ARM, 256 << 20), arch="arm64"
    )


def test_a_sound_iort_has_no_findings() -> None:
    assert codes(arm(iort())) == []


RMR = struct.pack("<BHBIII", 6, 68, 1, 3, 1, 28) + struct.pack("<3I", 0, 1, 48)
RMR += struct.pack("<5I", 0, 0, 0x10, 0x48, 1) + struct.pack("<QQI", 0x80000000, 0x10000, 0)


@pytest.mark.parametrize(
    ("made", "code", "level"),
    [
        (iort(rc=(0, 0x10000, 0, 0x48, 0)), "RPX0743", "warning"),
        (iort(rc=(0, 0xFFFE, 0, 0x48, 0)), "RPX0743", "warning"),
        (iort(rc=(0, 0xFF, 0, 0x48, 0), more=((0x80, 0xFF7F, 0x80, 0x48, 0),)), "RPX0744", "error"),
        (iort(rc=(0, 0xFFFF, 0, 0x4C, 0)), "RPX0745", "error"),
        (iort(smmu=()), "RPX0746", "warning"),
        (iort(rc=(0, 0x7FFF, 0, 0x48, 0)), "RPX0747", "warning"),
        (iort(limit=0), "RPX0750", "warning"),
        (iort(limit=8), "RPX0750", "warning"),
        (iort(base=0), "RPX0638", "error"),
        (iort(base=0x9050010), "RPX0638", "error"),
        (iort(base=ARM), "RPX0106", "error"),
        (iort(its_count=0), "RPX0748", "error"),
        (iort(rc=(0, 0xFFFF, 0, 0x48, 1)), "RPX0639", "warning"),
        (iort(count=1), "RPX0751", "error"),
        (iort(extra=RMR), "RPX0749", "warning"),
    ],
)
def test_fires_on_an_iort(made: Table, code: str, level: str) -> None:
    assert codes(only(arm(made), code)) == [(code, level)]


def test_seam_of_two_ranges_is_no_overlap() -> None:
    """A count stored as the number of ids: the shared last id is the off-by-one that Linux forgives."""
    found = arm(iort(rc=(0, 0x100, 0, 0x48, 0), more=((0x100, 0xFEFF, 0x100, 0x48, 0),)))
    assert codes(found) == [("RPX0743", "warning")]


def test_rmr_is_heeded_where_the_configuration_is_kept() -> None:
    assert not only(arm(iort(extra=RMR), preserve=known(0)), "RPX0749")


def test_root_complex_of_nobody() -> None:
    stray = struct.pack("<BHBIII", 2, 36, 3, 9, 0, 0) + struct.pack("<IBHBIIBHB", 1, 0, 0, 3, 0, 7, 64, 0, 0)
    found = arm(iort(extra=stray))
    assert codes(found) == [("RPX0742", "warning")]
    assert isinstance(found[0].at, TablePlace)
    assert found[0].at.length == 4


def test_its_that_madt_does_not_have() -> None:
    madt = table("APIC", struct.pack("<II", 0, 0) + struct.pack("<BBHIQI", 15, 20, 0, 5, 0x8080000, 0), 4)
    found = arm(iort(), madt)
    assert codes(found) == [("RPX0748", "error")]
    assert isinstance(found[0].at, TablePlace)
    assert found[0].at.offset == 0x30 + 20


def test_its_of_a_machine_that_has_a_gicv2m_frame_alone() -> None:
    """Messages are lost nowhere: Linux takes the frame (`iort_get_device_domain` finds no ITS)."""
    frame = struct.pack("<BBHIQIHH", 13, 24, 0, 0, 0x8020000, 1, 64, 80)
    found = arm(iort(), table("APIC", struct.pack("<II", 0, 0) + frame, 4))
    assert codes(found) == [("RPX0748", "warning")]


PC = """\
rootplex: 1
platform: {name: pc, arch: x86_64}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x7f]
    config: {base: 0xe000_0000}
    windows: [{space: mem32, pci: 0xc000_0000, size: 256MiB}]
  - name: late
    segment: 1
    bus_range: [0, 0x0f]
    config: {base: 0xf000_0000}
    windows: [{space: mem32, pci: 0xd000_0000, size: 128MiB}]
    hot_pluggable: true
    devices:
      - {name: card, dev: 1, type: integrated-endpoint, msix: 2}
xen:
  discovery: xen
  guests: [{name: guest, devices: [card]}]
"""


def test_bridge_of_a_guest_that_xen_is_not_told_of() -> None:
    found = only(findings_of(PC), "RPX0728")
    assert [(each.level, each.subject) for each in found] == [("warning", "late")]
    assert not only(findings_of(changed(PC, ("    hot_pluggable: true\n", ""))), "RPX0728")


def dmar(*drhds: tuple[int, int, bytes], width: int = 38) -> Table:
    """Of units: flags, base, device scopes (Intel VT-d 4.1 §8.1, §8.3)."""
    units = (
        struct.pack("<HHBBHQ", 0, 16 + len(scopes), flags, 0, 0, base) + scopes
        for flags, base, scopes in drhds
    )
    return table("DMAR", struct.pack("<BB10x", width, 1) + b"".join(units), 1)


ALL = (1, 0xFED90000, b"")
FOR_ONE = (0, 0xFED91000, bytes((1, 8, 0, 0, 0, 0, 2, 0)))
FOR_AN_IOAPIC = (0, 0xFED91000, bytes((3, 8, 0, 0, 0, 0, 2, 0)))


@pytest.mark.parametrize(
    ("made", "levels"),
    [
        (dmar(FOR_ONE, ALL), []),
        (dmar(FOR_ONE, ALL, width=10), ["error"]),
        (dmar(FOR_ONE, ALL, width=11), []),
        (dmar(), ["warning"]),
        (dmar(FOR_ONE, (1, 0, b"")), ["error"]),
        (dmar(FOR_ONE, (1, 0xFED90010, b"")), ["error"]),
        (dmar(FOR_AN_IOAPIC, ALL), ["warning"]),
    ],
)
def test_a_dmar_that_linux_drops_or_that_is_for_nobody(made: Table, levels: list[str]) -> None:
    """As dmar.c has it: `parse_dmar_table` for the width (a page's bits less one),
    `dmar_validate_one_drhd` for the base."""
    found = only(vendor(mcfg(entry(E0)), made, reserved=ECAM), "RPX0636")
    assert levels == [each.level for each in found]


def test_hot_pluggable_bridge_in_mcfg() -> None:
    def listed(compiled: Compiled) -> Compiled:
        return with_bytes(compiled, "mcfg.aml", 44, entry(0xF0000000, 1, 0, 15))

    found = only(findings_of(PC, alter=listed), "RPX0726")
    assert [(each.level, each.subject) for each in found] == [("warning", "late")]
    assert not only(findings_of(PC), "RPX0726")


def test_region_that_xen_refuses() -> None:
    """Half of the ECAM reserved: Linux reports half, and Xen knows the whole only (XP-44)."""
    half = aml_instead(struct.pack("<Q", 0x8000000), struct.pack("<Q", 0x4000000))
    found = only(findings_of(PC, alter=half), "RPX0729")
    assert [(each.level, line_of(each.at)) for each in found] == [("error", 6)]
    assert not only(findings_of(PC), "RPX0729")
