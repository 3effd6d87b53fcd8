"""Files out of archives that anyone may have made: zip, tar, and what gzip, bzip2 or xz packed.

What is packed, members too, is unpacked through a bounded reader before its headers are looked at, and
nothing is written anywhere: a member is a name and its bytes. Of tar only the headers that say where files
begin are read (POSIX.1-2017 pax, "ustar Interchange Format", and GNU's long names); links, devices and sparse
files are no files.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeAlias

from rootplex.source.finding import Unreadable, unreadable

UNPACKED_LIMIT = 32 << 20
"""Bytes of all members together, and of what they are packed into."""
FILES_LIMIT = 4096
NAME_LIMIT = 4096

Member = tuple[str, bytes]

Stream: TypeAlias = io.BytesIO | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile

_PACKED: dict[bytes, Callable[[io.BytesIO], Stream]] = {
    b"\x1f\x8b": lambda data: gzip.GzipFile(fileobj=data),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_SUFFIXES = (".gz", ".bz2", ".xz")
_ZIP = b"PK\x03\x04"
_ZIP_ENTRY = b"PK\x01\x02"
_BLOCK = 512
_AT_ONCE = 1 << 20
_FILE_TYPES = b"0\0" + b"7"
_LONG_NAME, _GLOBAL, _EXTENDED = b"L", b"g", b"x"


def is_archive(data: bytes) -> bool:
    """Whether bytes begin as an archive does, or are packed."""
    return is_packed(data) or data.startswith(_ZIP) or _is_tar(data)


def is_packed(data: bytes) -> bool:
    """Whether bytes begin as what gzip, bzip2 or xz made."""
    return data.startswith(tuple(_PACKED))


def unpacked(data: bytes, file: str) -> bytes:
    """What is packed in bytes; bytes that are not packed as they are.

    Unreadable: damaged, packed twice, an archive that is not a tar, more than 32 MiB unpacked.
    """
    if not is_packed(data):
        return data
    found = _unpacked(data, file, UNPACKED_LIMIT)
    if is_packed(found) or found.startswith(_ZIP):
        raise unreadable(file, "an archive within an archive", help="unpack it, and give what is in it")
    return found


def beginning_unpacked(data: bytes, size: int) -> bytes:
    """The first bytes of what is packed in the first bytes of a file, as far as they tell."""
    opener = next((opener for magic, opener in _PACKED.items() if data.startswith(magic)), None)
    found = io.BytesIO()
    with suppress(Exception):  # whatever a library makes of hostile bytes
        _copy(io.BytesIO(data) if opener is None else opener(io.BytesIO(data)), found, size)
    return found.getvalue()


def members(data: bytes, file: str) -> Iterator[Member]:
    """The files of an archive in its order, each unpacked; what is packed and no archive is one file
    without a name.

    Unreadable: damaged, packed twice, more than 4,096 files or 32 MiB unpacked, a name that is too long.
    """
    data = unpacked(data, file)
    if data.startswith(_ZIP):
        return each_unpacked(_zip_members(data, file), file)
    return each_unpacked(_tar_members(data, file), file) if _is_tar(data) else iter([("", data)])


def archive_of(files: Iterable[Member]) -> bytes:
    """A tar of these files: what can be sent where a folder cannot."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def each_unpacked(found: Iterator[Member], file: str) -> Iterator[Member]:
    """The members, the packed ones unpacked and called so; what is packed twice is left for no source."""
    left = UNPACKED_LIMIT
    for name, body in found:
        if not is_packed(body):
            yield name, body
            continue
        whole = _unpacked(body, f"{file}/{name}", left)
        left -= len(whole)
        suffix = next((each for each in _SUFFIXES if name.lower().endswith(each)), "")
        yield name[: len(name) - len(suffix)], whole


def _is_tar(data: bytes) -> bool:
    return data[257:262] == b"ustar"


def _unpacked(data: bytes, file: str, room: int) -> bytes:
    opener = next(opener for magic, opener in _PACKED.items() if data.startswith(magic))
    try:
        with opener(io.BytesIO(data)) as stream:
            copied = io.BytesIO()
            _copy(stream, copied, room + 1)
            found = copied.getvalue()
    except Exception as error:  # whatever a library makes of hostile bytes
        raise unreadable(file, f"damaged archive: {_said(error)}") from None
    if len(found) > room:
        raise _too_large(file)
    return found


def _copy(stream: Stream, out: io.BytesIO, size: int) -> None:
    """The first bytes of what a stream unpacks; they stand in memory once."""
    while size > 0 and (more := stream.read1(min(size, _AT_ONCE))):
        size -= out.write(more)


def _zip_members(data: bytes, file: str) -> Iterator[Member]:
    if data.count(_ZIP_ENTRY) > FILES_LIMIT:
        raise _too_large(file)
    left = UNPACKED_LIMIT
    name = ""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                name = info.filename
                if info.is_dir():
                    continue
                with archive.open(info) as stream:
                    found = stream.read(left + 1)
                left -= len(found)
                if left < 0:
                    raise _too_large(file)
                yield _plain(name, file), found
    except Unreadable:
        raise
    except Exception as error:
        where = f" at its member {name[:80]}" if name else ""
        raise unreadable(file, f"damaged zip archive{where}: {_said(error)}") from None


def _tar_members(data: bytes, file: str) -> Iterator[Member]:
    at, count, long_name = 0, 0, ""
    while at + _BLOCK <= len(data) and any(head := data[at : at + _BLOCK]):
        size = _octal(head[124:136])
        if head[257:262] != b"ustar" or size is None:
            raise unreadable(file, f"damaged tar archive: no header at byte {at}")
        start = at + _BLOCK
        if size > len(data) - start:
            raise unreadable(file, f"damaged tar archive: the member at byte {at} is cut off")
        body, kind = data[start : start + size], head[156:157]
        at = start + -(-size // _BLOCK) * _BLOCK
        count += 1
        if count > FILES_LIMIT:
            raise _too_large(file)
        if kind in (_GLOBAL, _EXTENDED):
            continue
        if kind == _LONG_NAME:
            long_name = _text(body)
            continue
        if kind in _FILE_TYPES:
            folder = _text(head[345:500]) if head[262:263] == b"\0" else ""  # GNU has times there
            name = long_name or "/".join(filter(None, (folder, _text(head[:100]))))
            yield _plain(name, file), body
        long_name = ""


def _octal(field: bytes) -> int | None:
    """A number of a tar header; None where it is none, or is beyond what octal digits can say."""
    digits = field.strip(b" \0")
    return int(digits or b"0", 8) if all(digit in b"01234567" for digit in digits) else None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _plain(name: str, file: str) -> str:
    """A member's name that leads to no other place than into the archive."""
    if len(name) > NAME_LIMIT:
        raise unreadable(file, f"archive with a name of {len(name)} characters")
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _too_large(file: str) -> Unreadable:
    return unreadable(file, f"archive of more than {FILES_LIMIT} files or {UNPACKED_LIMIT >> 20} MiB")


def _said(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
