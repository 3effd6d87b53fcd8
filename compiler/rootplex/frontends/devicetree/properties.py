"""The vendor's properties of a host bridge that compile would not write itself.

The type of a property is not in a blob: text is recognised as `dtc` does it. Numbers that refer to other
nodes cannot be kept, since the description has no such nodes: what looks like a reference is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rootplex.formats.devicetree import MADE
from rootplex.frontends.document import Hex, Missing, tree
from rootplex.readers.tree import DtNode, Tree, cells_of
from rootplex.source.node import Node

_NAME = re.compile(r"[a-zA-Z0-9,._+?#-]{1,31}")
_NUMBERS = re.compile(
    r"num-.*|.*-(num|count|wins|windows|speed|width|lanes|rates?|rate-hz|ns|us|ms|hz|microvolt|bits|size)"
    r"|.*-(us|ms|ns)(-.*)?|max-.*|.*-cells|bus-scale.*|brcm,.*|cdns,.*|apio-wins|ppio-wins|aspm-no-l0s"
    r"|fsl,max-link-speed|assigned-clock-rates"
)
"""Names whose cells are numbers, also where a cell happens to be some node's phandle."""


def vendor_properties(
    tree_: Tree,
    node: DtNode,
    keep: Iterable[str],
    missing: list[Missing],
    owner: str,
    done: frozenset[str] = frozenset(),
) -> dict[str, Node]:
    """The properties as the language's `dt.properties` has them; `keep` are names of `MADE` that are
    kept nevertheless, `done` are dealt with elsewhere. What cannot be kept is added to
    `missing`, in one entry."""
    kept: dict[str, Node] = {}
    left: list[str] = []
    wanted = set(keep)
    for name, value in node.properties.items():
        if name in done or (name in MADE and name not in wanted):
            continue
        base = name.removesuffix("-names").removesuffix("s")
        if name.endswith("-names") and any(each.rstrip("s") == base for each in left):
            left.append(name)
            continue
        plain = plain_value(tree_, name, value)
        if plain is None or _NAME.fullmatch(name) is None:
            left.append(name)
            continue
        kept[name] = tree(plain, tree_.place(node, name))
    # a list of names stands before or behind what it names
    for name in [each for each in kept if each.endswith("-names") and each not in wanted]:
        if any(each.rstrip("s") == name.removesuffix("-names").rstrip("s") for each in left):
            del kept[name]
            left.append(name)
    if left:
        why = "they refer to nodes that a description does not have, or have a form it cannot say"
        missing.append(Missing(f"{owner}: {', '.join(left)}", why, tree_.place(node)))
    return kept


def plain_value(tree_: Tree, name: str, value: bytes) -> bool | int | str | list[int] | list[str] | None:
    """A property as the language writes it; None for references and bytes that are neither cells nor text."""
    if not value:
        return True
    if texts := _texts(value):
        return texts[0] if len(texts) == 1 else texts
    if len(value) % 4:
        return None
    cells = cells_of(value)
    if name.endswith(("gpios", "gpio", "-supply")) or name in ("interrupts", "interrupt-parent"):
        return None
    if _NUMBERS.fullmatch(name) is None and any(cell in tree_.by_phandle for cell in cells if cell):
        return None
    numbers: list[int] = [Hex(cell) for cell in cells]
    return numbers[0] if len(numbers) == 1 else numbers


def _texts(value: bytes) -> list[str]:
    """The strings of a value that is text as `dtc` judges it; none for anything else."""
    if not value.endswith(b"\0"):
        return []
    parts = value[:-1].split(b"\0")
    if not all(part and part.isascii() and part.decode("ascii").isprintable() for part in parts):
        return []
    return [part.decode("ascii") for part in parts]
