"""The device trees of the bundled topologies, held against dtc."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.topologies.bundled import with_firmware

from rootplex.tools.runner import run


@pytest.mark.parametrize("name", with_firmware("dt"))
def test_dtc_makes_the_same_tree_of_the_text_and_has_no_complaint(
    compiled: Path, tmp_path: Path, program: Callable[[str], str], name: str
) -> None:
    """Properties, values, nodes and phandles, sorted by dtc; its PCI checks are on by default."""
    program("dtc")
    text, blob = compiled / name / f"{name}.dts", compiled / name / f"{name}.dtb"
    made = run(["dtc", "-I", "dts", "-O", "dtb", "-o", "made.dtb", str(text)], cwd=tmp_path)
    assert (made.status, made.stderr) == (0, "")
    of_text = run(["dtc", "-q", "-s", "-I", "dtb", "-O", "dts", "made.dtb"], cwd=tmp_path)
    of_blob = run(["dtc", "-s", "-I", "dtb", "-O", "dts", str(blob)], cwd=tmp_path)
    assert (of_blob.status, of_blob.stderr) == (0, "")
    assert of_text.stdout == of_blob.stdout
    assert "phandle" in of_blob.stdout or "interrupt-parent" not in of_blob.stdout
