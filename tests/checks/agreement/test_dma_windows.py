"""08 `dma-ranges` against `_DMA`, by bytes altered in what one description compiles to (ACPI 6.5 §6.2.4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checks.altered import with_bytes, with_cell
from tests.checks.cases import changed, findings_of, line_of, only
from tests.checks.plants import REACH

from rootplex.backends.artifact import Compiled
from rootplex.source.finding import Level

NODE = "/pcie@4014000000"


@pytest.fixture
def text(checkout: Path) -> str:
    """A sound board of which one bridge's devices reach 1 GiB, at another address than the CPU."""
    return changed((checkout / "topologies" / "qemu-virt-three-segments.yaml").read_text(), REACH)


def line(text: str) -> int:
    return next(number for number, each in enumerate(text.splitlines(), 1) if "dma_windows" in each)


def test_one_description_says_the_same_twice(text: str) -> None:
    assert only(findings_of(text), "RPX0813") == ()


@pytest.mark.parametrize(
    ("cell", "value", "by_tree"),
    [
        (2, 0x90000000, "0x40000000-0x7fffffff as 0x90000000-0xcfffffff"),
        (4, 0x50000000, "0x50000000-0x8fffffff as 0x80000000-0xbfffffff"),
        (6, 0x20000000, "0x40000000-0x5fffffff as 0x80000000-0x9fffffff"),
    ],
    ids=["the bus address", "the CPU's address", "the size"],
)
def test_ranges_that_differ(text: str, cell: int, value: int, by_tree: str) -> None:
    def alter(compiled: Compiled) -> Compiled:
        return with_cell(compiled, NODE, "dma-ranges", cell, value)

    (found,) = only(findings_of(text, alter=alter), "RPX0813")
    by_table = "0x40000000-0x7fffffff as 0x80000000-0xbfffffff"
    assert found.message == f"DMA of second reaches {by_tree} by dma-ranges and {by_table} by _DMA"
    assert (found.level, line_of(found.at)) == (Level.ERROR, line(text))


def test_a_limit_that_one_firmware_does_not_know(text: str) -> None:
    def alter(compiled: Compiled) -> Compiled:
        return with_bytes(compiled, "ssdt.aml", compiled.files["ssdt.aml"].index(b"_DMA"), b"_DMX")

    (found,) = only(findings_of(text, alter=alter), "RPX0813")
    assert found.message == (
        "DMA of second reaches 0x40000000-0x7fffffff as 0x80000000-0xbfffffff by device tree "
        "and all of memory by ACPI"
    )
    assert (found.level, line_of(found.at)) == (Level.WARNING, line(text))
