"""A file's bytes, read up to a limit: what is named may be a device, or grow. Text may be of Windows."""

from __future__ import annotations

import codecs
from pathlib import Path

from rootplex.source.finding import unreadable

LIMIT = 32 << 20
"""Of anything that is read: far above what firmware has, and read whole within 300 MB of memory."""

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LOOKED_AT = 32


def bytes_of(path: Path, file: str, limit: int = LIMIT) -> bytes:
    """The file's bytes; `file` names it in places. Unreadable where there are more than `limit`, OSError
    where it cannot be opened or read."""
    data = beginning_of(path, limit + 1)
    if len(data) > limit:
        raise unreadable(file, f"the file is larger than {limit >> 20} MiB")
    return data


def beginning_of(path: Path, size: int) -> bytes:
    """The first bytes, or all where there are fewer; an OSError names the file."""
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def as_utf8(data: bytes) -> bytes:
    """Text as UTF-8 without a mark, whichever of these encodings it is in (Windows' programs write UTF-16);
    all other bytes as they are."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace").encode()
    for even, encoding in enumerate(("utf-16-be", "utf-16-le")):
        if _is_every_other_zero(data[:_LOOKED_AT], even):
            return data.decode(encoding, "replace").encode()
    return data


def _is_every_other_zero(head: bytes, of: int) -> bool:
    """Whether the bytes at even places (of 0), or at odd ones, are zero and the others are ASCII text."""
    text = head[1 - of :: 2]
    return (
        len(head) == _LOOKED_AT
        and not any(head[of::2])
        and all(0x20 <= char < 0x7F or char in b"\t\r\n" for char in text)
    )
