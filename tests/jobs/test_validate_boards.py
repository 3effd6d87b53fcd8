"""`validate`: boards, joining, snapshots against themselves, and a source against a description."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checks.golden import hold
from tests.topologies.bundled import COMMAND, platform_of, rootplex

from rootplex.jobs.boards import boards_of
from rootplex.jobs.joining import Traits, matched
from rootplex.jobs.result import Result
from rootplex.jobs.sources import kind_of, source_of_bytes
from rootplex.jobs.validate import validate_board
from rootplex.readers.buses import Buses
from rootplex.source.finding import Unreadable

RECORDED = Path(__file__).resolve().parents[1] / "capture" / "recorded"
SNAPSHOTS = sorted(RECORDED.glob("*.txt"))
BOARD = "hisilicon-d05"


def validated(*paths: Path, against: str | None = None) -> Result:
    (board,) = boards_of([str(path) for path in paths])
    return validate_board(board, None if against is None else platform_of(against))


@pytest.mark.parametrize("file", SNAPSHOTS, ids=lambda file: file.stem)
def test_a_recorded_kernel_saw_what_the_simulation_comes_to(file: Path) -> None:
    """Functions, parents and groups of four real kernels."""
    result = validated(file)
    assert [] == [each for each in result.findings if each.code == "RPX0891"]
    assert "consistent" == result.verdict
    assert result.machine.devices


def test_a_function_left_out_of_a_snapshot_moves_nothing_else(tmp_path: Path) -> None:
    """One function and its boot line taken out of a snapshot, lines numbered anew."""
    lines = [line.split(" ", 1)[1] for line in (RECORDED / "arm64-dt-7.2.txt").read_text().splitlines()]
    start = next(i for i, line in enumerate(lines) if line == "function 0000:00:05.0")
    end = next(i for i, line in enumerate(lines) if i > start and line.startswith(("function ", "section ")))
    kept = lines[:start] + lines[end:]
    file = tmp_path / "cut.txt"
    file.write_text("".join(f"{i}/{len(line)} {line}\n" for i, line in enumerate(kept, 1)))
    result = validated(file)
    # the simulation is made of what the snapshot shows: both lack it, and nothing else moves
    assert [] == [each.message for each in result.findings if each.code == "RPX0891"]


def test_a_group_that_the_kernel_made_otherwise_is_told(tmp_path: Path) -> None:
    """The same snapshot with a function moved into another group."""
    lines = [line.split(" ", 1)[1] for line in (RECORDED / "arm64-dt-7.2.txt").read_text().splitlines()]
    start = next(i for i, line in enumerate(lines) if line == "function 0000:00:03.0")
    own = next(i for i, line in enumerate(lines) if i > start and line.startswith("group "))
    lines[own] = next(line for line in lines if line.startswith("group ") and line != lines[own])
    file = tmp_path / "moved.txt"
    file.write_text("".join(f"{i}/{len(line)} {line}\n" for i, line in enumerate(lines, 1)))
    found = [each for each in validated(file).findings if each.code == "RPX0891"]
    hold(found)
    assert any("0000:00:03.0" in each.message for each in found)


def test_an_smmu_that_the_kernel_has_elsewhere_is_told(tmp_path: Path) -> None:
    lines = [line.split(" ", 1)[1] for line in (RECORDED / "arm64-dt-7.2.txt").read_text().splitlines()]
    start = next(i for i, line in enumerate(lines) if line == "function 0000:00:03.0")
    unit = next(i for i, line in enumerate(lines) if i > start and line.startswith("unit "))
    lines[unit] = lines[unit].replace("9050000", "9060000")
    file = tmp_path / "elsewhere.txt"
    file.write_text("".join(f"{i}/{len(line)} {line}\n" for i, line in enumerate(lines, 1)))
    (found,) = [each.message for each in validated(file).findings if each.code == "RPX0891"]
    assert found == "0000:00:03.0 is behind the SMMU at 0x9060000 for the kernel, at 0x9050000 simulated"


def test_standard_input_is_a_source_too(checkout: Path, tmp_path: Path) -> None:
    blob = (checkout / "generated" / "juno-r2" / "juno-r2.dtb").read_bytes()
    for command in ("import", "validate"):
        argv = [*COMMAND, command, "-"]
        done = subprocess.run(argv, input=blob, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode != 2
        assert b"juno-r2" in done.stdout


@pytest.mark.parametrize("name", [BOARD, "synquacer", "qemu-virt-three-segments", "juno-r2"])
def test_what_a_description_compiles_to_does_not_differ_from_it(checkout: Path, name: str) -> None:
    folder = checkout / "generated" / name
    found = validated(folder, against=name).findings
    assert [] == [each for each in found if each.code == "RPX0890"]


def test_each_difference_from_a_description_has_both_places(checkout: Path, tmp_path: Path) -> None:
    """The blob of D05 with another bus range and window, through `dtc`."""
    blob = checkout / "generated" / BOARD / f"{BOARD}.dtb"
    text = subprocess.run(
        ["dtc", "-q", "-O", "dts", str(blob)], capture_output=True, text=True, check=True
    ).stdout
    assert "bus-range = <0xf8 0xff>" in text
    altered = tmp_path / "board.dts"
    altered.write_text(text.replace("bus-range = <0xf8 0xff>", "bus-range = <0xf8 0xfb>", 1))
    found = [each for each in validated(altered, against=BOARD).findings if each.code == "RPX0890"]
    hold(found)
    buses = next(each for each in found if each.message.startswith("buses of"))
    assert "buses of pcie2: f8-fb on the board, f8-ff in the description" == buses.message
    assert str(buses.at).endswith("/pcie@af800000:bus-range")
    assert buses.related[0].at.file == f"{BOARD}.yaml"


def traits(base: int, window: int, segment: int | None, buses: tuple[int, int] = (0, 0xFF)) -> Traits:
    return Traits(
        config=frozenset({base}),
        buses=Buses(*buses),
        windows=frozenset({(window, 16)}),
        segment=segment,
        enabled=True,
    )


def test_bridges_are_joined_by_configuration_space_then_windows_then_segment() -> None:
    by_config = matched([traits(1, 10, 0), traits(2, 20, 1)], [traits(2, 30, 0), traits(1, 40, 1)])
    assert {0: 1, 1: 0} == by_config
    by_window = matched([traits(1, 10, 0), traits(2, 20, 1)], [traits(3, 20, 0), traits(4, 10, 1)])
    assert {0: 1, 1: 0} == by_window
    by_segment = matched([traits(1, 10, 7), traits(2, 20, 8)], [traits(3, 30, 8), traits(4, 40, 9)])
    assert {1: 0} == by_segment


def test_one_base_with_disjoint_buses_is_not_one_bridge() -> None:
    """D05's segments 4 and 6."""
    left = [traits(8, 1, None, (0x88, 0x8F)), traits(8, 2, None, (0xC0, 0xC7))]
    right = [traits(8, 3, 6, (0xC0, 0xC7)), traits(8, 4, 4, (0x88, 0x8F))]
    assert {0: 1, 1: 0} == matched(left, right)


