"""The language's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootplex.frontends.description.reading import read_description
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


def test_a_register_block_named_config_stands_for_base_and_size() -> None:
    text = (Path(__file__).parent / "faults" / "registers.yaml").read_text().replace("cfg", "config")
    platform = read_description(text, "x.yaml").platform
    assert platform is not None
    config = platform.host_bridges[0].config
    assert (0x40_1500_0000, 0x1000) == (config.base, config.size)
