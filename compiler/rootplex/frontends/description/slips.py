"""What is well formed and cannot be meant: an address in decimal digits that were to be hexadecimal, a last
address where a size is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rootplex.frontends.description.values import number_of
from rootplex.frontends.document import size as size_text
from rootplex.source.finding import Finding, Rewrite
from rootplex.source.node import Node
from rootplex.source.rules import INVALID_VALUE

ADDRESSES = ("base", "pci", "cpu")
PAGE = 0x1000


def slips(document: Node) -> Iterator[Finding]:
    """Each such number of the document."""
    for node in document.walk():
        if not isinstance(node.value, Mapping):
            continue
        for key in ADDRESSES:
            below = node.get(key)
            if below is not None and type(below.value) is int:
                yield from _decimal(key, below)
        yield from _end(node)


def _decimal(key: str, node: Node) -> Iterator[Finding]:
    """No page begins there, and one does where the same digits are hexadecimal. Who wrote it as hexadecimal
    would have to mean an odd address."""
    value = node.value
    assert isinstance(value, int)
    digits = str(value)
    if value % PAGE and digits.endswith("0000"):
        meant = f"0x{digits}"
        yield INVALID_VALUE.finding(
            node.place,
            f"'{key}' is {digits} in decimal, which is {value:#x}",
            help=f"did you mean {meant}?",
            rewrite=Rewrite(node.place, meant),
        )


def _end(mapping: Node) -> Iterator[Finding]:
    """A size of all ones, beside a base."""
    node = mapping.get("size")
    size = None if node is None else number_of(node.value)
    bases = (mapping.get(key) for key in ("pci", "base"))
    base = next((number_of(each.value) for each in bases if each is not None), None)
    if node is None or size is None or base is None or size % PAGE != PAGE - 1:
        return
    meant = size_text(size - base + 1) if size > base else size_text(size + 1)
    yield INVALID_VALUE.finding(
        node.place,
        f"'size' is {size:#x}, which is a last address and no number of bytes",
        help=f"did you mean {meant}?",
        rewrite=Rewrite(node.place, str(meant)),
    )
