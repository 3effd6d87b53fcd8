"""Text as it was pasted: Windows' programs write UTF-16, and put a mark of the encoding before it."""

from __future__ import annotations

import codecs

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LOOKED_AT = 32


def as_utf8(data: bytes) -> bytes:
    """Text of one of these encodings as UTF-8 without a mark; all other bytes as they are."""
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
