"""`import rootplex`: what is public, what it gives, and that it is loaded when it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

import rootplex
from rootplex.report.json_form import object_of

TWO = """\
rootplex: 1
platform: {name: two, arch: arm64, base: qemu-virt}
host_bridges:
  - {name: main, segment: 0, bus_range: [0, 0x3f], config: {base: 0x40_1000_0000}, msi: {controller: its},
     windows: [{space: mem32, pci: 0x1000_0000, size: 256MiB}],
     devices: [{name: rp, dev: 1, type: root-port, acs: true, devices: [{name: nic, dev: 0, msix: 4}]}]}
  - {name: second, segment: 1, bus_range: [0x40, 0x7f], config: {base: 0x40_1400_0000},
     windows: [{space: mem32, pci: 0x2000_0000, size: 256MiB}]}
"""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    path = tmp_path / "two.yaml"
    path.write_text(TWO)
    return path


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rootplex", *map(str, words)], capture_output=True, text=True
    )


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(rootplex.__all__) == rootplex.__all__ == dir(rootplex)
    homes = [name for names in rootplex._PUBLIC.values() for name in names]
    assert sorted([*homes, "__version__"]) == rootplex.__all__
    for name in homes:
        assert getattr(rootplex, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = rootplex.nothing


def test_importing_it_loads_nothing() -> None:
    program = "import sys; before = set(sys.modules); import rootplex; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert {"rootplex", "rootplex.project"} == set(done.stdout.split())


def test_importing_it_costs_at_most_five_milliseconds() -> None:
    """Median of 20, beside a bare interpreter that imports nothing; in processor time of one process."""
    program = (
        "import sys, time\nfor _ in range(20):\n sys.modules.pop('rootplex', None)\n"
        " t = time.process_time(); import rootplex; print(time.process_time() - t)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert median(map(float, done.stdout.split())) < 0.005


def test_check_is_the_command(board: Path) -> None:
    result = rootplex.check(board)
    assert json.loads(command("check", board, "--format", "json").stdout) == json.loads(
        json.dumps(object_of(result))
    )
    assert ("two", "consistent") == (result.platform, result.verdict)
    assert result == rootplex.check(rootplex.load(board))
    assert [0, 1] == [bridge.segment for bridge in result.machine.bridges]


def test_compile_is_the_command(board: Path, tmp_path: Path) -> None:
    command("compile", board, "-o", tmp_path / "out")
    written = {path.name: path.read_bytes() for path in (tmp_path / "out" / "two").iterdir()}
    assert written == dict(rootplex.compile(board).files)


def test_compile_for_xen() -> None:
    text = TWO.replace("base: qemu-virt", "base: qemu-virt, virtualization: true")
    files = rootplex.compile(rootplex.load(text.encode()), xen=True).files
    assert {"two.xen.dtb", "xen.sh"} <= set(files)
    with pytest.raises(rootplex.ToolError):
        rootplex.compile(
            rootplex.load(TWO.replace("rootplex: 1", "rootplex: 1\nxen: false").encode()), xen=True
        )


def test_errors_keep_files_back_unless_they_are_wanted(board: Path) -> None:
    text = TWO.replace("name: second, segment: 1", "name: second, segment: 1, acpi: {segment: 2}")
    description = rootplex.load(text.encode(), name="b.yaml")
    made = rootplex.compile(description)
    assert ({}, "inconsistent", ["RPX0801"]) == (
        made.files,
        made.result.verdict,
        [each.code for each in made.result.findings],
    )
    assert "mcfg.aml" in rootplex.compile(description, despite_errors=True).files
    assert [("RPX0801", "b.yaml")] == [
        (each.code, each.at.file) for each in rootplex.check(description).findings
    ]


def test_what_a_user_wrote_is_judged_and_not_raised(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("rootplex: [")
    assert ("unknown", True) == (rootplex.check(bad).verdict, rootplex.check(bad).unreadable)
    assert {} == rootplex.compile(bad).files
    with pytest.raises(rootplex.Unreadable) as caught:
        rootplex.load(bad)
    assert "RPX0001" == caught.value.findings[0].code
    with pytest.raises(FileNotFoundError):
        rootplex.check(tmp_path / "none.yaml")


def test_what_was_asked_for_must_fit(board: Path) -> None:
    description = rootplex.load(TWO.replace("base: qemu-virt}", "base: qemu-virt, firmware: [dt]}").encode())
    with pytest.raises(rootplex.Unjudged, match="is not compiled for acpi"):
        rootplex.check(description, firmware="acpi")


def test_import_validate_and_diff(board: Path, tmp_path: Path) -> None:
    for name, data in rootplex.compile(board).files.items():
        (tmp_path / name).write_bytes(data)
    tree = tmp_path / "two.dtb"
    made = rootplex.import_board(tree)
    assert ("device tree", 2) == (made.kind, len(made.bridges))
    assert rootplex.load(made.text.encode()).is_sound
    tables = tmp_path / "tables"
    tables.mkdir()
    for name in ("mcfg.aml", "ssdt.aml", "iort.aml"):
        (tmp_path / name).rename(tables / name)
    result = rootplex.validate(tree, tables, against=board)
    assert ("consistent", True) == (result.verdict, result.matches)
    with pytest.raises(rootplex.Unjudged, match="boards, and one is validated"):
        rootplex.validate(tree, tree)
    moved = rootplex.check(rootplex.load(TWO.replace("segment: 1", "segment: 5").encode()))
    changes = rootplex.diff(rootplex.check(board), moved).changes
    assert ("segment", "second", "0001", "0005") in [
        (each.what, each.subject, each.before, each.after) for each in changes
    ]


def test_the_module_is_the_command() -> None:
    done = command("--version")
    assert (0, f"rootplex {rootplex.__version__}\n", "") == (done.returncode, done.stdout, done.stderr)
    assert "usage: rootplex " in command("--help").stdout


def test_it_is_typed_for_its_users(tmp_path: Path) -> None:
    """mypy, with the package as a user has it, knows the types (PEP 561)."""
    user = tmp_path / "user.py"
    user.write_text(
        "import rootplex\n"
        "def verdict(path: str) -> str:\n"
        "    result = rootplex.check(path)\n"
        "    reveal_type(result.findings[0].at)\n"
        "    return result.verdict\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", user],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "MYPYPATH": str(Path(rootplex.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert "DtPlace" in done.stdout
    assert "Success" in done.stdout
