"""What stands at a place of a description, also of one that does not parse: the way to a value or key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct

from rootplex.source.finding import Unreadable
from rootplex.source.node import Node
from rootplex.source.place import Place, Span
from rootplex.source.yaml12 import load_yaml

Path: TypeAlias = tuple[str | int, ...]

_MARK = "rootplex-stands-here"
_WORD_BEFORE = re.compile(r"[\w.:+-]*\Z")
_WORD_AFTER = re.compile(r"[\w.+-]*")
_CLOSING = {"[": "]", "{": "}"}


class Spot(Struct, frozen=True, kw_only=True):
    """A value, or the key that it stands at: the way there, the node (a key's value), where it is written."""

    path: Path
    node: Node
    at: Span
    is_key: bool


class Word(Struct, frozen=True, kw_only=True):
    """The word that is being typed: its stretch of the line, and what stands before and behind it there."""

    at: Span
    text: str
    before: str
    after: str

    @property
    def has_colon(self) -> bool:
        return self.after.lstrip().startswith(":")

    @property
    def is_quoted(self) -> bool:
        return self.before.endswith(('"', "'"))


def tree_of(text: str) -> Node | None:
    """The document in a text; None where it does not parse."""
    try:
        return load_yaml(text, "")
    except Unreadable:
        return None


def spots(node: Node, path: Path = ()) -> Iterator[Spot]:
    """Every key and every scalar, in order."""
    if isinstance(node.value, Mapping):
        for key, below in node.value.items():
            at = node.keys[key]
            if isinstance(at, Span):
                yield Spot(path=(*path, key), node=below, at=at, is_key=True)
            yield from spots(below, (*path, key))
    elif isinstance(node.value, tuple):
        for i, below in enumerate(node.value):
            yield from spots(below, (*path, i))
    elif isinstance(node.place, Span):
        yield Spot(path=path, node=node, at=node.place, is_key=False)


def spot_at(document: Node, line: int, column: int) -> Spot | None:
    """The key or scalar at a place (from 1; the place behind it counts as it)."""
    node = document
    path: Path = ()
    while True:
        below: tuple[Path, Node] | None = None
        if isinstance(node.value, Mapping):
            for key, value in node.value.items():
                at = node.keys[key]
                if _holds(at, line, column):
                    assert isinstance(at, Span)
                    return Spot(path=(*path, key), node=value, at=at, is_key=True)
                if _holds(value.place, line, column):
                    below = ((*path, key), value)
        elif isinstance(node.value, tuple):
            for i, value in enumerate(node.value):
                if _holds(value.place, line, column):
                    below = ((*path, i), value)
        elif isinstance(node.place, Span):
            return Spot(path=path, node=node, at=node.place, is_key=False)
        if below is None:
            return None
        path, node = below


def _holds(place: Place, line: int, column: int) -> bool:
    return isinstance(place, Span) and (place.line, place.column) <= (line, column) <= (
        place.end_line,
        place.end_column,
    )


def word_at(text: str, line: int, column: int) -> Word:
    """The word around a place."""
    row = text.split("\n")[line - 1]
    before = _WORD_BEFORE.search(row[: column - 1])
    after = _WORD_AFTER.match(row, column - 1)
    assert before is not None
    end = column - 1 if after is None else after.end()
    at = Span("", line, before.start() + 1, line, end + 1)
    return Word(at=at, text=row[before.start() : end], before=row[: before.start()], after=row[end:])


def typed_at(text: str, word: Word) -> Iterator[tuple[Node, Spot]]:
    """What the word is, or is going to be, a value or a key, as far as the text parses with it; each with the
    document that it then is."""
    lines = text.split("\n")
    above, below = lines[: word.at.line - 1], lines[word.at.line :]
    for mark in (_MARK,) if word.has_colon else (_MARK, f"{_MARK}: 0"):
        begun = "\n".join([*above, f"{word.before}{mark}"])
        whole = "\n".join([f"{begun}{word.after}", *below])
        tried = (whole, _closed(f"{begun}{word.after}"), _closed(begun))
        document = next((found for each in tried if (found := tree_of(each)) is not None), None)
        if document is not None:
            yield from ((document, spot) for spot in spots(document) if _is_marked(spot))


def _is_marked(spot: Spot) -> bool:
    return spot.path[-1:] == (_MARK,) if spot.is_key else spot.node.value == _MARK


def _closed(text: str) -> str:
    """A text with the brackets closed that are open at its end."""
    open_: list[str] = []
    quote = ""
    for line in text.split("\n"):
        for i, char in enumerate(line):
            if quote:
                quote = "" if char == quote else quote
            elif char in "\"'" and (i == 0 or line[i - 1] in " ,[{:"):
                quote = char
            elif char == "#" and (i == 0 or line[i - 1] == " "):
                break
            elif char in _CLOSING:
                open_.append(_CLOSING[char])
            elif open_ and char == open_[-1]:
                open_.pop()
    return text + quote + "".join(reversed(open_))
