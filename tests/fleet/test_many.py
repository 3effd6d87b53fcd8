"""`--format jsonl`, `--resume` and `-j` of check and validate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rootplex.cli import main
from rootplex.fleet.work import with_bytes
from rootplex.jobs.boards import Board, boards_of
from rootplex.jobs.result import Result, unreadable
from rootplex.jobs.validate import validate_board
from rootplex.source.shipped import shipped_folder

BOARD = (shipped_folder("topologies") / "qemu-virt.yaml").read_text()


@pytest.fixture
def boards(tmp_path: Path) -> list[str]:
    """Two sound ones, and one with an error."""
    texts = {"a": BOARD, "b": BOARD, "c": BOARD.replace("segment: 0", "segment: 70000")}
    assert texts["c"] != BOARD
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return [str(tmp_path / f"{name}.yaml") for name in texts]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def test_results_are_the_same_however_they_are_made(
    boards: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "r.jsonl"
    statuses = set()
    printed = []
    for more in ([], ["-j", "2"]):
        statuses.add(main(["check", *boards, "--format", "jsonl", *more]))
        printed.append(capsys.readouterr().out)
    statuses.add(main(["check", *boards, "--resume", str(results)]))
    assert {2} == statuses
    assert {results.read_text()} == set(printed)
    assert boards == [json.loads(line)["file"] for line in lines(results)]
    table = capsys.readouterr().out
    assert "c.yaml" in table.splitlines()[1]
    assert "3 boards (1 unknown): 1 error" in table.splitlines()[-1]


def test_only_what_is_missing_or_changed_is_done(
    boards: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "r.jsonl"
    main(["check", *boards, "--resume", str(results)])
    whole = lines(results)
    results.write_text(whole[0] + whole[1][:100])
    Path(boards[2]).write_text(BOARD)
    done: list[str] = []
    monkeypatch.setattr("rootplex.cli.check._judged", lambda board, options: noted(board, done))
    capsys.readouterr()
    main(["check", *boards, "--resume", str(results)])
    assert boards[1:] == done
    assert "r.jsonl: 1 line cut off or not ours; 1 whole result used" in capsys.readouterr().err
    assert boards == [json.loads(line)["file"] for line in lines(results)]


def noted(board: Board, done: list[str]) -> Result:
    done.append(board.name)
    return unreadable(board.name, ())


@pytest.mark.parametrize("change", ["--bare-metal", "bytes"])
def test_results_of_other_options_or_bytes_are_replaced(
    change: str, boards: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "r.jsonl"
    main(["check", boards[0], "--resume", str(results)])
    old = lines(results)
    if change == "bytes":
        Path(boards[0]).write_text(BOARD + "\n")
    main(["check", boards[0], "--resume", str(results), *([change] if change != "bytes" else [])])
    assert "1 result of other bytes, options, version or boards: left out" in capsys.readouterr().err
    assert 1 == len(lines(results))
    assert json.loads(old[0])["key"] != json.loads(lines(results)[0])["key"]


def test_a_file_of_somebody_else_is_not_touched(
    boards: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "notes"
    other.write_text("buy milk\n")
    assert 2 == main(["check", boards[0], "--resume", str(other)])
    assert f"rootplex: {other} is no file of results: name another by --resume\n" == capsys.readouterr().err
    assert "buy milk\n" == other.read_text()


def test_an_input_that_is_missing_is_a_result_of_its_own(
    boards: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.yaml")
    assert 2 == main(["check", missing, boards[0], "--format", "jsonl"])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert ("unknown", "No such file or directory") == (first["verdict"], first["findings"][0]["message"])
    assert "consistent" == second["verdict"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--cluster", "tcp://127.0.0.1:1"], "--cluster takes --format jsonl or --resume FILE"),
        (["--resume", "r", "--format", "sarif"], "--resume writes lines of JSON: leave --format out"),
        (["--trace", "--format", "jsonl"], "--trace is text for a person"),
    ],
)
def test_words_that_do_not_go_together(
    words: list[str], line: str, boards: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["check", boards[0], *words])
    assert line in capsys.readouterr().err


def test_a_folder_of_tables_gives_the_same_by_its_bytes(tmp_path: Path, checkout: Path) -> None:
    """As it travels to another machine: an archive."""
    generated = checkout / "generated" / "q35"
    folder = tmp_path / "tables"
    folder.mkdir()
    for table in generated.glob("*.aml"):
        (folder / table.name).write_bytes(table.read_bytes())
    (board,) = boards_of([str(folder)])
    by_path, by_bytes = validate_board(board), validate_board(with_bytes(board))
    assert by_path == by_bytes
    assert by_path.machine.bridges


def test_a_board_named_twice_is_one_line_however_many_work(boards: list[str], tmp_path: Path) -> None:
    for jobs in ("1", "2"):
        results = tmp_path / f"{jobs}.jsonl"
        main(["check", boards[0], boards[0], "-j", jobs, "--resume", str(results)])
        assert 1 == len(lines(results))
