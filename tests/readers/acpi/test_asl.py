"""Tables as text, as `iasl -d` writes them: the same facts as the tables', and no file beside is opened."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rootplex.cli import main
from rootplex.jobs.boards import boards_of
from rootplex.jobs.sources import source_of_bytes
from rootplex.jobs.validate import validate_board
from rootplex.readers.acpi import asl
from rootplex.readers.acpi.acpidump import read_tables, tables_of
from rootplex.source.finding import Finding, Unreadable
from rootplex.source.place import Span

pytestmark = pytest.mark.skipif(shutil.which("iasl") is None, reason="needs iasl")

GENERATED = Path(__file__).parents[3] / "generated"
BLOCK = 'DefinitionBlock ("", "SSDT", 2, "A", "B", 1)\n{\n%s\n}\n'
SECRET = "ROOTPLEX_TEST_SECRET"


def disassembled(folder: Path, board: str) -> Path:
    """A board's tables as text in a folder of their own."""
    folder.mkdir()
    for table in sorted((GENERATED / board).glob("*.aml")):
        (folder / table.name).write_bytes(table.read_bytes())
        argv = ["iasl", "-d", table.name]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)
        (folder / table.name).unlink()
    return folder


@pytest.mark.parametrize("board", ["juno-r2", "hisilicon-d05", "q35", "qemu-virt"])
def test_text_gives_the_facts_of_the_tables(board: str, tmp_path: Path) -> None:
    folder = disassembled(tmp_path / board, board)
    wanted = validate_board(boards_of([str(path) for path in sorted((GENERATED / board).glob("*.aml"))])[0])
    texts = sorted(folder.glob("*.dsl"))
    (board_of_folder,) = boards_of([str(folder)])
    (board_of_files,) = boards_of([str(text) for text in texts])
    one = tmp_path / "all.dsl"
    one.write_text("\n".join(text.read_text() for text in texts))
    (board_of_one,) = boards_of([str(one)])
    for found in map(validate_board, (board_of_folder, board_of_files, board_of_one)):
        assert found.machine == wanted.machine
        assert [each.code for each in found.findings] == [each.code for each in wanted.findings]


@pytest.mark.parametrize("name", ["mcfg.aml", "iort.aml"])
def test_a_table_of_data_alone(name: str, tmp_path: Path) -> None:
    (table,) = read_tables(GENERATED / "juno-r2" / name).tables
    text = (disassembled(tmp_path / "x", "juno-r2") / name).with_suffix(".dsl")
    for data in (
        text.read_bytes(),
        text.read_bytes().replace(b"\n", b"\r\n"),
        text.read_text().encode("utf-16"),
    ):
        (found,) = source_of_bytes(data, "x.dsl").tables
        assert found.data == table.data
        assert found.file == "x.dsl"


def test_fields_that_were_changed(tmp_path: Path) -> None:
    """The raw data is not believed against them; without it iasl makes the table of the fields."""
    text = (disassembled(tmp_path / "x", "juno-r2") / "mcfg.dsl").read_text()
    changed = text.replace("Segment Group Number : 0000", "Segment Group Number : 0002")
    finding = refused(changed)
    assert finding.message == "the field Segment Group Number is 0002 here, and 0000 in the raw data below"
    assert isinstance(finding.at, Span)
    assert finding.at.line == 1 + text[: text.index("Segment Group")].count("\n")
    (table,) = tables_of(changed[: changed.index("Raw Table Data")].encode(), "x.dsl").tables
    assert table.data[52:54] == b"\2\0"
    assert "has 16 bytes, not 60" in refused(text[: text.index("    0010: ")]).message


