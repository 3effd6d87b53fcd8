"""Interrupt maps that lead to several controllers, each entry cut by its own controller's cells."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rootplex.jobs.boards import Board, Item
from rootplex.jobs.importing import import_source
from rootplex.jobs.sources import read_source
from rootplex.jobs.validate import validate_board

TREE = Path(__file__).parent / "trees" / "interrupt-map-two-controllers.dts"

pytestmark = pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc")


def swapped() -> str:
    """The same map with the controller of one cell first."""
    text = TREE.read_text()
    first, second = "<0 0 0 1 &gic 0 10 4>", "<0 0 0 2 &fpga 0>"
    return text.replace(f"{first}, {second}", f"{second}, {first}")


def test_the_map_is_listed_as_what_the_language_cannot_say() -> None:
    missing = import_source(read_source(TREE, TREE.name)).missing
    assert [(each.what, each.why) for each in missing] == [
        ("pcie: interrupt-map", "it leads to several controllers, and the language has one a bridge")
    ]


@pytest.mark.parametrize("text", [TREE.read_text(), swapped()], ids=["gic first", "fpga first"])
def test_a_legal_map_is_no_finding(text: str) -> None:
    report = validate_board(Board((Item("x.dts", None, text.encode()),)))
    assert report.findings == ()
