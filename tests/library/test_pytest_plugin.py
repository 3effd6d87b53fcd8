"""The pytest plugin, as a firmware project uses it: pytest runs pytest on a folder of such a project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rootplex

PROJECT = """
from rootplex import assert_consistent

def test_tables_and_tree_agree(rootplex_board):
    board = rootplex_board("build/board.dtb", "build/acpi")
    assert_consistent(board)
    assert [bridge.segment for bridge in board.machine.bridges] == [0, 1]
    assert board is rootplex_board("build/board.dtb", "build/acpi")
"""

TEXT = """\
rootplex: 1
platform: {name: board, arch: arm64, base: qemu-virt}
host_bridges:
  - {name: main, segment: 0, bus_range: [0, 0x3f], config: {base: 0x40_1000_0000},
     windows: [{space: mem32, pci: 0x1000_0000, size: 256MiB}]}
  - {name: second, segment: 1, bus_range: [0x40, 0x7f], config: {base: 0x40_1400_0000},
     windows: [{space: mem32, pci: 0x2000_0000, size: 256MiB}]}
"""
DIFFERS = TEXT.replace("name: second, segment: 1", "name: second, acpi: {segment: 2}, segment: 1")


def project(folder: Path, text: str) -> Path:
    (folder / "build" / "acpi").mkdir(parents=True)
    files = rootplex.compile(rootplex.load(text.encode()), despite_errors=True).files
    (folder / "build" / "board.dtb").write_bytes(files["board.dtb"])
    for name in ("mcfg.aml", "ssdt.aml"):
        (folder / "build" / "acpi" / name).write_bytes(files[name])
    (folder / "test_firmware.py").write_text(PROJECT)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    # Named with -p and not by its entry point, which an editable install has only when it was made anew.
    words = ["-p", "no:cacheprovider", "-p", "no:rootplex", "-p", "rootplex.library.pytest_plugin", "-q"]
    argv = [sys.executable, "-m", "pytest", *words]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True)


def test_a_sound_board_passes(tmp_path: Path) -> None:
    done = run(project(tmp_path, TEXT))
    assert 0 == done.returncode, done.stdout
    assert "1 passed" in done.stdout


def test_a_board_that_differs_fails_with_the_report(tmp_path: Path) -> None:
    done = run(project(tmp_path, DIFFERS))
    assert 1 == done.returncode
    assert "is segment 1 by device tree and 2 by ACPI" in done.stdout
    assert "rootplex explain RPX0801" in done.stdout


def test_the_assertion_by_itself(tmp_path: Path) -> None:
    folder = project(tmp_path, DIFFERS) / "build"
    both = (folder / "board.dtb", folder / "acpi")
    with pytest.raises(AssertionError, match="RPX0801"):
        rootplex.assert_consistent(*both)
    rootplex.assert_consistent(*both, expect=["RPX0801"])
    with pytest.raises(AssertionError, match="RPX0102 is expected and was not found"):
        rootplex.assert_consistent(*both, expect=["RPX0801", "RPX0102"])
    rootplex.assert_consistent(folder / "board.dtb")
    description = tmp_path / "board.yaml"
    description.write_text(TEXT)
    rootplex.assert_consistent(description, strict=True)
    description.write_text(DIFFERS)
    with pytest.raises(AssertionError, match="board: inconsistent"):
        rootplex.assert_consistent(description)
    description.write_text("rootplex: [")
    with pytest.raises(AssertionError, match="RPX0001"):
        rootplex.assert_consistent(description)


def test_the_plugin_loads_nothing_of_ours_by_itself() -> None:
    program = "import sys; import rootplex.library.pytest_plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("rootplex")}
    assert ours == {"rootplex", "rootplex.project", "rootplex.library", "rootplex.library.pytest_plugin"}
