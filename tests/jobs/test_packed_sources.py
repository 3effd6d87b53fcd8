"""Sources as they are handed round: packed, in archives, and in the encoding of Windows' programs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rootplex.fleet.work import with_bytes
from rootplex.jobs.boards import boards_of
from rootplex.jobs.sources import kind_of, source_of_bytes
from rootplex.jobs.validate import validate_board
from rootplex.readers.archives import UNPACKED_LIMIT
from rootplex.source.finding import Unreadable

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "generated" / "juno-r2"
NATIVE = ROOT / "tests" / "capture" / "native"
DTB = (BOARD / "juno-r2.dtb").read_bytes()
MCFG = (BOARD / "mcfg.aml").read_bytes()
SSDT = (BOARD / "ssdt.aml").read_bytes()
TABLES = (MCFG, SSDT, (BOARD / "iort.aml").read_bytes())
CONFIG = gzip.compress(b"CONFIG_PCI=y\n" * 2000)
"""As /proc/config.gz."""


def dump(*tables: bytes) -> str:
    """acpidump's text (ACPICA's source/tools/acpidump/apdump.c, ApDumpTableBuffer)."""
    lines = []
    for table in tables:
        lines.append(f"{table[:4].decode()} @ 0x0000000000000000")
        for at in range(0, len(table), 16):
            row = table[at : at + 16]
            lines.append(f"  {at:04X}: {row.hex(' ').upper():<48} {'.' * len(row)}")
        lines.append("")
    return "\n".join(lines) + "\n"


_ROWS = [bytes((0x36, 0x1B, 0x0D)) + bytes(13), *[bytes(16)] * 15]
LSPCI = "00:00.0 Host bridge: x\n" + "".join(
    f"{16 * at:02x}: {row.hex(' ')}\n" for at, row in enumerate(_ROWS)
)
DTS = '/dts-v1/;\n/ { #address-cells = <2>; #size-cells = <2>; model = "ü"; };\n'
SNAPSHOT = next(NATIVE.glob("*.txt.gz"), None)


def tar(*files: tuple[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize(
    ("data", "kind"),
    [(DTB, "dtb"), (MCFG, "acpi"), (dump(MCFG, SSDT).encode(), "acpi"), (LSPCI.encode(), "paste")],
    ids=["dtb", "table", "dump", "lspci"],
)
def test_what_is_packed_is_what_is_in_it(
    pack: Callable[[bytes], bytes], data: bytes, kind: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.gz"
    file.write_bytes(pack(data))
    assert kind_of(pack(data)) == kind
    assert source_of_bytes(pack(data), "x").kind == kind
    assert [item.kind for board in boards_of([str(file)]) for item in board.items] == [kind]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [(dump(MCFG, SSDT), "acpi"), (LSPCI, "paste"), (DTS, "dts")],
    ids=["dump", "lspci", "dts"],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_text_in_the_encodings_of_windows(encoding: str, text: str, kind: str, ends: str) -> None:
    data = text.replace("\n", ends).encode(encoding)
    source, plain = source_of_bytes(data, "x"), source_of_bytes(text.encode(), "x")
    assert source.kind == kind
    assert source.tables == plain.tables
    if source.tree is not None:
        assert source.tree.root.string("model") == "ü"


def test_an_archive_with_everything_of_a_machine_is_one_board(tmp_path: Path) -> None:
    files = (
        ("boot/dump.txt.gz", gzip.compress(dump(*TABLES).encode("utf-16"))),
        ("boot/board.dtb.xz", lzma.compress(DTB)),
        ("proc/config.gz", CONFIG),
        ("notes.txt", b"a board"),
    )
    for name, data in (("x.tar.gz", tar(*files, mode="w:gz")), ("x.zip", zipped(*files))):
        (tmp_path / name).write_bytes(data)
        (board,) = boards_of([str(tmp_path / name)])
        assert [(item.kind, item.path) for item in board.items] == [
            ("dtb", f"{tmp_path / name}/boot/board.dtb"),
            ("acpi", f"{tmp_path / name}"),
        ]
        result = validate_board(board)
        apart = validate_board(boards_of([str(BOARD)])[0])
        assert {each.code for each in result.findings} == {each.code for each in apart.findings}
        assert result.machine.bridges[0].segment == apart.machine.bridges[0].segment


def test_one_source_in_an_archive_is_that_source() -> None:
    data = tar(("a/board.dtb", DTB), ("config.gz", CONFIG))
    source = source_of_bytes(gzip.compress(data), "x.tgz")
    assert (source.kind, source.file) == ("dtb", "x.tgz/a/board.dtb")
    with pytest.raises(Unreadable) as error:
        source_of_bytes(tar(("a.dtb", DTB), ("mcfg.dat", MCFG)), "x.tar")
    (finding,) = error.value.findings
    assert finding.message == "an archive with several sources: ACPI tables, device tree"


def test_a_folder_is_the_same_where_it_is_sent() -> None:
    (board,) = boards_of([str(BOARD)])
    assert validate_board(with_bytes(board)) == validate_board(board)


def test_a_snapshot_may_be_packed() -> None:
    assert SNAPSHOT is not None
    data = SNAPSHOT.read_bytes()
    assert source_of_bytes(data, "x").kind == "snapshot"
    assert source_of_bytes(tar(("snapshot.txt.gz", data), ("config.gz", CONFIG)), "x").kind == "snapshot"


def test_what_is_packed_in_members_is_bounded_together(tmp_path: Path) -> None:
    half = gzip.compress(bytes(UNPACKED_LIMIT // 2 + 1))
    for data in (tar(("a.gz", half), ("b.gz", half)), zipped(("a.gz", half), ("b.gz", half))):
        with pytest.raises(Unreadable, match="more than 4096 files or 32 MiB"):
            source_of_bytes(data, "x")
        (tmp_path / "x.tar").write_bytes(data)
        (board,) = boards_of([str(tmp_path / "x.tar")])
        assert validate_board(board).unreadable
    with pytest.raises(Unreadable, match=r"x/a\.gz: damaged archive"):
        source_of_bytes(tar(("a.gz", gzip.compress(MCFG)[:-6])), "x")


def test_a_folder_of_packed_tables(tmp_path: Path) -> None:
    (tmp_path / "MCFG").write_bytes(MCFG)
    (tmp_path / "ssdt.aml.gz").write_bytes(gzip.compress(SSDT))
    (board,) = boards_of([str(tmp_path)])
    assert not validate_board(board).unreadable
    assert validate_board(board).machine.bridges


def test_what_is_no_source_is_said_to_be_none(tmp_path: Path) -> None:
    for name, data in (("config.gz", CONFIG), ("x.txt", "plain\n".encode("utf-16"))):
        (tmp_path / name).write_bytes(data)
        (board,) = boards_of([str(tmp_path / name)])
        (finding,) = validate_board(board).findings
        assert finding.message.startswith("neither a device tree, ACPI tables, a snapshot")
