"""Boards that are found when they are asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import islice
from operator import length_hint
from pathlib import Path

import pytest

from rootplex.jobs import boards
from rootplex.jobs.boards import BoardsAt, boards_of
from rootplex.jobs.result import Result
from rootplex.jobs.validate import validate_board


@pytest.fixture
def tree(checkout: Path) -> bytes:
    return (checkout / "generated" / "qemu-virt" / "qemu-virt.dtb").read_bytes()


def test_of_a_great_folder_few_files_are_opened_for_the_first_boards(
    tree: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(boards.MACHINE_FILES + 1):
        (tmp_path / f"{number:04d}.dtb").write_bytes(tree)
    opened: list[Path] = []
    real = boards._of_file

    def noted(path: Path) -> str | None:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(boards, "_of_file", noted)
    found = BoardsAt([str(tmp_path)])
    names = [board.name for board in islice(found, 40)]
    assert [str(tmp_path / f"{number:04d}.dtb") for number in range(40)] == names
    assert len(opened) <= 42
    assert length_hint(found) == boards.MACHINE_FILES + 1


def test_how_many_there_are_is_told_from_those_that_were_found(tree: bytes, tmp_path: Path) -> None:
    """Every other file is no board."""
    for number in range(40):
        (tmp_path / f"{number:02d}.dtb").write_bytes(tree)
        (tmp_path / f"{number:02d}.dtsi").write_text("/* a part */")
    found = BoardsAt([str(tmp_path)])
    assert 40 == sum(1 for _ in found)
    assert 40 == length_hint(found)


def test_boards_of_folders_below_are_told_apart_by_folder(tree: bytes, tmp_path: Path) -> None:
    names = ["a/x.dtb", "a/y.dtb", "b/c/x.dtb", "b/x.dtb", "top.dtb"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(tree)
    (tmp_path / "link").symlink_to(tmp_path)
    found = [str(Path(board.name).relative_to(tmp_path)) for board in boards_of([str(tmp_path)])]
    assert ["top.dtb", "a/x.dtb", "a/y.dtb", "b/x.dtb", "b/c/x.dtb"] == found


def test_single_tables_below_a_folder_are_one_machine(checkout: Path, tmp_path: Path) -> None:
    for board in ("q35", "qemu-virt"):
        (tmp_path / board).mkdir()
        for table in (checkout / "generated" / board).glob("*.aml"):
            shutil.copy(table, tmp_path / board)
    assert ["q35", "qemu-virt"] == [Path(board.name).name for board in boards_of([str(tmp_path)])]


def test_a_folder_of_tables_by_its_dot(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str], str]
) -> None:
    program("acpiexec")
    for table in (checkout / "generated" / "q35").glob("*.aml"):
        shutil.copy(table, tmp_path)
    monkeypatch.chdir(tmp_path)
    results: list[Result] = [validate_board(board) for board in boards_of(["."])]
    assert [1] == [len(result.machine.bridges) for result in results]


def test_a_snapshot_beside_firmware_is_a_board_of_its_own(
    tree: bytes, checkout: Path, tmp_path: Path
) -> None:
    """It holds firmware itself: two firmwares of a kind are two machines, whatever the names."""
    (tmp_path / "board.dtb").write_bytes(tree)
    shutil.copy(checkout / "tests/capture/recorded/x86-acpi-6.1.txt", tmp_path / "board.txt")
    found = boards_of([str(tmp_path)])
    assert [["board.dtb"], ["board.txt"]] == [[Path(i.path).name for i in each.items] for each in found]


def test_a_folder_that_is_closed_is_passed_over_where_it_was_not_named(
    tree: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.dtb").write_bytes(tree)
    scandir = os.scandir

    def guarded(path: str) -> object:
        if str(path) == str(tmp_path / "closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert [str(tmp_path / "open" / "x.dtb")] == [each.name for each in boards_of([str(tmp_path)])]
    with pytest.raises(PermissionError):
        list(BoardsAt([str(tmp_path / "closed")]))
