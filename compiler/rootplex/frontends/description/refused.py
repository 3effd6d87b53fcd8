"""What the schema refuses: a finding each, and the document without it.

The model is built of the rest, so that one misspelt key does not hide the faults behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from rootplex.source.finding import Finding, Rewrite
from rootplex.source.node import Node
from rootplex.source.place import Place
from rootplex.source.rules import INVALID_VALUE, MISSING_KEY, UNKNOWN_KEY, WRONG_TYPE
from rootplex.source.schema_faults import Violation
from rootplex.source.suggest import advice, nearest

Path: TypeAlias = tuple[str | int, ...]

_RULES = {
    "unknown-key": UNKNOWN_KEY,
    "missing-key": MISSING_KEY,
    "wrong-type": WRONG_TYPE,
    "not-allowed": INVALID_VALUE,
    "out-of-range": INVALID_VALUE,
    "malformed": INVALID_VALUE,
}

# A size as other tools write it: 256M, 32 GB, 4 KiB.
_HEX = re.compile(r"([0-9a-fA-F_]+)[hH]?")
_FUNCTION = re.compile(r"(?:[0-9a-fA-F]{1,4}:)?([0-9a-fA-F]{1,2}):([01]?[0-9a-fA-F])\.([0-7])")
_SIZE = re.compile(r"(0x[0-9a-fA-F]+|[0-9]+) *([kKMGT])i?[bB]?")

# A thing that lacks one of these is not known well enough to say anything else about it.
_IDENTITY = frozenset({"name", "kind", "type", "space", "dev", "fn", "model"})


def told_once(found: Iterable[Violation]) -> list[Violation]:
    """Without the missing keys that stand there misspelt: the misspelling is told; and of the entries of a
    list that are something else the first."""
    kept = list(found)
    meant = {
        (each.path, nearest(each.key, each.allowed))
        for each in kept
        if each.kind == "unknown-key" and each.key is not None
    }
    kept = [each for each in kept if each.kind != "missing-key" or (each.path, each.key) not in meant]
    first: dict[Path, Violation] = {}  # of the entries of one list
    for each in kept:
        if each.kind == "wrong-type" and each.path and isinstance(each.path[-1], int):
            first.setdefault(each.path[:-1], each)
    return [each for each in kept if each.kind != "wrong-type" or first.get(each.path[:-1], each) is each]


def finding_of(violation: Violation, document: Node) -> Finding:
    """The finding of one violation, at its value or key."""
    node = document.find(violation.path)
    at: Place = node.place
    help_ = rewrite = meant = None
    if violation.key is not None:
        at = node.keys.get(violation.key, _head_of(document, violation.path))
        if violation.kind == "unknown-key":
            help_ = advice(violation.key, violation.allowed, "key")
            meant = nearest(violation.key, violation.allowed)
        elif violation.example is not None:
            rewrite = Rewrite(node.place, violation.example, violation.key)
            help_ = f"write it, as in '{violation.key}: {violation.example}'"
    elif violation.example is not None:
        key = next((f"{step}: " for step in reversed(violation.path) if isinstance(step, str)), "")
        help_ = f"write it as in '{key}{violation.example}'"
    elif violation.allowed:
        word = node.value if isinstance(node.value, str) else ""
        help_ = advice(word, violation.allowed, "value")
        meant = nearest(word, violation.allowed)
    elif node.value is None and (parted := _parted(document, violation.path)) is not None:
        help_ = f'write "{parted}" in quotes: a comma parts the entries of a map'
    elif isinstance(node.value, str):
        meant = _meant(node.value, violation)
        help_ = None if meant is None else f"did you mean '{meant}'?"
    if meant is not None:
        rewrite = Rewrite(at, meant)
    return _RULES[violation.kind].finding(at, violation.message, help=help_, rewrite=rewrite)


def _parted(document: Node, path: Path) -> str | None:
    """The name that a comma has parted, where one of a device tree's properties has no value."""
    if path[-2:-1] != ("properties",):
        return None
    names = list(document.find(path[:-1]).keys)
    behind = names[names.index(str(path[-1])) + 1 :]
    return f"{path[-1]},{behind[0]}" if behind else None


def _meant(text: str, violation: Violation) -> str | None:
    """What a text of the wrong form probably stands for: a truth value, or a number with another unit."""
    if violation.kind == "wrong-type" and "true or false" in violation.message:
        return nearest(text.lower(), ("false", "true"))
    if "is not a number" not in violation.message:
        return None
    size, digits, function = _SIZE.fullmatch(text), _HEX.fullmatch(text), _FUNCTION.fullmatch(text)
    if size is not None:
        return f"{size[1]}{size[2].upper()}iB"
    if function is not None and violation.path[-1] == "rid":
        bus, device, number = (int(each, 16) for each in function.groups())
        return f"{bus << 8 | device << 3 | number:#x}"
    return None if digits is None else f"0x{digits[1]}"


def _head_of(document: Node, path: Path) -> Place:
    """For a missing key: the first key of its map, else the key that holds the map, else the map."""
    node = document.find(path)
    if node.keys:
        return next(iter(node.keys.values()))
    if path and isinstance(path[-1], str):
        return document.find(path[:-1]).keys.get(path[-1], node.place)
    return node.place


def without(document: Node, found: Iterable[Violation]) -> Node | None:
    """The document without the values that were refused; None where nothing useful is left.

    A misspelt word of a fixed set is taken for the nearest one instead: the rest still counts.
    """
    gone: set[Path] = set()
    meant: dict[Path, str] = {}
    for violation in found:
        path = violation.path
        near = None
        if violation.kind == "not-allowed":
            near = nearest(str(document.find(path).value), violation.allowed)
        if violation.kind == "unknown-key" and violation.key is not None:
            gone.add((*path, violation.key))
        elif near is not None:
            meant[path] = near
        elif path and path[-1] in _IDENTITY:
            gone.add(path[:-1])
        elif violation.kind != "missing-key":  # the model takes a default, and nobody compiles it
            gone.add(_enclosing(path))
    return None if () in gone else _pruned(document, (), gone, meant)


def _enclosing(path: Path) -> Path:
    """The path itself, or where it ends inside a list of scalars (`[0, 300]`), the whole list."""
    if len(path) >= 2 and isinstance(path[-1], int) and path[-2] in {"bus_range", "bus", "irqs", "mcfg"}:
        return path[:-1]
    return path


def _pruned(node: Node, path: Path, gone: set[Path], meant: Mapping[Path, str]) -> Node:
    if path in meant:
        return Node(meant[path], node.place)
    if isinstance(node.value, Mapping):
        kept = {
            key: _pruned(below, (*path, key), gone, meant)
            for key, below in node.value.items()
            if (*path, key) not in gone
        }
        return Node(kept, node.place, node.keys)
    if isinstance(node.value, tuple):
        items = tuple(
            _pruned(below, (*path, i), gone, meant)
            for i, below in enumerate(node.value)
            if (*path, i) not in gone
        )
        return Node(items, node.place)
    return node
