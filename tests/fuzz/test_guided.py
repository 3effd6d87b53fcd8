"""What the coverage-guided harness gives each input to; the fuzzer itself is an extra."""

from __future__ import annotations

import random

import pytest
from bench.fuzz_guided import Dice, one_input

from rootplex.fuzz.targets import PLAYS


@pytest.mark.parametrize("row", [*PLAYS, "dtb", "mcfg", "yaml"])
def test_any_bytes_are_an_input(row: str) -> None:
    for size in (0, 1, 40, 400):
        one_input(row, random.Random(f"{row} {size}").randbytes(size))


def test_dice_are_their_bytes() -> None:
    data = random.Random(1).randbytes(4000)
    draw = PLAYS["hypercalls"].draw
    assert draw(Dice(data)) == draw(Dice(data)) != draw(Dice(data[500:]))
