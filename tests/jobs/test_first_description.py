"""`new`, `boards`, `models`: what a first description is made of, and that it is sound."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT, rootplex

from rootplex.cli import main
from rootplex.jobs.check import check_text
from rootplex.jobs.first import MACHINES, MAX_BRIDGES, first_description
from rootplex.jobs.settings import RunOptions


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("bridges", range(1, MAX_BRIDGES + 1))
def test_a_first_description_has_no_findings(machine: str, bridges: int) -> None:
    for firmware in ("dt", "acpi"):
        text = first_description("board", machine, bridges)
        result = check_text(text.encode(), "board.yaml", RunOptions(firmware=firmware))
        assert ("consistent", ()) == (result.verdict, result.findings)
        assert list(range(bridges)) == [each.segment for each in result.machine.bridges]


def test_from_an_empty_folder_to_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each command says to go on with works as it stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", Terminal("\n\n"))
    assert 0 == main(["new", "board.yaml"])
    for line in ("check board.yaml", "report board.yaml -o board.html", "plan board.yaml"):
        assert 0 == main(line.split())


class Terminal(io.StringIO):
    """Standard input with a person at it."""

    def isatty(self) -> bool:
        return True


def test_questions_are_asked_again_until_they_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("\nseven\n2\n"))
    path = tmp_path / "board.yaml"
    assert 0 == main(["new", str(path)])
    assert "one of: 1, 2, 3, 4" in capsys.readouterr().out
    assert first_description("board", "qemu-virt", 2) == path.read_text()


def test_without_a_person_it_says_what_to_write(tmp_path: Path) -> None:
    done = rootplex("new", "board.yaml", cwd=tmp_path)
    assert (
        2,
        "rootplex: say what to begin from with --from (`rootplex boards` lists the bundled ones)\n",
    ) == (
        done.returncode,
        done.stderr,
    )
    assert not (tmp_path / "board.yaml").exists()


@pytest.mark.parametrize("source", ["juno-r2", str(CHECKOUT / "generated" / "qemu-virt" / "qemu-virt.dtb")])
def test_from_a_board_and_from_firmware(source: str, tmp_path: Path) -> None:
    assert 0 == rootplex("new", "mine.yaml", "--from", source, cwd=tmp_path).returncode
    assert 0 == rootplex("check", "mine.yaml", cwd=tmp_path).returncode
    again = rootplex("new", "mine.yaml", "--from", source, cwd=tmp_path)
    assert (2, "rootplex: mine.yaml is there already: name another file\n") == (
        again.returncode,
        again.stderr,
    )


def test_a_board_takes_its_new_name(tmp_path: Path) -> None:
    assert 0 == rootplex("new", "mine.yaml", "--from", "qemu-virt", cwd=tmp_path).returncode
    assert "  name: mine\n" in (tmp_path / "mine.yaml").read_text()
    assert not (tmp_path / "mine.yaml").read_text().startswith("# yaml-language-server")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("board.yaml", "--from", "juno"), "there is no board and no file 'juno'; did you mean 'juno-r2'?"),
        (("Board.yaml", "--from", "juno-r2"), "Board.yaml gives no name for a platform: small letters"),
    ],
)
def test_what_cannot_be_begun(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = rootplex("new", *words, cwd=tmp_path)
    assert 2 == done.returncode
    assert done.stderr.startswith(f"rootplex: {said}")


def test_boards_and_models_are_listed_by_words() -> None:
    boards = rootplex("boards", "juno", cwd=CHECKOUT)
    assert (0, "juno-r2  arm64  Arm Juno r2\n") == (boards.returncode, boards.stdout)
    assert len(list((CHECKOUT / "topologies").glob("*.yaml"))) == len(
        rootplex("boards", cwd=CHECKOUT).stdout.splitlines()
    )
    models = rootplex("models", "nvme", "qemu", cwd=CHECKOUT)
    assert models.stdout.split()[:3] == ["qemu:nvme", "1b36:0010", "endpoint"]
    assert 1 == rootplex("models", "no such thing", cwd=CHECKOUT).returncode
