"""A description that is open in an editor: its text, its tree, and what its last whole check found."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lsprotocol import types
from pygls.workspace import PositionCodec

from rootplex.editor.tree import tree_of
from rootplex.jobs.describe import Checked
from rootplex.jobs.result import Device, Result
from rootplex.source.finding import Finding
from rootplex.source.node import Node
from rootplex.source.place import Place, Span

_OURS = re.compile(r"^rootplex[ \t]*:", re.MULTILINE)
_EMPTY = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*[a-z]*\Z")


class Document:
    """`tree` is that of the text, or where it does not parse (`parses` is False) of the last one that did.
    `findings` are those of the last text that was checked; `good` is the last result with a machine,
    `described` the last description that could be built."""

    def __init__(self, uri: str, file: str, codec: PositionCodec) -> None:
        self.uri, self.file, self.codec = uri, file, codec
        self.text = ""
        self._lines = ["\n"]
        self.version = 0
        self.is_ours = False
        self.findings: tuple[Finding, ...] = ()
        self.good: Result | None = None
        self.described: Checked | None = None
        self._checked: str | None = None
        self._tree: Node | None = None
        self._tree_of: str | None = None
        self._parses = False

    def becomes(self, text: str, version: int) -> None:
        """The text as it is now. A file is ours that has, or has had, the language's first key."""
        self.text, self.version = text, version
        self._lines = [f"{line}\n" for line in text.split("\n")]
        self.is_ours = self.is_ours or _OURS.search(text) is not None

    @property
    def may_be_ours(self) -> bool:
        """Whether it is, or has nothing yet but a first word."""
        return self.is_ours or _EMPTY.fullmatch(self.text) is not None

    def learns(self, checked: Checked | None, result: Result) -> None:
        """What a check of the present text found."""
        self.findings, self._checked = result.findings, self.text
        if checked is not None:
            self._tree, self._tree_of, self._parses = checked.document, self.text, True
        if checked is not None and checked.platform is not None:
            self.described = checked
        if result.machine.bridges:
            self.good = result

    @property
    def is_checked(self) -> bool:
        """Whether the findings are those of the text as it is now."""
        return self._checked == self.text

    @property
    def tree(self) -> Node | None:
        if self._tree_of != self.text:
            tree = tree_of(self.text)
            self._tree_of, self._parses = self.text, tree is not None
            self._tree = tree or self._tree
        return self._tree

    @property
    def parses(self) -> bool:
        return self.tree is not None and self._parses

    @property
    def devices(self) -> Mapping[str, Device]:
        """The functions of the last machine, by name."""
        devices = () if self.good is None else self.good.machine.devices
        return {each.name: each for each in devices if each.name is not None}

    def row(self, at: Span) -> str:
        """What the text has at a place within a line."""
        row = self._lines[at.line - 1] if at.line <= len(self._lines) else ""
        return row[at.column - 1 : at.end_column - 1]

    def range(self, at: Place) -> types.Range:
        """A place as the client counts; the first line's beginning where it is none of this text."""
        if not isinstance(at, Span):
            return types.Range(types.Position(0, 0), types.Position(0, 0))
        span = types.Range(
            types.Position(at.line - 1, at.column - 1), types.Position(at.end_line - 1, at.end_column - 1)
        )
        return self.codec.range_to_client_units(self._lines, span)

    def place(self, position: types.Position) -> tuple[int, int]:
        """Line and column, from 1, of a place that the client names; within the text whatever it is."""
        lines = self._lines
        line = min(position.line, len(lines) - 1)
        within = types.Position(line, position.character if line == position.line else len(lines[line]))
        found = self.codec.position_from_client_units(lines, within)
        return line + 1, min(found.character, len(lines[line].rstrip("\r\n"))) + 1