def test_a_tree_and_tables_are_one_board_and_a_folder_of_trees_is_many(
    checkout: Path, tmp_path: Path
) -> None:
    folder = checkout / "generated" / BOARD
    (both,) = boards_of([str(folder)])
    assert ["dtb", "acpi"] == [item.kind for item in both.items]
    for name in ("juno-r2", "synquacer"):
        shutil.copy(checkout / "generated" / name / f"{name}.dtb", tmp_path)
    assert 2 == len(boards_of([str(tmp_path)]))
    (pair,) = boards_of([str(tmp_path / "juno-r2.dtb"), str(checkout / "generated" / "juno-r2" / "mcfg.aml")])
    assert 2 == len(pair.items)


def test_a_folder_without_sources_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(Unreadable, match="no device tree"):
        boards_of([str(tmp_path)])


@settings(deadline=None, max_examples=60)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xd0\x0d\xfe\xed", b"1/19 rootplex-snapshot 1\n", b"MCFG @ 0x0\n"]),
)
def test_any_bytes_end_in_a_source_or_one_clear_refusal(data: bytes, head: bytes) -> None:
    try:
        source_of_bytes(head + data, "x")
    except Unreadable as error:
        assert error.findings
    assert kind_of(b"") is None


def test_the_command_shows_a_table_worst_first(checkout: Path, tmp_path: Path) -> None:
    for name in ("juno-r2", "synquacer"):
        shutil.copy(checkout / "generated" / name / f"{name}.dtb", tmp_path)
    (tmp_path / "broken.dtb").write_bytes(b"\xd0\x0d\xfe\xed" + b"\0" * 8)
    shutil.copy(checkout / "tests" / "cases" / "xen" / "d1-dup-domain-overlapping-buses.dts", tmp_path)
    done = rootplex("validate", ".", "-j", "2", cwd=tmp_path)
    assert 2 == done.returncode
    rows = done.stdout.splitlines()[:4]
    assert ["verdict", "errors", "warnings", "notes"] == rows[0].split()
    assert rows[1].startswith("broken.dtb")
    assert "unreadable" in rows[1]
    assert "d1-dup" in rows[2]
    assert "inconsistent" in rows[2]


