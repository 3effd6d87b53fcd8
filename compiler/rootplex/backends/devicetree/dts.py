"""Node tree → device tree source as a person would write it, through a template.

Labels and `&label` references instead of phandles; `dtc` numbers them as `tree` does. Numbers are
hexadecimal, but counts, interrupt numbers and frequencies decimal.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from rootplex.backends.devicetree.tree import Node, Part, Property, Ref, Tree, Word
from rootplex.backends.text import environment as text_environment
from rootplex.formats.devicetree import DECIMAL_BELOW
from rootplex.source.printable import one_line

_TEMPLATES = Path(__file__).parents[1] / "templates"
_WIDTH = 100
_TAB = 8

_ROW_A_LINE = frozenset({"dma-ranges", "interrupt-map", "iommu-map", "msi-map", "ranges"})
"""Properties that are tables: read by rows."""

_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\r": r"\r"}


class _Block(Struct, frozen=True):
    """One node as the template takes it; `closing` has the indent of each node that ends with it."""

    heading: str
    comment: str | None
    indent: str
    properties: tuple[str, ...]
    closing: tuple[str, ...]


def to_dts(tree: Tree, title: str) -> str:
    """The text, with `title` (one line) in the comment at its head."""
    environment = text_environment(_TEMPLATES)
    template = environment.get_template("tree.dts.j2")
    return template.render(title=_comment(title), nodes=_blocks(tree.root, tree))


def _blocks(root: Node, tree: Tree) -> list[_Block]:
    """The nodes in document order. A flat list: a template that called itself would limit the depth."""
    out: list[_Block] = []
    stack: list[tuple[Node, int, tuple[str, ...]]] = [(root, 0, ("",))]
    while stack:
        node, depth, closing = stack.pop()
        indent = "\t" * depth
        label = tree.labels.get(node.key or "")
        out.append(
            _Block(
                heading=f"{label}: {node.name}" if label else node.name,
                comment=_comment(node.comment) if node.comment else None,
                indent=indent,
                properties=tuple(_property(each, tree, depth + 1) for each in node.properties),
                closing=() if node.children else closing,
            )
        )
        for place, child in enumerate(reversed(node.children)):
            own = "\t" * (depth + 1)
            stack.append((child, depth + 1, (own, *closing) if place == 0 else (own,)))
    return out


def _property(each: Property, tree: Tree, depth: int) -> str:
    """`name = value;`, on one line where it is short, else each part on a line of its own."""
    if not each.value:
        return f"{each.name};"
    parts = [_part(each.name, part, tree) for part in each.value]
    line = f"{each.name} = {', '.join(parts)};"
    if len(line) + depth * _TAB <= _WIDTH and (len(parts) == 1 or each.name not in _ROW_A_LINE):
        return line
    inner = ",\n" + "\t" * (depth + 1)
    return f"{each.name} = {inner.join(parts)};"


def _part(name: str, part: Part, tree: Tree) -> str:
    if isinstance(part, str):
        return f'"{_string(part)}"'
    return f"<{' '.join(_cell(name, cell, tree) for cell in part)}>"


def _cell(name: str, cell: Word, tree: Tree) -> str:
    if isinstance(cell.value, Ref):
        return f"&{tree.labels[cell.value.key]}"
    if cell.value < DECIMAL_BELOW.get(name, 0):
        return str(cell.value)
    return f"{cell.value:#x}"


def _string(value: str) -> str:
    """A string's inside: what is not printable ASCII as the escapes of its UTF-8 bytes."""
    out = []
    for char in value:
        if char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif " " <= char <= "~":
            out.append(char)
        else:
            out.extend(f"\\x{byte:02x}" for byte in char.encode())
    return "".join(out)


def _comment(value: str) -> str:
    """One line of text that ends no comment."""
    return one_line(" ".join(value.split())).replace("*/", "* /")
