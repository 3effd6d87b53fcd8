"""Building a description out of what firmware says: nodes with the place of each value, and what is missing.

A value that the source does not tell is left out of the document and listed as `Missing`; nothing is
filled in here. Numbers are put down as engineers write them: addresses in hexadecimal with groups of four,
sizes with a unit where they are round.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from rootplex.source.node import Node, Scalar
from rootplex.source.place import Place

_UNITS = ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB"))


MARK = "# Imported from "
"""How the first line of an imported description begins: by it a file is known to be ours."""


class Hex(int):
    """An integer that is written in hexadecimal."""


class Missing(Struct, frozen=True):
    """Something that the description does not say: what, why, and the place that raised it."""

    what: str
    why: str
    place: Place

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


NOT_ON_FIRST_BUS = "it is not on the first bus of a host bridge, and the language has it nowhere else"
"""Why an IOMMU that is a function is left out."""

Ways: TypeAlias = tuple[tuple[int, ...], ...]
"""Ways to functions, each by devfn from a host bridge's first bus down."""


class Imported(Struct, frozen=True):
    """A description made of a source. `bridges` tells which node or object of the source each entry of
    `host_bridges` was made of (a DT path, an AML path, `ssss:bb`), and `external_facing` which ports below
    it firmware says to face outward; `source` is the source in words."""

    file: str
    document: Node
    bridges: tuple[str, ...]
    missing: tuple[Missing, ...]
    external_facing: tuple[Ways, ...] = ()
    source: str = ""


def imported(
    file: str,
    document: Node,
    bridges: Iterable[str],
    missing: Iterable[Missing],
    source: str,
    external_facing: Iterable[Ways] = (),
) -> Imported:
    """The whole, with a heading that says where it comes from and what is not known. What is
    the same for several parts is listed once, in the order of the first."""
    listed = tuple(dict.fromkeys(missing))
    lines = [f"{MARK.removeprefix('# ')}{source}; the remarks say where each value was read."]
    if listed:
        lines += ["Not known from there, or not to be said in this language:"]
        lines += [line for each in listed for line in _wrapped(f"- {each}")]
    heading = Node(document.value, document.place, document.keys, "\n".join(lines))
    return Imported(file, heading, tuple(bridges), listed, tuple(external_facing), source)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 106, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def leaf(value: Scalar, place: Place, comment: str | None = None) -> Node:
    """A scalar."""
    return Node(value, place, {}, comment)


def listing(items: Iterable[Node], place: Place, comment: str | None = None) -> Node:
    """A list."""
    return Node(tuple(items), place, {}, comment)


def record(place: Place, entries: Mapping[str, Node | None], comment: str | None = None) -> Node:
    """A map of the entries that are there; each key stands at its value's place."""
    there = {key: node for key, node in entries.items() if node is not None}
    return Node(there, place, {key: node.place for key, node in there.items()}, comment)


def region(base: int, length: int, place: Place) -> Node:
    """A stretch of addresses."""
    return record(place, {"base": leaf(address(base), place), "size": leaf(size(length), place)})


def tree(value: object, place: Place, comment: str | None = None) -> Node:
    """Plain data as nodes that are all at one place."""
    if isinstance(value, Node):
        return value
    if isinstance(value, Mapping):
        return record(place, {key: tree(each, place) for key, each in value.items()}, comment)
    if isinstance(value, list | tuple):
        return listing((tree(each, place) for each in value), place, comment)
    scalar: Scalar = value if isinstance(value, bool | int | float | str) else None
    return leaf(scalar, place, comment)


def flag(value: bool, place: Place, comment: str | None = None) -> Node:
    """`true` or `false`."""
    return leaf(value, place, comment)


def address(value: int) -> int | str:
    """`0x40_1000_0000`; up to four digits stay an integer."""
    if value < 0x1_0000:
        return Hex(value)
    digits = f"{value:x}"
    head = len(digits) % 4 or 4
    return "0x" + "_".join([digits[:head], *(digits[at : at + 4] for at in range(head, len(digits), 4))])


def size(value: int) -> int | str:
    """`256MiB` where the number is round, else as an address."""
    for shift, unit in _UNITS:
        if value and value % (1 << shift) == 0:
            return f"{value >> shift}{unit}"
    return address(value)


def told(place: Place) -> str:
    """A place without its file, for a remark: the heading names the file once."""
    return str(place).removeprefix(f"{place.file}: ")


class Names:
    """Names of the description: lower case, in the language's letters, each once."""

    LONGEST = 90
    """Of the 100 characters that a name may have; what tells equal ones apart comes behind."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: Counter[str] = Counter()

    def take(self, wanted: str, otherwise: str) -> str:
        """A name near to `wanted`, or to `otherwise` where nothing of it can stand."""
        plain = re.sub(r"[^a-z0-9_]+", "-", wanted.lower()).strip("-_")
        if not plain or not plain[0].isalpha():
            plain = f"{otherwise}-{plain}"
        name = plain = plain[: self.LONGEST].rstrip("-")
        while name in self._taken:
            self._counts[plain] += 1
            name = f"{plain}-{self._counts[plain] + 1}"
        self._taken.add(name)
        return name
