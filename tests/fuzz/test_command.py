"""`rootplex fuzz`: what it prints, how it ends, and how it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rootplex.cli import main
from rootplex.fuzz import campaign, playing, targets
from rootplex.fuzz.campaign import read_campaign
from rootplex.fuzz.invariants import Moment
from rootplex.fuzz.machines import machines
from rootplex.fuzz.steps import read_play
from rootplex.jobs.bundled import boards
from rootplex.jobs.check import check_text
from rootplex.jobs.settings import RunOptions
from rootplex.source.finding import Level


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["fuzz", *words])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_count_is_reached_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ran(capsys, "--target", "hypercalls", "--count", "5", "--seed", "7", "--coverage")
    assert (status, err) == (0, "rootplex: seed 7\n")
    assert "| hypercalls | sequences | 5 | 5 | 0 | 0 | 0 | 7 | " in out
    assert "hypercalls: pci_device_add: " in out


def test_a_seed_is_drawn_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = ran(capsys, "--target", "config", "--count", "1")
    seed = err.removeprefix("rootplex: seed ").strip()
    assert f" | {seed} | " in out


def test_it_goes_on_where_its_file_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cases are those that one run would have tried."""
    parts, whole = tmp_path / "parts.json", tmp_path / "whole.json"
    common = ("--target", "hypercalls", "--seed", "7")
    ran(capsys, *common, "--count", "4", "--resume", str(parts))
    ran(capsys, "--target", "hypercalls", "--count", "9", "--resume", str(parts))
    ran(capsys, *common, "--count", "9", "--resume", str(whole))
    (one,), (other,) = read_campaign(parts).counts, read_campaign(whole).counts
    assert (one.next, one.seen) == (9, other.seen)


@pytest.mark.parametrize("text", ["", "{}", "[", '{"seed": "x"}', "\xff"])
def test_another_file_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "x.json"
    place.write_bytes(text.encode("latin-1"))
    status, _, err = ran(capsys, "--resume", str(place), "--count", "1")
    assert status == 2
    assert err.startswith(f"rootplex: {place} is no file of this command")
    assert place.read_bytes() == text.encode("latin-1")


def test_another_seed_than_the_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "x.json"
    ran(capsys, "--target", "config", "--count", "1", "--seed", "7", "--resume", str(place))
    status, _, err = ran(capsys, "--target", "config", "--count", "1", "--seed", "8", "--resume", str(place))
    assert (status, err) == (2, f"rootplex: {place} was begun with --seed 7\n")


@pytest.mark.parametrize(
    "words", [("--seconds", "0"), ("--seconds", "nan"), ("--count", "0"), ("--target", "x")]
)
def test_what_cannot_be_asked(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(capsys, *words)[0] == 2


def test_a_format_can_be_asked_for_alone(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = ran(capsys, "--target", "viot", "--count", "3", "--seed", "7")
    assert (status, out.count("\n| ")) == (0, 1)
    assert "| firmware | viot inputs | 3 | 3 | 0 | 0 | 0 | 7 | " in out


@pytest.mark.parametrize(
    ("limits", "stays"),
    [((0.2, 60.0), lambda: sum(iter(lambda: 1, 0))), ((60.0, 0.2), lambda: time.sleep(60))],
    ids=["computes", "waits"],
)
def test_a_hang_is_ended_and_named(
    limits: tuple[float, float],
    stays: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(campaign, "SLOW", limits[0])
    monkeypatch.setattr(campaign, "WAITING", limits[1])
    monkeypatch.setattr(targets, "taken", lambda *_: stays())
    status, out, _ = ran(capsys, "--target", "mcfg", "--count", "1", "--seed", "7")
    assert status == 1
    assert "mcfg, seed 7, case 0: hang: not done after 0.2 seconds" in out
    assert "(test_command.py:" in out
    assert "| firmware | mcfg inputs | 1 | 1 | 0 | 1 | 0 | 7 | " in out


@pytest.mark.parametrize("name", sorted(machines().keys() - {board.name for board in boards()}))
def test_a_machine_of_its_own_is_sound(name: str) -> None:
    """The bundled boards are looked at elsewhere. Behind the virtio-iommu a card is below a conventional
    bridge on purpose."""
    found = check_text(machines()[name].read_bytes(), name, RunOptions()).findings
    errors = {each.code for each in found if each.level is Level.ERROR}
    assert errors == ({"RPX0768"} if name == "viot" else set())


def test_a_failure_is_printed_as_a_test_of_the_smallest_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault that one registration and one report together bring out."""

    def broken(moment: Moment) -> list[tuple[str, str]]:
        bridges, records = moment.after["bridges"], moment.after["records"]
        return [("planted", "both are there")] if bridges and records else []

    monkeypatch.setattr(playing, "broken", broken)
    place = tmp_path / "x.json"
    status, out, _ = ran(
        capsys, "--target", "hypercalls", "--count", "20", "--seed", "3", "--resume", str(place)
    )
    assert status == 1
    assert "planted: both are there\n\ndef test_hypercalls_3_" in out
    (failure, *_) = read_campaign(place).failures
    play = read_play(failure.test.partition('r"""')[2].partition('"""')[0])
    assert len(play.steps) <= 2
    assert playing.played(play).fault is not None
    assert json.loads(place.read_bytes())["counts"][0]["violations"] > 0
