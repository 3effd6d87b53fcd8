"""`compile` with `--resume`, by one process, two, and a cluster's way: by bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rootplex.cli import main
from rootplex.jobs.compiling import compiled
from rootplex.source.shipped import shipped_folder

TOPOLOGIES = shipped_folder("topologies")
NAMES = ("juno-r2", "qemu-virt", "zynqmp-zcu102")


@pytest.fixture
def boards(tmp_path: Path, program: Callable[[str], str]) -> list[str]:
    """Three that are sound, and one with an error."""
    program("iasl")
    for name in NAMES:
        (tmp_path / f"{name}.yaml").write_bytes((TOPOLOGIES / f"{name}.yaml").read_bytes())
    text = (tmp_path / "qemu-virt.yaml").read_text()
    wrong = text.replace("name: qemu-virt", "name: wrong").replace("segment: 0", "segment: 70000")
    assert wrong != text
    (tmp_path / "wrong.yaml").write_text(wrong)
    return [str(tmp_path / f"{name}.yaml") for name in (*NAMES, "wrong")]


def files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_the_same_is_written_however_it_is_made(boards: list[str], tmp_path: Path) -> None:
    main(["compile", *boards, "-o", str(tmp_path / "plain")])
    for jobs in ("1", "2"):
        words = ["-o", str(tmp_path / jobs), "-j", jobs, "--resume", str(tmp_path / f"{jobs}.jsonl")]
        assert 2 == main(["compile", *boards, *words])
        assert files(tmp_path / jobs) == files(tmp_path / "plain")
        assert sorted(NAMES) == sorted(each.name for each in (tmp_path / jobs).iterdir())
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_only_what_is_missing_or_changed_is_made_again(
    boards: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    real = compiled

    def noted(*words: object, **named: object) -> object:
        made.append(Path(str(words[2])).stem)
        return real(*words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("rootplex.cli.compile.compiled", noted)
    out, results = tmp_path / "out", tmp_path / "r.jsonl"
    words = ["compile", *boards, "-o", str(out), "--resume", str(results)]

    def made_by(*more: str) -> list[str]:
        made.clear()
        main([*words, *more])
        assert boards == [json.loads(line)["file"] for line in results.read_text().splitlines()]
        return list(made)

    assert list(NAMES) == made_by()
    before = files(out)
    assert [] == made_by()
    (out / "juno-r2" / "juno-r2.dtb").write_bytes(b"another")
    assert ["juno-r2"] == made_by()
    Path(boards[1]).write_bytes(Path(boards[1]).read_bytes() + b"# one more line\n")
    assert ["qemu-virt"] == made_by()
    assert list(NAMES) == made_by("--force")
    assert {name for name in files(out) if "manifest" not in name} == {
        n for n in before if "manifest" not in n
    }


def test_two_files_of_one_platform(
    boards: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.yaml"
    other.write_bytes(Path(boards[1]).read_bytes())
    words = ["-o", str(tmp_path / "out"), "--resume", str(tmp_path / "r")]
    assert 2 == main(["compile", boards[1], str(other), *words])
    assert f"{boards[1]} and {other} both describe qemu-virt, and " in capsys.readouterr().err
