"""A survey as text, JSON and a page, by the command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.jobs.test_survey import line, of

from rootplex.cli import main
from rootplex.report.survey import _matrix, text
from rootplex.source.shipped import shipped_folder

BOARDS = ("qemu-virt", "q35", "juno-r2")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of three bundled boards and of one with an error, in a folder."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "broken.yaml").write_text("rootplex: [")
    boards = [str(shipped_folder("topologies") / f"{name}.yaml") for name in BOARDS]
    main(["check", *boards, str(folder / "broken.yaml"), "--resume", str(folder / "all.jsonl")])
    return folder


def test_text(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["survey", str(results), "--since", str(results / "all.jsonl")])
    printed = capsys.readouterr().out.splitlines()
    assert "4 boards: 3 consistent, 1 unknown" == printed[0]
    assert ["finding", "level", "boards", "times", "most", "on,", "or", "why"] == printed[2].split()
    why = "the YAML does not parse: did not find expected node content while parsing a flow node"
    assert re.fullmatch(rf"RPX0001 unreadable-input +error +1 +1 +{why} \(1\)", printed[3])
    assert [
        "since the earlier results: 0 boards came, 0 went, 4 stayed",
        "  no verdict and no finding changed",
    ] == (printed[-2:])


def test_json_has_all(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["survey", str(results), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert (1, 4, None, []) == (found["rootplex"], found["boards"], found["since"], found["models"])
    assert "error" == found["findings"][0]["level"]


def test_the_page_is_whole_escaped_and_replaced_only_where_it_is_ours(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, odd = tmp_path / "s.html", tmp_path / "odd.jsonl"
    lines = (results / "all.jsonl").read_text()
    odd.write_text(lines.replace('"platform":null', '"platform":"broken<b>.yaml"'))
    for _ in range(2):
        assert 0 == main(["survey", str(results), str(odd), "--format", "html", "-o", str(page)])
    text = page.read_text()
    assert "broken&lt;b&gt;.yaml" in text
    assert "<b>" not in text
    assert text.rstrip().endswith("</html>")
    page.write_text("mine")
    assert 2 == main(["survey", str(results), "--format", "html", "-o", str(page)])
    assert "is not ours" in capsys.readouterr().err


def test_no_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["survey", str(tmp_path)])
    assert "holds no *.jsonl: make results by `rootplex validate" in capsys.readouterr().err
    (tmp_path / "x.jsonl").write_bytes(b"")
    assert 2 == main(["survey", str(tmp_path)])
    assert "no result in it" in capsys.readouterr().err


def test_of_many_boards_some_are_named_and_it_is_said_that_there_are_more() -> None:
    now = [line(f"b{n}", "RPX0300", verdict="inconsistent") for n in range(6)]
    for count, more in ((5, False), (6, True)):
        found = of(*now[:count], earlier=tuple(line(f"b{n}") for n in range(count)))
        (told,) = (each for each in text(found) if "consistent -> inconsistent" in each)
        assert more is told.endswith(", …")


def test_a_finding_of_no_platform_of_the_picture_has_no_row_there() -> None:
    """The picture has the twelve platforms with the most boards that have findings."""
    many = [line(f"{p}-{n}", "RPX0300", platform=f"p{p}") for p in range(12) for n in range(2)]
    platforms, rows = _matrix(of(*many, line("x", "RPX0400", platform="rare")))
    assert {f"p{p}" for p in range(12)} == set(platforms)
    assert [("RPX0300", [2] * 12)] == [(each.code, counts) for each, counts in rows]
