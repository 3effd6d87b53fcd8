"""What `compile` leaves behind: whole folders, or what was there before."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT, contents, rootplex

DESCRIPTION = CHECKOUT / "topologies" / "qemu-virt.yaml"


@pytest.fixture
def workplace(compiled: Path, tmp_path: Path) -> Path:
    """A folder with a description `x.yaml` and, in `out/qemu-virt`, what it was compiled to."""
    shutil.copy(DESCRIPTION, tmp_path / "x.yaml")
    shutil.copytree(compiled / "qemu-virt", tmp_path / "out" / "qemu-virt")
    return tmp_path


def change(workplace: Path, old: str, new: str) -> None:
    text = (workplace / "x.yaml").read_text()
    assert old in text
    (workplace / "x.yaml").write_text(text.replace(old, new))


def test_what_is_unchanged_is_skipped(workplace: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (workplace / "out").rglob("*")}
    done = rootplex("compile", "x.yaml", "-o", "out", cwd=workplace)
    assert (done.returncode, done.stdout) == (0, "x.yaml -> out/qemu-virt (unchanged)\n")
    assert before == {path: path.stat().st_mtime_ns for path in (workplace / "out").rglob("*")}


@pytest.mark.parametrize("damage", ["changed", "lost", "added"])
def test_a_folder_that_somebody_changed_is_made_anew(workplace: Path, compiled: Path, damage: str) -> None:
    folder = workplace / "out" / "qemu-virt"
    if damage == "changed":
        (folder / "mcfg.aml").write_bytes(b"MCFG")
    elif damage == "lost":
        (folder / "ssdt.aml").unlink()
    else:
        (folder / "left over").touch()
    done = rootplex("compile", "x.yaml", "-o", "out", cwd=workplace)
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(compiled / "qemu-virt") == contents(folder)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("segment: 0", "segment: 70000", 1),
        ("  - name: pcie\n", "  - nmae: pcie\n", 1),
        ("rootplex: 1", "rootplex: [1", 2),
        # no fault of the description: a backend refuses it
        ("irqs: [3, 4, 5, 6]", "irqs: [3, 4, 5, 6], trigger: edge-rising", 1),
    ],
)
def test_a_failing_description_leaves_the_earlier_output(
    workplace: Path, old: str, new: str, status: int
) -> None:
    before = contents(workplace / "out")
    change(workplace, old, new)
    done = rootplex("compile", "x.yaml", "-o", "out", cwd=workplace)
    assert (done.returncode, contents(workplace / "out")) == (status, before)
    assert "x.yaml:" in done.stdout + done.stderr


def test_one_failing_description_does_not_keep_others_from_being_compiled(workplace: Path) -> None:
    (workplace / "bad.yaml").write_text("rootplex: 1\n")
    shutil.rmtree(workplace / "out")
    done = rootplex("compile", "-j", "2", "bad.yaml", "x.yaml", "-o", "out", cwd=workplace)
    assert done.returncode == 1
    assert [path.name for path in (workplace / "out").iterdir()] == ["qemu-virt"]


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert line.startswith("rootplex: ")
    return line


def test_a_full_disk_is_one_clear_line_and_earlier_output_stays_whole(workplace: Path) -> None:
    """A limit on the size of files stops the writing in the middle, as a full disk does."""
    before = contents(workplace / "out")
    change(workplace, "title: QEMU virt, one host bridge", "title: another one")
    limit = 20_000  # config.bin is larger, everything before it smaller
    done = rootplex(
        "compile",
        "x.yaml",
        "-o",
        "out",
        cwd=workplace,
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 2
    assert "File too large" in one_line(done.stderr)
    assert contents(workplace / "out") == before


def test_an_output_folder_that_cannot_be_made_is_one_clear_line(workplace: Path) -> None:
    done = rootplex("compile", "x.yaml", "-o", "x.yaml/out", cwd=workplace)
    assert done.returncode == 2
    assert "x.yaml/out" in one_line(done.stderr)


def test_a_description_that_is_not_there_is_one_clear_line(workplace: Path) -> None:
    done = rootplex("compile", "y.yaml", "-o", "out", cwd=workplace)
    assert (done.returncode, one_line(done.stderr)) == (2, "rootplex: y.yaml: No such file or directory")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_missing_tool_is_one_clear_line_that_says_how_to_get_it(workplace: Path, jobs: str) -> None:
    before = contents(workplace / "out")
    change(workplace, "title: QEMU virt, one host bridge", "title: another one")
    shutil.copy(workplace / "x.yaml", workplace / "y.yaml")
    (workplace / "empty").mkdir()
    done = rootplex(
        "compile",
        "-j",
        jobs,
        "x.yaml",
        "y.yaml",
        "-o",
        "out",
        cwd=workplace,
        environment={"PATH": str(workplace / "empty")},
    )
    assert done.returncode == 2
    assert one_line(done.stderr) == (
        "rootplex: iasl is not installed (on Debian: apt-get install acpica-tools)"
    )
    assert contents(workplace / "out") == before


DISAGREES = """    acpi: {segment: 2}
"""


@pytest.fixture
def disagreeing(workplace: Path) -> Path:
    """The workplace, its description with a segment that differs by firmware."""
    change(workplace, "    segment: 0\n", "    segment: 0\n" + DISAGREES)
    return workplace


def test_what_check_calls_an_error_is_not_written(disagreeing: Path) -> None:
    before = contents(disagreeing / "out")
    done = rootplex("compile", "x.yaml", "-o", "out", cwd=disagreeing)
    assert (done.returncode, contents(disagreeing / "out")) == (1, before)
    assert "error[RPX0801]: pcie is segment 0 by device tree and 2 by ACPI" in done.stdout
    assert one_line(done.stderr) == (
        "rootplex: x.yaml has errors and is not written (--despite-errors writes it all the same)"
    )


def test_it_is_written_on_demand_and_never_taken_for_unchanged(disagreeing: Path) -> None:
    done = rootplex("compile", "x.yaml", "-o", "new", "--despite-errors", cwd=disagreeing)
    assert done.returncode == 1
    assert "x.yaml -> new/qemu-virt (13 files, despite 1 error)\n" in done.stdout
    again = rootplex("compile", "x.yaml", "-o", "new", cwd=disagreeing)
    assert (again.returncode, "unchanged" in again.stdout) == (1, False)


def test_an_error_that_the_author_expects_is_no_obstacle(disagreeing: Path) -> None:
    """Nor is one missed that only a simulation can find (RPX0902)."""
    change(disagreeing, "expect:\n", "expect:\n  findings: [RPX0801, RPX0902]\n")
    done = rootplex("compile", "x.yaml", "-o", "out", "--format", "short", cwd=disagreeing)
    assert done.returncode == 0
    assert "error[RPX0801] (expected)" in done.stdout
