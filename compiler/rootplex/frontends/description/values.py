"""The language's scalars: numbers with units, and the fields of a map with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rootplex.model.part import Places
from rootplex.source.finding import Finding, Level, Rewrite
from rootplex.source.node import Node
from rootplex.source.place import Place
from rootplex.source.rules import INVALID_VALUE

_NUMBER = re.compile(r"(0x[0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*)(KiB|MiB|GiB|TiB)?")
_UNITS = {None: 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}

U64 = (1 << 64) - 1


def number_of(value: object) -> int | None:
    """An integer, or text such as `0x40_1000_0000`, `256MiB`; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)  # an imported one says by its type how it is to be written
    if not isinstance(value, str) or len(value) > 64:
        return None
    match = _NUMBER.fullmatch(value)
    if match is None:
        return None
    digits = match[1].replace("_", "")
    return int(digits, 16 if digits.startswith("0x") else 10) << _UNITS[match[2]]


class Faults:
    """The findings of one description, in the order in which they were met."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def value(self, at: Place, message: str, *, help: str | None = None, meant: str | None = None) -> None:
        """RPX0006: a value that is of the right kind but cannot be; `meant` is what the help proposes."""
        rewrite = None if meant is None else Rewrite(at, meant)
        self.found.append(INVALID_VALUE.finding(at, message, help=help, rewrite=rewrite))

    def octal(self, node: Node) -> None:
        """RPX0006, a warning: digits of base eight to YAML 1.1 and C, of base ten to YAML 1.2."""
        assert node.written is not None
        self.found.append(
            INVALID_VALUE.finding(
                node.place,
                f"{node.written} is {node.value} in YAML 1.2, and {int(node.written, 8)} elsewhere",
                level=Level.WARNING,
                help=f"write {node.value}, or {int(node.written, 8):#o} where the other was meant",
                rewrite=Rewrite(node.place, str(node.value)),
            )
        )


class Fields:
    """A map of the document, read key by key; the schema has already passed it.

    Numbers are bounded here once more, since the schema does not look into text such as `0x1ff`.
    """

    def __init__(self, node: Node, faults: Faults) -> None:
        self.node = node
        self.faults = faults

    def get(self, key: str) -> Node | None:
        """The node at `key`; None where it is absent or null."""
        node = self.node.get(key)
        return None if node is None or node.value is None else node

    def number(self, key: str, low: int = 0, high: int = U64) -> int | None:
        node = self.get(key)
        return None if node is None else self.bounded(node, key, low, high)

    def bounded(self, node: Node, what: str, low: int = 0, high: int = U64) -> int:
        """The number in `node`; a finding, and the nearest bound, where it is out of range."""
        value = number_of(node.value)
        if value is None:
            self.faults.value(node.place, f"'{what}' is not a number: {node.value!r}")
            return low
        if not low <= value <= high:
            self.faults.value(
                node.place,
                f"'{what}' is {_shown(value)}, outside {_shown(low)} to {_shown(high)}",
            )
            return min(max(value, low), high)
        return value

    def numbers(self, key: str, low: int = 0, high: int = U64) -> tuple[int, ...] | None:
        node = self.get(key)
        if node is None:
            return None
        return tuple(self.bounded(item, key, low, high) for item in node.items)

    def text(self, key: str) -> str | None:
        node = self.get(key)
        return None if node is None else str(node.value)

    def flag(self, key: str, default: bool) -> bool:
        node = self.get(key)
        return default if node is None else node.value is True

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of text, also where one text stands for a list of one."""
        node = self.get(key)
        if node is None:
            return None
        if isinstance(node.value, tuple):
            return tuple(str(item.value) for item in node.items)
        return (str(node.value),)

    def maps(self, key: str) -> Iterator[Fields]:
        """The maps in a list."""
        node = self.get(key)
        if node is not None:
            for item in node.items:
                yield Fields(item, self.faults)

    def map(self, key: str) -> Fields | None:
        node = self.get(key)
        return None if node is None else Fields(node, self.faults)

    def places(self) -> Places:
        """Where this map and the fields in it were written, lists of lists included."""
        fields: dict[str, Place] = {}
        keys: dict[str, Place] = {}
        if isinstance(self.node.value, Mapping):
            for key, node in self.node.value.items():
                if node.value is None:
                    continue
                fields[key] = node.place
                if isinstance(node.value, tuple):
                    for i, item in enumerate(node.value):
                        fields[f"{key}.{i}"] = item.place
                        fields.update((f"{key}.{i}.{j}", deep.place) for j, deep in enumerate(item.items))
                elif isinstance(node.value, Mapping):
                    fields.update((f"{key}.{below}", item.place) for below, item in node.value.items())
                    keys.update((f"{key}.{below}", place) for below, place in node.keys.items())
        return Places(self.node.place, fields, keys)


def _shown(value: int) -> str:
    return str(value) if -10 < value < 10 else f"{value:#x}"