def test_single_tables_are_imported_together(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = disassembled(tmp_path / "juno-r2", "juno-r2")
    assert main(["import", str(folder)]) == 0
    whole = capfd.readouterr().out
    assert "base: 0x4000_0000" in whole
    assert main(["import", *map(str, sorted(folder.glob("*.dsl")))]) == 0
    assert capfd.readouterr().out == whole
    assert (
        main(["import", *map(str, sorted(folder.glob("*.dsl"))), "--overlay", str(folder / "mcfg.dsl")]) == 2
    )
    assert "overlays are applied to a device tree, and this is: ACPI tables" in capfd.readouterr().out


def test_text_beside_its_table_is_passed_over(tmp_path: Path) -> None:
    folder = disassembled(tmp_path / "x", "juno-r2")
    shutil.copy(GENERATED / "juno-r2" / "mcfg.aml", folder)
    shutil.copy(GENERATED / "juno-r2" / "ssdt.aml", folder / "SSDT")
    assert sorted(Path(table.file).name for table in read_tables(folder).tables) == [
        "SSDT",
        "iort.dsl",
        "mcfg.aml",
    ]


def test_text_without_a_table_is_not_passed_over(tmp_path: Path) -> None:
    folder = disassembled(tmp_path / "x", "juno-r2")
    (folder / "dsdt.dsl").write_text("/*\n * Intel ACPI Component Architecture\n */\n")
    with pytest.raises(Unreadable, match=r"dsdt\.dsl: no ACPI table in this text"):
        read_tables(folder)


def refused(text: str) -> Finding:
    with pytest.raises(Unreadable) as error:
        tables_of(text.encode(), "x.dsl")
    (finding,) = error.value.findings
    return finding


INCLUDES = {
    "the operator": 'Include ("{secret}")',
    "in small letters": 'include ("{secret}")',
    "in mixed ones": 'iNCLUDE\n(\n"{secret}"\n)',
    "behind a comment": '/* x */Include/**/("{secret}")',
    "behind a comment in a string": 'Name (FOO, "/*") Include ("{secret}") // */',
    "behind a string in a comment": '/* " */ Include ("{secret}") /* " */',
    "behind a line's comment": '// /*\nInclude ("{secret}") // */',
    "a directive": '#include "{secret}"',
    "a directive of bytes": '#includebuffer "{secret}" FOO',
    "a directive with spaces": ' # include <{secret}>',
}  # fmt: skip


@pytest.mark.parametrize("way", INCLUDES)
def test_no_file_beside_is_opened(way: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    text = BLOCK % INCLUDES[way].format(secret=secret)
    finding = refused(text)
    assert finding.message == "ASL that includes another file"
    assert isinstance(finding.at, Span)
    assert finding.at.line == 1 + text[: text.lower().index("include")].count("\n")
    if way == "a directive of bytes":  # iasl opens it where it needs the bytes
        return
    (tmp_path / "t.asl").write_text(text)
    outcome = subprocess.run(["iasl", "t.asl"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert SECRET in outcome.stdout + outcome.stderr or "secret" in outcome.stdout + outcome.stderr


def test_the_word_alone_means_nothing(tmp_path: Path) -> None:
    text = BLOCK % '// Include ("x")\nName (FOO, "Include \\"x\\"") /* #include */'
    (table,) = tables_of(text.encode(), "x.dsl").tables
    assert b'Include "x"\0' in table.data


def test_no_file_is_written_that_the_text_names(tmp_path: Path) -> None:
    evil = tmp_path / "evil.aml"
    block = BLOCK.replace('""', f'"{evil}"')
    assert len(tables_of((block % "" + block % "").encode(), "x.dsl").tables) == 2
    assert not evil.exists()


def test_what_cannot_be_parsed_is_told_at_its_line() -> None:
    finding = refused(BLOCK % "Name (FOO, 1)" + "\n\n" + BLOCK % "Method (BAR) {\n  Name (\n}")
    assert finding.message.startswith("iasl: ")
    assert isinstance(finding.at, Span)
    assert finding.at.line in (10, 11)
    assert finding.help is not None
    assert "-e ssdt*.dat -d dsdt.dat" in finding.help


@pytest.mark.parametrize(
    "body",
    [
        "External (\\_SB.PCI9, DeviceObj)\nScope (\\_SB.PCI9) { Name (FOO, 1) }",
        "External (FOO, MethodObj)\nMethod (BAR) { FOO (1, 2) }",
        "External (FOO, UnknownObj)\nName (FOO, 1)",
        "Scope (\\_SB.PCI9.XXXX) { Name (FOO, 1) }",
        'Device (DEV) { Name (_HID, EisaId ("PNP0A08")) Name (_PLD, Buffer (16) {}) }',
        (
            "Name (R, ResourceTemplate () { QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, "
            "Cacheable, ReadWrite, 0, 0x1000, 0x1FFF, 0, 0x5000) })"
        ),
    ],
)
def test_what_a_kernel_takes_all_the_same_is_a_table(body: str) -> None:
    """`iasl` calls each of these an error, or did in some version."""
    (table,) = tables_of((BLOCK % body).encode(), "x.dsl").tables
    assert (table.signature, table.checksum_ok) == ("SSDT", True)


def test_all_texts_of_a_source_have_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asl, "BUDGET_SECONDS", 0.05)
    assert refused(BLOCK % "" * 100).message == "iasl did not finish within 0.05 seconds"


@pytest.mark.parametrize("start", ["/*", '"', 'DefinitionBlock ("', "[0h \n", "include", "\\"])
def test_a_text_without_ends_takes_linear_time(start: str) -> None:
    with pytest.raises(Unreadable):
        tables_of((BLOCK % (start * 100_000)).encode(), "x.dsl")
