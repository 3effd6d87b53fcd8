"""The language's numbers."""

from __future__ import annotations

import pytest

from rootplex.frontends.description.values import number_of

NUMBERS = [
    (1, 1), ("0x40_1000_0000", 0x4010000000), ("256MiB", 256 << 20), ("64KiB", 65536), ("2GiB", 2 << 30),
    ("1TiB", 1 << 40), ("1_000", 1000), ("0x10KiB", 16384), ("010", 10),
    (True, None), ("", None), ("MiB", None), ("0x", None), ("1.5GiB", None), ("256 MiB", None),
    ("256mib", None), ("-1", None), ("1e3", None), (None, None), (1.0, None), ("1" * 65, None),
]  # fmt: skip


@pytest.mark.parametrize(("written", "value"), NUMBERS)
def test_numbers(written: object, value: int | None) -> None:
    assert value == number_of(written)
