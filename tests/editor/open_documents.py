"""Descriptions as an editor has them open, and places in them."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types
from pygls.workspace import PositionCodec

from rootplex.editor.document import Document
from rootplex.editor.server import checked_text
from rootplex.jobs.check import go_on
from rootplex.jobs.settings import RunOptions

CHECKOUT = Path(__file__).resolve().parents[2]
BOARD = (CHECKOUT / "topologies" / "qemu-virt-three-segments.yaml").read_text(encoding="utf-8")


def opened(text: str = BOARD) -> Document:
    """A document that has been checked once."""
    document = Document("file:///case.yaml", "/case.yaml", PositionCodec())
    check(document, text)
    return document


def check(document: Document, text: str) -> None:
    """The document with another text, checked."""
    document.becomes(text, document.version + 1)
    document.learns(*checked_text(text, document.file, RunOptions(), go_on))


def position(text: str) -> tuple[str, types.Position]:
    """The text without its `|`, and where that stood."""
    assert text.count("|") == 1
    before, after = text.split("|")
    line = before.count("\n")
    return before + after, types.Position(line, len(before) - before.rfind("\n") - 1)


def at(text: str, old: str, new: str) -> tuple[str, types.Position]:
    """The text with `new` in place of the first `old`, and where the `|` in it stood."""
    assert old in text
    return position(text.replace(old, new, 1))
