"""A survey as text, JSON and a page, by the command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rootplex.cli import main
from rootplex.source.shipped import shipped_folder

BOARDS = ("qemu-virt", "q35", "juno-r2")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of three bundled boards and of one with an error, in a folder."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "broken<b>.yaml").write_text("rootplex: [")
    boards = [str(shipped_folder("topologies") / f"{name}.yaml") for name in BOARDS]
    main(["check", *boards, str(folder / "broken<b>.yaml"), "--resume", str(folder / "all.jsonl")])
    return folder


def test_text(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["survey", str(results), "--since", str(results / "all.jsonl")])
    printed = capsys.readouterr().out.splitlines()
    assert "4 boards: 3 consistent, 1 unknown" == printed[0]
    assert ["finding", "level", "boards", "times", "most", "on"] == printed[2].split()
    assert re.fullmatch(r"RPX00\d\d [a-z-]+ +error +1 +1 +.*broken<b>\.yaml \(1\)", printed[3])
    assert ["since the earlier results: 0 boards came, 0 went", "  no verdict and no finding changed"] == (
        printed[-2:]
    )


def test_json_has_all(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["survey", str(results), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert (1, 4, None, []) == (found["rootplex"], found["boards"], found["since"], found["models"])
    assert "error" == found["findings"][0]["level"]


def test_the_page_is_whole_escaped_and_replaced_only_where_it_is_ours(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "s.html"
    for _ in range(2):
        assert 0 == main(["survey", str(results), "--format", "html", "-o", str(page)])
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
