"""Somebody's text, safe to show: what steers a terminal or turns its lines about is shown as its escape.

Names out of firmware, of files and in descriptions may hold anything. Control characters (C0, C1, DEL),
bidirectional ones (Unicode TR9), what stands for bytes that are no UTF-8, and separators that end a line for
some readers.
"""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
_FORMATS = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_NO_TEXT = "\ufffe\uffff\ud800-\udfff"
_UNSAFE = re.compile(f"[{_CONTROLS}{_FORMATS}{_NO_TEXT}]")
_COLOUR = re.compile(r"\x1b\[[0-9;]{1,8}m")

_PLAIN = {"…": "...", "·": ".", "→": "->", "├": "|", "└": "`", "│": "|", "─": "-", "×": "x", "§": "S"}
"""Our own characters, where a stream has ASCII only."""


def printable(text: str, *, coloured: bool = False) -> str:
    """The text with its lines and tabs; `coloured` lets through what sets colours."""
    if text.isascii() and text.isprintable():
        return text
    if not coloured:
        return _UNSAFE.sub(_escape, text)
    colours = _COLOUR.findall(text)
    parts = [_UNSAFE.sub(_escape, part) for part in _COLOUR.split(text)]
    return "".join(part + colour for part, colour in zip(parts, [*colours, ""], strict=True))


def one_line(text: str) -> str:
    """The text as one line."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    return f"\\x{ord(char):02x}" if char.isascii() else _ascii(char)


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def plain(error: UnicodeError) -> tuple[str, int]:
    """For `codecs.register_error`: what a stream cannot encode, in ASCII."""
    assert isinstance(error, UnicodeEncodeError)
    left = error.object[error.start : error.end]
    return _ascii("".join(_PLAIN.get(char, char) for char in left)), error.end
