"""`rootplex campaign`: which topologies, what a difference looks like, and results that are gone on with.

What kernels see is in `tests/boot`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from rootplex.campaign import booted
from rootplex.campaign.drawn import Drawn
from rootplex.campaign.topologies import Description, walk
from rootplex.cli import main
from rootplex.jobs.qemu.comparison import Comparison, Figures, Line
from rootplex.jobs.qemu.preparation import Preparation, prepare
from rootplex.tools import kernels
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError

AGREED = Figures(bridges=1, functions=3, groups=2, large_groups=1, without_group=0, differences=0)
WORDS = ["campaign", "--arch", "arm64", "--seed", "7", "--topologies", "4"]


def compared(whole: Description, kernel: Kernel) -> tuple[Preparation, Comparison]:
    """By a kernel that has another group wherever there is a switch."""
    platform = booted.platform_of(whole, "seen.yaml")
    made = prepare(platform, platform.firmware[0], "linux-6.1", in_memory=True)
    kinds = {device["type"] for bridge in whole["host_bridges"] for device in walk(bridge["devices"])}
    if "upstream-port" not in kinds:
        return made, Comparison((), AGREED)
    segment = whole["host_bridges"][0]["segment"]
    subject = f"{segment:04x}:{whole['host_bridges'][0]['bus_range'][0]:02x}:00.0"
    line = Line("group", subject, f"{subject} {subject[:-1]}1", None, "differs")
    return made, Comparison((line,), replace(AGREED, differences=1))


@pytest.fixture(autouse=True)
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One is unpacked, and boots as `compared` says."""

    def one(cache: Path, arch: Arch, wanted: str, *, full: bool = False) -> Kernel:
        return Kernel(arch, "6.1.0-1", "linux-6.1", tmp_path, tmp_path)

    monkeypatch.setattr(kernels, "newest", one)
    monkeypatch.setattr(kernels, "of_release", one)
    monkeypatch.setattr(booted, "boot", compared)


def test_the_topologies_of_a_seed_are_the_same_each_time() -> None:
    drawn = Drawn(seed=7, numbers={"arm64": range(2, 5), "x86_64": range(1)})
    first, again = list(drawn), list(drawn)
    assert first == again
    assert len(drawn) == len(first) == 4
    assert [board.name for board in drawn] == [
        "random-2.yaml", "random-3.yaml", "random-4.yaml", "random-x86-0.yaml",
    ]  # fmt: skip
    assert len({board.items[0].data for board in Drawn(seed=7, numbers={"arm64": range(300)})}) == 300


def test_what_differs_is_an_error_with_the_smallest_topology(capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main([*WORDS, "--first", "3", "--topologies", "1"])
    out = capsys.readouterr().out
    text, _, rest = out.partition("the smallest description found that shows a difference:\n")
    assert "error[RPX0891]: Linux 6.1.0-1 has the group of " in text
    assert "otherwise than simulated" in text
    assert "random-3.yaml by dt on 6.1.0-1: 1 host bridge, 3 functions, 2 groups (1 of two or more), " in text
    less, _, last = rest.rpartition("\n\n")
    types = [
        each["type"] for bridge in yaml.safe_load(less)["host_bridges"] for each in walk(bridge["devices"])
    ]
    assert types == ["root-port", "upstream-port"]
    assert last == (
        "1 topology, 3 functions, 2 groups (1 of two or more), 0 functions without a group, 1 difference\n"
    )


def test_results_are_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "r.jsonl"
    assert 1 == main([*WORDS, "--resume", str(results)])
    whole, first = results.read_text(), capsys.readouterr().out
    monkeypatch.setattr(booted, "boot", lambda whole, kernel: pytest.fail("it is done already"))
    assert 1 == main([*WORDS, "--resume", str(results)])
    assert (whole, first) == (results.read_text(), capsys.readouterr().out)
    lines = [json.loads(line) for line in whole.splitlines()]
    assert {"inconsistent"} == {line["verdict"] for line in lines}
    assert {line["booted"]["kernel"] for line in lines} == {"6.1.0-1"}
    assert first.splitlines()[-1].startswith("4 topologies, 12 functions, 8 groups (4 of two or more)")


def test_a_boot_that_does_not_end_is_unknown_and_stops_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def boots() -> Iterator[bool]:
        yield False
        while True:
            yield True

    ends = boots()

    def boot(whole: Description, kernel: Kernel) -> tuple[Preparation, Comparison]:
        if not next(ends):
            raise ToolError("the boot did not come to its end within 180 seconds")
        return compared(whole, kernel)

    monkeypatch.setattr(booted, "boot", boot)
    assert 2 == main([*WORDS, "--format", "jsonl"])
    first, *others = map(json.loads, capsys.readouterr().out.splitlines())
    assert "unknown" == first["verdict"]
    assert "the boot did not come to its end within 180 seconds" == first["findings"][0]["message"]
    assert "booted" not in first
    assert len(others) == 3
    assert all("booted" in other for other in others)
