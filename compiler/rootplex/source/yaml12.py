"""YAML 1.2 with places: text to a tree of `Node`s, or one clear error.

PyYAML's parser gives events with marks; scalars are resolved here by the YAML 1.2 core schema
(YAML 1.2.2 §10.3.2), since PyYAML's own 1.1 rules turn `0000:03:00.0` into 180.0 and `no` into
false. Duplicate keys, tags and several documents are refused; size, depth and alias expansion
are bounded.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml
from msgspec import Struct, field
from msgspec.structs import replace

from rootplex.source.finding import UNREADABLE, Finding, Unreadable
from rootplex.source.node import Node, Scalar
from rootplex.source.place import Place, Span
from rootplex.source.schema_words import shown

MAX_BYTES = 16 << 20
MAX_DEPTH = 100
PROBLEMS_LIMIT = 1000
"""Faults of a text that are told: tags, keys that are there twice."""
MAX_NODES = 500_000
"""A whole segment, 65,536 functions of four keys each, has 330,000 values in 3.5 MB."""

# PyYAML's stubs call every mark optional; events of a parsed text always have both.
_Mark: TypeAlias = Any

_YAML_HELP = {
    "tab character": "indent with spaces",
    "cannot start any token": "indent with spaces, not tabs; quote a text that begins with @, ` or %",
    "could not find expected ':'": "write 'key: value', with a space after the colon",
    "mapping values are not allowed": "quote a text with ': ' in it; keys of one map stand in one column",
    "expected ',' or": "close the bracket, or quote a text with ': ' in it",
    "expected '-' indicator": "begin the keys of a list's entry in one column",
    "expected <block end>": "begin the keys of a map in one column",
    "expected key": "begin the keys of a map in one column",
}
"""What to do, by words of the parser's."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SPECIAL_FLOAT = {
    **dict.fromkeys((f"{sign}.{word}" for sign in ("", "+") for word in ("inf", "Inf", "INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_OTHERS_OCTAL = re.compile(r"[-+]?0[0-7]+")
_BASE = {"0x": 16, "0o": 8}
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def plain_scalar(text: str) -> Scalar:
    """What an unquoted scalar means by the core schema; anything else is the text itself."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in _NUMBER_START or len(text) > 400:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, _BASE.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    return _SPECIAL_FLOAT.get(text, text)


def as_yaml(value: object) -> str:
    """A value on one line of YAML: text in quotes where it is more than a word, or reads otherwise."""
    if isinstance(value, str) and _WORD.fullmatch(value) and plain_scalar(value) == value:
        return value
    return json.dumps(value)


class _Open(Struct):
    """A list or map whose end has not come yet."""

    start: _Mark
    is_map: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    key: str | None = None
    nodes: int = 1


def load_yaml(text: str | bytes, file: str) -> Node:
    """The document in `text` as nodes with spans in `file`; `Unreadable` for anything else."""
    if isinstance(text, bytes):
        text = _decoded(text, file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(file).compose(iter(yaml.parse(text, Loader=loader)))
    except yaml.MarkedYAMLError as error:
        mark: _Mark = error.problem_mark or error.context_mark
        words = " ".join(part for part in (error.problem, error.context) if part)
        message = f"the YAML does not parse: {words or 'no reason given'}"
        raise Unreadable((_unparsed(file, mark, error.context_mark, message),)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise _refused(file, line, column, f"the YAML does not parse: {error.reason}") from None


def _decoded(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise _refused(file, 1, 1, f"the file is larger than {MAX_BYTES >> 20} MiB")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise _refused(file, line, column, "the text is not UTF-8") from None


class _Composer:
    """Events to nodes, without recursion: a deep file costs memory, never the stack."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.root: Node | None = None
        self.documents = 0
        self.count = 0
        self.last_end: _Mark = None
        self.problems: list[Finding] = []

    def compose(self, events: Iterator[yaml.Event]) -> Node:
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self.scalar(event)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self.start(event)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self.end(event)
            elif isinstance(event, yaml.AliasEvent):
                self.alias(event)
            elif isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    raise self.refuse(event, "a second document starts here; a description is one document")
        if self.problems:
            raise Unreadable(tuple(self.problems))
        if self.root is None:
            raise _refused(self.file, 1, 1, "the file is empty")
        return self.root

    def scalar(self, event: yaml.ScalarEvent) -> None:
        self.no_tag(event)
        plain = event.implicit[0] and not event.style
        value = plain_scalar(event.value) if plain else event.value
        top = self.open[-1] if self.open else None
        if top is not None and top.is_map and top.key is None:
            self.key(event, event.value)
            return
        self.last_end = event.end_mark
        written = event.value if plain and _OTHERS_OCTAL.fullmatch(event.value) else None
        node = Node(value, self.span(event.start_mark, event.end_mark), written=written)
        self.put(node, 1, event.anchor, event)

    def key(self, event: yaml.ScalarEvent, name: str) -> None:
        top = self.open[-1]
        place = self.span(event.start_mark, event.end_mark)
        if name == "<<" and event.implicit[0] and not event.style:
            self.tell(
                _finding(
                    place,
                    "the merge key << is YAML 1.1's, and not part of YAML 1.2",
                    help="write the keys out here, or alias each value that is the same",
                )
            )
        if name in top.keys:
            self.tell(
                _finding(
                    place,
                    f"the key {name!r} is here a second time in the same map",
                    related=((top.keys[name], "first written here"),),
                    help="keep one of the two",
                )
            )
        top.key = name
        top.keys.setdefault(name, place)
        self.last_end = event.end_mark

    def start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self.no_tag(event)
        self.no_complex_key(event)
        if len(self.open) >= MAX_DEPTH:
            raise self.refuse(event, f"lists and maps are nested more than {MAX_DEPTH} deep")
        self.last_end = event.end_mark
        self.open.append(_Open(event.start_mark, isinstance(event, yaml.MappingStartEvent), event.anchor))

    def end(self, event: yaml.Event) -> None:
        done = self.open.pop()
        # A block collection's own end mark is where the next token starts; its last value's is meant.
        first: _Mark = event.start_mark
        last: _Mark = event.end_mark
        end = last if last.index > first.index or self.last_end is None else self.last_end
        self.last_end = end
        value = done.entries if done.is_map else tuple(done.items)
        place = self.span(done.start, end)
        node = Node(value, place, done.keys) if done.is_map else Node(value, place)
        self.put(node, done.nodes, done.anchor, event)

    def alias(self, event: yaml.AliasEvent) -> None:
        self.no_complex_key(event)
        if event.anchor not in self.anchors:
            raise self.refuse(event, f"there is no anchor '&{event.anchor}' before this alias")
        node, nodes = self.anchors[event.anchor]
        self.count += nodes
        self.last_end = event.end_mark
        self.put(node, nodes, None, event)

    def put(self, node: Node, nodes: int, anchor: str | None, event: yaml.Event) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.refuse(event, f"the document has more than {MAX_NODES:,} values, aliases expanded")
        if anchor is not None:
            self.anchors[anchor] = (node, nodes)
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        top.nodes += nodes
        if not top.is_map:
            top.items.append(node)
            return
        assert top.key is not None
        top.entries[top.key] = node
        top.key = None

    def no_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            self.tell(
                _finding(
                    self.span(event.start_mark, event.end_mark),
                    f"the tag {shown(tag)} is not allowed",
                    help="leave the tag out; quote the value to make it text",
                )
            )

    def no_complex_key(self, event: yaml.Event) -> None:
        if self.open and self.open[-1].is_map and self.open[-1].key is None:
            raise self.refuse(event, "a key of a map must be plain text")

    def tell(self, problem: Finding) -> None:
        """Note a fault that reading goes on behind; Unreadable at the last of those that anybody reads."""
        self.problems.append(problem)
        if len(self.problems) == PROBLEMS_LIMIT:
            note = f"faults behind the first {PROBLEMS_LIMIT:,} are not told"
            last = replace(problem, notes=(*problem.notes, note))
            raise Unreadable((*self.problems[:-1], last))

    def refuse(self, event: yaml.Event, message: str) -> Unreadable:
        last = _finding(self.span(event.start_mark, event.end_mark), message)
        return Unreadable((*self.problems, last))

    def span(self, start: _Mark, end: _Mark) -> Span:
        line = start.line + 1  # one number for both, where they are the same
        last = line if end.line == start.line else end.line + 1
        return Span(self.file, line, start.column + 1, last, end.column + 1)


def _unparsed(file: str, mark: _Mark, began: _Mark, message: str) -> Finding:
    """What the parser says where it gave up, with the place where it began what it could not end."""
    at, start = (
        Span(file, 1, 1, 1, 2)
        if each is None
        else Span(file, each.line + 1, each.column + 1, each.line + 1, each.column + 2)
        for each in (mark, began)
    )
    related = () if began is None or start == at else ((start, "this began here"),)
    return _finding(at, message, related=related, help=_yaml_help(message))


def _yaml_help(message: str) -> str | None:
    return next((help for words, help in _YAML_HELP.items() if words in message), None)


def _finding(
    place: Place, message: str, *, related: tuple[tuple[Place, str], ...] = (), help: str | None = None
) -> Finding:
    return UNREADABLE.finding(place, message, related=related, help=help)


def _refused(file: str, line: int, column: int, message: str) -> Unreadable:
    return Unreadable((_finding(Span(file, line, column, line, column + 1), message),))
