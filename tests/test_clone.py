"""A clone stands by itself: what lies beside the checkout is read in `tests/extra` alone."""

from __future__ import annotations

import re
from pathlib import Path

BESIDE = re.compile(r"\.\./shared|/ *\"shared\"|\bSHARED\b")


def test_nothing_but_tests_extra_reads_what_is_beside_the_checkout(checkout: Path) -> None:
    files = [file for room in ("compiler", "tests", "bench") for file in (checkout / room).rglob("*.py")]
    readers = {str(file.relative_to(checkout)) for file in files if BESIDE.search(file.read_text())}
    extra = {name for name in readers if name.startswith("tests/extra/")}
    # which says where it is, so that the folder can be skipped
    assert {"tests/conftest.py"} == readers - extra
