"""What many results say together, of results that are written out here."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from rootplex.jobs.survey import NotResultsError, Survey, lines_of, survey

AT, BELOW = "0000:00:01.0", "0000:01:00.0"
PORT = {"sbdf": AT, "vendor": 0x1B36, "device": 0xC}
CARD = {"sbdf": BELOW, "vendor": 0x8086, "device": 0x1533}


def line(
    file: str,
    *codes: str,
    platform: str | None = "board",
    verdict: str = "consistent",
    groups: Iterable[list[str]] = (),
    devices: Iterable[object] = (),
    expected: bool = False,
) -> bytes:
    findings = [
        {
            "code": code,
            "name": "of-it",
            "level": "error" if code < "RPX0200" else "warning",
            "expected": expected,
        }
        for code in codes
    ]
    members = [{"id": n, "members": each} for n, each in enumerate(groups)]
    whole = {"file": file, "platform": platform, "verdict": verdict, "findings": findings}
    return json.dumps({**whole, "groups": members, "devices": list(devices)}).encode() + b"\n"


def of(*lines: bytes, earlier: tuple[bytes, ...] | None = None) -> Survey:
    return survey(lines_of(lines, "now"), None if earlier is None else lines_of(earlier, "then"))


def test_findings_are_counted_by_code_and_platform_the_worst_first() -> None:
    found = of(
        line("a", "RPX0300", "RPX0300"),
        line("b", "RPX0300", platform="other"),
        line("c", "RPX0101", verdict="inconsistent"),
        line("d", "RPX0101", expected=True),
        line("e", "RPX0300", platform=None),
    )
    assert (5, {"consistent": 4, "inconsistent": 1}) == (found.boards, found.verdicts)
    assert [("RPX0101", 1, 1), ("RPX0300", 4, 3)] == [(f.code, f.count, f.on) for f in found.findings]
    assert (("board", 1), ("other", 1), ("e", 1)) == found.findings[1].platforms
    assert ("a", "b", "e") == found.findings[1].boards


def test_machines_with_the_same_functions_that_are_grouped_otherwise() -> None:
    alone, together = [[AT], [BELOW]], [[AT, BELOW]]
    found = of(
        line("a", groups=alone, devices=[PORT, CARD]),
        line("b", groups=together, devices=[PORT, CARD]),
        line("c", groups=together, devices=[PORT, CARD]),
        line("other cards", groups=alone, devices=[PORT, {**CARD, "device": 1}]),
        line("no devices"),
    )
    (model,) = found.models
    assert "board" == model.platform
    assert [(2, ("b", "c")), (1, ("a",))] == [(each.on, each.boards) for each in model.partitions]
    assert (((AT, BELOW),), ()) == (model.partitions[0].own, model.partitions[1].own)


def test_against_earlier_results_boards_are_known_by_their_files() -> None:
    found = of(
        line("a", "RPX0300", verdict="inconsistent"),
        line("b"),
        line("new", "RPX0101"),
        earlier=(line("a"), line("b", "RPX0400"), line("old", "RPX0500")),
    )
    assert found.since is not None
    assert (1, 1) == (found.since.came, found.since.gone)
    assert (("consistent", "inconsistent", 1, ("a",)),) == found.since.verdicts
    assert (("RPX0300", 0, 1), ("RPX0400", 1, 0)) == found.since.codes


def test_a_last_line_that_is_cut_off_is_left_out() -> None:
    assert 1 == of(line("a"), line("b")[:-9]).boards


@pytest.mark.parametrize("text", [b"{}\n", b"\n", b"\xff\n", b"[1]\n", b'{"file": 1}\n'])
def test_a_line_that_is_no_result_is_named(text: bytes) -> None:
    with pytest.raises(NotResultsError, match="now: line 2 is no result of"):
        of(line("a"), text)


def test_platforms_are_all_told_and_reasons_where_nothing_could_be_read() -> None:
    unread = (
        line(name, "RPX0001", platform=None, verdict="unknown").replace(
            b'"of-it"', f'"of-it", "message": "the file has {size} bytes"'.encode()
        )
        for name, size in (("a", "0x10"), ("b", "1,024"))
    )
    found = of(*unread, *(line(f"c{n}", "RPX0300", platform=f"p{n}") for n in range(9)))
    assert [((), (("the file has … bytes", 2),)), (tuple((f"p{n}", 1) for n in range(9)), ())] == [
        (each.platforms, each.reasons) for each in found.findings
    ]


def test_surveys_of_two_folders_are_compared_by_the_ends_of_paths() -> None:
    found = of(
        line("/june/x/a.txt", "RPX0300"),
        line("/june/y/a.txt"),
        line("/june/y/b.txt"),
        earlier=(line("/may/x/a.txt"), line("/may/y/a.txt", "RPX0300"), line("/may/z/a.txt")),
    )
    assert found.since is not None
    assert (1, 1, 2) == (found.since.came, found.since.gone, found.since.both)
    assert (("RPX0300", 1, 1),) == found.since.codes
    assert ({"RPX0300": ("x/a.txt",)}, {"RPX0300": ("y/a.txt",)}) == (found.since.on, found.since.off)
