"""MCFG, DMAR, MADT and table headers: bytes made by iasl; dumps compared with acpixtract."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.acpica import compiled, header, needs_iasl, template
from tests.corpus.board_corpus import DUMPS, Corpus

from rootplex.readers.acpi.acpidump import read_tables, tables_of
from rootplex.readers.acpi.dmar import read_dmar
from rootplex.readers.acpi.header import read_table, split_tables
from rootplex.readers.acpi.madt import read_madt
from rootplex.readers.acpi.mcfg import read_mcfg
from rootplex.source.finding import Unreadable
from rootplex.tools.runner import private_folder, run

MCFG_ENTRIES = """[0008] Reserved : 0000000000000000
[0008] Base Address : 000000400F000000
[0002] Segment Group Number : 0002
[0001] Start Bus Number : 10
[0001] End Bus Number : 1F
[0004] Reserved : 00000000
[0008] Base Address : 00000000E0000000
[0002] Segment Group Number : 0000
[0001] Start Bus Number : 00
[0001] End Bus Number : FF
[0004] Reserved : 00000000
"""


@needs_iasl
def test_mcfg_entries_and_their_places() -> None:
    mcfg = read_mcfg(compiled(header("MCFG", 1) + MCFG_ENTRIES))
    assert mcfg.problems == ()
    assert [(e.base, e.segment, e.start_bus, e.end_bus) for e in mcfg.entries] == [
        (0x400F000000, 2, 0x10, 0x1F),
        (0xE0000000, 0, 0, 0xFF),
    ]
    assert [(e.place.offset, e.place.length) for e in mcfg.entries] == [(44, 16), (60, 16)]


@needs_iasl
def test_mcfg_remainder_and_short_table() -> None:
    whole = compiled(header("MCFG", 1) + MCFG_ENTRIES)
    ragged = read_mcfg(replace(whole, data=whole.data[:70], length=70))
    assert (len(ragged.entries), ragged.remainder) == (1, 10)
    assert "10 bytes after the last whole entry" in ragged.problems[0].text
    short = read_mcfg(replace(whole, data=whole.data[:40], length=40))
    assert short.entries == ()
    assert short.problems


@needs_iasl
def test_dmar_of_iasls_template() -> None:
    source = template("DMAR").replace("PCI Path : 00,01", "PCI Path : 1C,05", 1)
    source = source.replace(
        "Register Base Address : 0000000000000000", "Register Base Address : 00000000FED90000"
    )
    dmar = read_dmar(compiled(source))
    assert dmar.problems == ()
    assert (dmar.host_address_width, dmar.flags) == (0x30, 1)
    unit = dmar.drhds[0]
    assert (unit.base, unit.segment, unit.include_all) == (0xFED90000, 0, True)
    assert [(s.type, s.enumeration_id, s.start_bus, s.path) for s in unit.scopes] == [(3, 8, 0, ((0x1C, 5),))]
    assert [(r.base, r.limit, r.scopes[0].path) for r in dmar.rmrrs] == [(0, 0xFFF, ((0, 2),))]


@needs_iasl
def test_madt_of_iasls_template() -> None:
    source = template("APIC").replace(
        "[0001]                        I/O Apic ID : 01", "[0001] I/O Apic ID : 09"
    )
    madt = read_madt(compiled(source))
    assert [apic.id for apic in madt.ioapics] == [9]
    assert (len(madt.distributors), len(madt.redistributors), len(madt.its)) == (1, 1, 1)


@needs_iasl
@pytest.mark.parametrize("signature", ["DMAR", "APIC"])
def test_a_table_cut_anywhere_is_read_as_far_as_it_goes(signature: str) -> None:
    whole = compiled(template(signature))
    read = {"DMAR": read_dmar, "APIC": read_madt}[signature]
    for cut in range(36, whole.length):
        read(replace(whole, data=whole.data[:cut], length=cut))


@needs_iasl
def test_a_wrong_checksum_is_a_problem_with_its_place() -> None:
    table = compiled(header("MCFG", 1) + MCFG_ENTRIES)
    assert table.checksum_ok
    bad = read_table(table.data[:9] + b"\x00" + table.data[10:], "bad.aml")
    assert not bad.checksum_ok
    assert str(bad.problems[0].place) == "bad.aml: MCFG+0x9"


@pytest.mark.parametrize("data", [b"", b"MCFG", b"MCFG" + bytes(40), b"\xff\x00\x01\x02" + bytes(40)])
def test_what_is_no_table_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_table(data, "x")


def fake(signature: str, payload: bytes = b"") -> bytes:
    """A table header by ACPI 6.5 §5.2.6, for containers where the content does not matter."""
    body = bytearray(signature.encode() + (36 + len(payload)).to_bytes(4, "little") + bytes(28) + payload)
    body[9] = -sum(body) & 0xFF
    return bytes(body)


FILES = {"ssdt10.dat": fake("SSDT", b"10"), "ssdt2.dat": fake("SSDT", b"2"), "mcfg.dat": fake("MCFG")}


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(f"tables/{name}", data)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in FILES.items():
            info = tarfile.TarInfo(f"tables/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


@pytest.mark.parametrize("make", [zipped, tarred])
def test_archives_give_tables_in_natural_order(make: object) -> None:
    assert callable(make)
    found = tables_of(make(), "dump")
    assert [(t.name, t.data[36:]) for t in found.tables] == [("MCFG", b""), ("SSDT", b"2"), ("SSDT2", b"10")]


def test_a_folder_gives_tables_and_passes_over_the_rest(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "notes.txt").write_text("see there")
    (tmp_path / "dsdt.dat").write_bytes(fake("DSDT")[:-1] + b"\xff")
    found = read_tables(tmp_path, "board")
    assert [t.signature for t in found.tables] == ["DSDT", "MCFG", "SSDT", "SSDT"]
    assert found.tables[0].file == "board/dsdt.dat"


# With names of their own: an archive's bytes hold the time, and two workers must list the same tests.
@pytest.mark.parametrize(
    "data",
    [zipped()[:80], tarred()[:60], b"PK\x03\x04" + bytes(90), b"\x1f\x8b" + bytes(90)],
    ids=["zip cut", "tar cut", "zip of zeros", "gzip of zeros"],
)
def test_a_damaged_archive_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        tables_of(data, "x")


def test_tables_back_to_back() -> None:
    found = split_tables(fake("SSDT", b"a") + fake("MCFG") + fake("SSDT", b"b"), "x")
    assert [t.name for t in found] == ["SSDT", "MCFG", "SSDT2"]


@pytest.mark.skipif(shutil.which("acpixtract") is None, reason="needs acpixtract")
@pytest.mark.parametrize("name", DUMPS)
def test_a_dump_gives_what_acpixtract_gives(corpus: Corpus, name: str) -> None:
    dump = corpus(name)
    with private_folder() as folder:
        run(["acpixtract", "-a", str(dump)], cwd=folder)
        extracted = [path.read_bytes() for path in folder.glob("*.dat")]
    expected = sorted(data for data in extracted if not data.startswith(b"FACS"))
    assert sorted(table.data for table in read_tables(dump).tables) == expected


def test_a_gap_in_a_dump_is_a_problem() -> None:
    table = fake("MCFG", bytes(range(16)))
    rows = [f"    {at:04X}: {table[at : at + 16].hex(' ').upper()}  ....\n" for at in (0, 16, 32, 48)]
    whole = tables_of(("MCFG @ 0x0\n" + "".join(rows) + "\n").encode(), "x")
    assert whole.tables[0].data == table
    with pytest.raises(Unreadable, match="gap"):
        tables_of(("MCFG @ 0x0\n" + rows[0] + rows[2]).encode(), "x")
