"""Several boards in text: expected findings as a count a board, and a tally in the last line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootplex.cli import main
from rootplex.jobs.result import Glance, Result, Tally, Verdict, glance
from rootplex.report.summary import worst
from rootplex.report.text import Sources, Style, render, tally
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Span


def finding(level: Level, code: str, *, expected: bool = False) -> Finding:
    made = Finding(
        code=code, name="x", level=level, message=f"what {code} says", at=Span("x.yaml", 2, 1, 2, 5)
    )
    return made.as_expected() if expected else made


def result(
    name: str, *findings: Finding, verdict: Verdict = "consistent", unreadable: bool = False
) -> Result:
    return Result(
        file=f"{name}.yaml",
        platform=name,
        dom0="linux-7.2",
        firmware="dt",
        verdict=verdict,
        findings=findings,
        unreadable=unreadable,
    )


KNOWN = finding(Level.ERROR, "RPX0801", expected=True)
SMALL = finding(Level.NOTE, "RPX0108", expected=True)
NEW = finding(Level.WARNING, "RPX0205")


def test_of_several_the_expected_findings_are_a_count_and_the_others_are_shown() -> None:
    boards = (result("one", KNOWN, NEW, SMALL), result("two", SMALL), result("three"))
    assert render(boards, Sources({}), Style()) == (
        "warning[RPX0205]: what RPX0205 says\n"
        " --> x.yaml:2:1\n"
        "  = more: rootplex explain RPX0205\n"
        "\n"
        "one: consistent (linux-7.2, dt): 1 warning, 2 expected\n"
        "\n"
        "two: consistent (linux-7.2, dt): 1 expected\n"
        "\n"
        "three: consistent (linux-7.2, dt)\n"
    )


def test_of_one_board_they_are_shown() -> None:
    text = render((result("one", KNOWN),), Sources({}), Style())
    assert text.splitlines()[0] == "error[RPX0801] (expected): what RPX0801 says"


BAD = finding(Level.ERROR, "RPX0101")


@pytest.mark.parametrize(
    ("boards", "line"),
    [
        ([result("one", KNOWN), result("two", SMALL, KNOWN)], "2 boards: 0 errors, 3 expected findings"),
        ([result("one"), result("two")], "2 boards: 0 errors"),
        (
            [result("one", BAD, NEW, verdict="inconsistent"), result("two"), result("three", SMALL)],
            "3 boards (1 inconsistent): 1 error, 1 warning, 1 expected finding",
        ),
        (
            [
                result("one", verdict="unknown"),
                result("two", BAD, verdict="unknown", unreadable=True),
                result("three", BAD, BAD, verdict="inconsistent"),
            ],
            "3 boards (1 unreadable, 1 inconsistent, 1 unknown): 3 errors",
        ),
    ],
)
def test_tally(boards: list[Result], line: str) -> None:
    assert tally(Tally(map(glance, boards)), Style()) == line + "\n"


TOPOLOGIES = ("qemu-virt.yaml", "juno-r2.yaml")


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (TOPOLOGIES, "2 boards: 0 errors, 1 expected finding"),
        (TOPOLOGIES[:1], "  guest router: "),
        (("--format", "short", *TOPOLOGIES), "topologies/juno-r2.yaml:54:19: warning[RPX0113] (expected): "),
    ],
)
def test_check_ends_with_it_in_text_where_several_files_are_given(
    words: tuple[str, ...],
    last: str,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(checkout)
    assert main(["check", *(f"topologies/{each}" if each in TOPOLOGIES else each for each in words)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(last)


def test_what_cannot_be_read_is_at_most_half_of_the_worst() -> None:
    def seen(file: str, *, errors: int = 0, unreadable: bool = False) -> Glance:
        return Glance(
            file=file,
            verdict="unknown" if unreadable else "inconsistent" if errors else "consistent",
            unreadable=unreadable,
            errors=errors,
            warnings=0,
            notes=0,
            expected=0,
            status=0,
        )

    unread = [seen(f"u{n}", errors=1, unreadable=True) for n in range(9)]
    others = [seen("a", errors=1), seen("b", errors=3), seen("c")]
    assert ["u0", "u1", "u2", "b", "a", "c"] == [each.file for each in worst([*others, *unread], 6)]
    assert ["u0", "u1", "u2", "u3", "u4", "u5"] == [each.file for each in worst(unread, 6)]
    assert ["u0", "b", "a", "c"] == [each.file for each in worst([*others, unread[0]], 6)]