def test_the_json_is_the_designs(checkout: Path, tmp_path: Path) -> None:
    done = rootplex("validate", str(checkout / "generated" / BOARD), "--format", "json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert {"rootplex", "platform", "dom0", "firmware", "verdict", "findings"} < result.keys()
    first = result["bridges"][0]
    assert [0xF8, 0xFF] == first["bus_range"]
    assert {"dt": None, "mcfg": 2, "seg": 2} == {key: first["numbers"][key] for key in ("dt", "mcfg", "seg")}
    assert {"base": 0xAF800000, "size": 0x800000} == first["ecam"]
    assert 1 == done.returncode


def test_import_writes_what_compile_takes(checkout: Path, tmp_path: Path) -> None:
    blob = checkout / "generated" / "qemu-virt" / "qemu-virt.dtb"
    done = rootplex("import", str(blob), "-o", "x.yaml", cwd=tmp_path)
    assert (0, "") == (done.returncode, done.stderr)
    assert "1 host bridge -> x.yaml" in done.stdout
    assert 0 == rootplex("compile", "x.yaml", "-o", "out", cwd=tmp_path).returncode
    assert 0 == rootplex("import", str(blob), "-o", "x.yaml", cwd=tmp_path).returncode
    refused = rootplex("import", "x.yaml", "--format", "json", cwd=tmp_path)
    assert 2 == refused.returncode
    assert ["RPX0001"] == [each["code"] for each in json.loads(refused.stdout)["findings"]]


def test_import_replaces_nothing_of_somebody_elses(checkout: Path, tmp_path: Path) -> None:
    blob = str(checkout / "generated" / "qemu-virt" / "qemu-virt.dtb")
    (tmp_path / "x.yaml").write_text("rootplex: 1\n")
    refused = rootplex("import", blob, "-o", "x.yaml", cwd=tmp_path)
    assert (2, "rootplex: 1\n") == (refused.returncode, (tmp_path / "x.yaml").read_text())
    assert refused.stderr == (
        "rootplex: x.yaml is there and is not ours: name another file by -o, or replace it by --force\n"
    )
    assert 0 == rootplex("import", blob, "-o", "x.yaml", "--force", cwd=tmp_path).returncode


def test_import_never_replaces_what_it_reads(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "x.dtb").write_bytes((checkout / "generated" / "qemu-virt" / "qemu-virt.dtb").read_bytes())
    refused = rootplex("import", "x.dtb", "-o", "./x.dtb", "--force", cwd=tmp_path)
    assert (2, "rootplex: x.dtb would be replaced by what is read from it: name another by -o\n") == (
        refused.returncode,
        refused.stderr,
    )


def test_a_tree_alone_shows_its_bridges(checkout: Path, tmp_path: Path) -> None:
    """QEMU's own numbers: hw/arch/virt's memory map, `info mtree`."""
    blob = str(checkout / "generated" / "qemu-virt-32" / "qemu-virt-32.dtb")
    lines = rootplex("validate", blob, cwd=tmp_path).stdout.splitlines()
    assert "dummy-virt: consistent (linux-7.2, dt): no findings; devices are not known" == lines[0]
    assert ["bridge", "segment", "buses", "configuration", "space", "windows", "maps"] == lines[2].split()
    path, segment, buses, kind, base, size, *rest = lines[3].split()
    assert ("0000", "00-0f", "ECAM", "0x3f000000", "16MiB") == (segment, buses, kind, base, size)
    assert path.startswith("/pcie@")
    assert "msi-map" in rest
