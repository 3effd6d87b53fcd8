"""Archives that anyone may have made: read within their bounds, or refused in one line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rootplex.readers.acpi.acpidump import read_tables, tables_of
from rootplex.readers.archives import FILES_LIMIT, UNPACKED_LIMIT, members
from rootplex.source.finding import Unreadable

CASES = Path(__file__).parent / "cases"
MCFG = struct.pack("<4sIBB6s8sI4sI", b"MCFG", 44, 1, 0, b"ROOTPX", b"HOSTILE ", 1, b"RTPX", 1) + bytes(8)
Made = list[tuple[tarfile.TarInfo, bytes]]


def refusal(data: bytes) -> str:
    with pytest.raises(Unreadable) as error:
        tables_of(data, "x")
    (finding,) = error.value.findings
    assert "\n" not in finding.message
    return finding.message


def tar(*files: tuple[str, bytes], form: int = tarfile.GNU_FORMAT, **facts: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for fact, value in facts.items():
                setattr(info, fact, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def with_size(archive: bytes, field: bytes) -> bytes:
    return archive[:124] + field + archive[136:]


def names(data: bytes) -> list[str]:
    return [table.file for table in tables_of(data, "x").tables]


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def test_a_member_that_does_not_unpack_is_named() -> None:
    data = (CASES / "corrupt-lzma.zip").read_bytes()
    assert refusal(data) == "damaged zip archive at its member s: Corrupt input data"


def test_names_that_unicode_takes_for_numbers() -> None:
    """They give a table no place among the others; the refusal names the member."""
    data = (CASES / "superscript.zip").read_bytes()
    said = "the table in ssdt².aml has no place in the order: ² is none of the digits 0 to 9"
    assert refusal(data) == said


@pytest.mark.parametrize("digit", "²③٣０𝟗")
def test_only_a_tables_own_name_must_be_in_digits(digit: str, tmp_path: Path) -> None:
    assert f"ssdt{digit}.dat" in refusal(zipped((f"a/ssdt{digit}.dat", MCFG)))
    assert f"ssdt{digit}.dat" in refusal(tar((f"a/ssdt{digit}.dat", MCFG)))
    (tmp_path / f"ssdt{digit}.dat").write_bytes(MCFG)
    with pytest.raises(Unreadable):
        read_tables(tmp_path, "x")
    assert names(zipped((f"{digit}/ssdt1.dat", MCFG), (f"readme{digit}", b"no table"))) == [
        f"x/{digit}/ssdt1.dat"
    ]
    (table,) = tables_of(gzip.compress(MCFG), f"ssdt{digit}.dat.gz").tables
    assert table.file == f"ssdt{digit}.dat.gz"


@pytest.mark.parametrize("layers", [1, 2])
def test_a_name_of_two_gigabytes_takes_no_time_and_no_memory(layers: int) -> None:
    data = (CASES / "tar-longname.tgz.gz").read_bytes()
    data = gzip.decompress(data) if layers == 1 else data
    begun = time.monotonic()
    tracemalloc.start()
    said = refusal(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said in ("archive of more than 4096 files or 32 MiB", "an archive within an archive")
    assert peak < 100 << 20
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("pack", PACK)
def test_what_is_packed_is_bounded(pack: str) -> None:
    assert "more than 4096 files or 32 MiB" in refusal(PACK[pack](bytes(UNPACKED_LIMIT + 1)))
    assert names(PACK[pack](tar(("a/mcfg.dat", MCFG)))) == ["x/a/mcfg.dat"]
    assert names(PACK[pack](MCFG)) == ["x"]
    assert refusal(PACK[pack](gzip.compress(MCFG))) == "an archive within an archive"
    assert refusal(PACK[pack](zipped(("a", MCFG)))) == "an archive within an archive"
    assert "damaged archive" in refusal(PACK[pack](MCFG)[:-6])


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_members_of_a_zip_are_bounded_together(method: int) -> None:
    half = bytes(UNPACKED_LIMIT // 2)
    assert "more than 4096 files or 32 MiB" in refusal(zipped(("a", half), ("b", half + b"x"), method=method))
    assert names(zipped(("2/mcfg", MCFG), ("10/mcfg", MCFG), method=method)) == ["x/2/mcfg", "x/10/mcfg"]


def test_a_size_that_lies_says_nothing() -> None:
    """Of what a header says nothing is believed but by what is there."""
    data = zipped(("a", bytes(UNPACKED_LIMIT * 2)))
    at = data.rindex(b"PK\x01\x02")
    assert "32 MiB" in refusal(data) or "damaged" in refusal(data)
    lying = data[: at + 24] + struct.pack("<I", 16) + data[at + 28 :]
    assert refusal(lying)


def test_too_many_members() -> None:
    many = [(f"{n}", b"") for n in range(FILES_LIMIT + 1)]
    assert "more than 4096 files" in refusal(zipped(*many))
    assert "more than 4096 files" in refusal(tar(*many))


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (b"\xff" * 12, "no header"),  # -1, base 256
        (b"\x80" + b"\0" * 3 + b"\x7f" * 8, "no header"),
        (b"-0000000001\0", "no header"),
        (b"77777777777\0", "cut off"),
        (b"00000000063 ", "cut off"),
        ("²²²²²²".encode(), "no header"),
    ],
)
def test_sizes_of_a_tar(field: bytes, said: str) -> None:
    archive = tar(("a", MCFG))[: 512 + 50]
    assert said in refusal(with_size(archive, field))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("length", [90, 200, 254])
def test_long_names(form: int, length: int) -> None:
    name = "d/" * ((length - 8) // 2) + "mcfg.dat"
    if form != tarfile.PAX_FORMAT or length < 200:
        assert names(tar((name, MCFG), form=form)) == [f"x/{name}"]
    assert len(names(tar((name, MCFG), ("b", MCFG), form=form))) == 2


def test_a_name_that_is_too_long() -> None:
    assert refusal(tar(("n" * 5000, MCFG))) == "archive with a name of 5000 characters"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../etc/passwd", "..\\etc\\passwd"])
def test_a_member_climbs_nowhere(name: str) -> None:
    for data in (tar((name, MCFG)), zipped((name, MCFG))):
        (found,) = names(data)
        assert found in ("x/etc/passwd", "x/a/etc/passwd")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"S", b"V"]
)
def test_what_is_no_file_is_no_member(kind: bytes) -> None:
    data = tar(("link", b""), type=kind, linkname="/etc/passwd")[:512] + tar(("mcfg", MCFG))
    assert names(data) == ["x/mcfg"]


def test_an_archive_in_an_archive_is_no_table() -> None:
    assert refusal(tar(("inner.zip", zipped(("a", MCFG))))) == "no ACPI table in it"


@pytest.mark.parametrize("seed", range(4))
def test_damaged_archives_are_read_or_refused(seed: int) -> None:
    dice = random.Random(seed)
    whole = [
        tar(("a/mcfg.dat", MCFG), ("n" * 150, MCFG)),
        tar(("a/mcfg.dat", MCFG), ("n" * 300, MCFG), form=tarfile.PAX_FORMAT),
        *(pack(tar(("a", MCFG))) for pack in PACK.values()),
        *(zipped(("a", MCFG), ("b", MCFG * 50), method=method) for method in (0, 8, 12, 14)),
    ]
    for _ in range(300):
        data = bytearray(dice.choice(whole))
        for _ in range(dice.choice((1, 2, 8))):
            data[dice.randrange(len(data))] = dice.choice((0, 1, 0x20, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        try:
            assert all(len(body) <= UNPACKED_LIMIT for _, body in members(bytes(data), "x"))
            tables_of(bytes(data[: dice.choice((len(data), dice.randrange(len(data))))]), "x")
        except Unreadable as error:
            assert error.findings
