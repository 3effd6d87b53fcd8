"""What stops a command: one line and a status, never a traceback."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from pathlib import Path

import pytest

from rootplex.cli import frame, main
from rootplex.cli.files import write_file, write_folder
from rootplex.cli.frame import UsageError
from rootplex.jobs.manifest import MANIFEST


def test_standard_output_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has no stream where the shell's `>&-` closed it."""
    monkeypatch.setattr(sys, "stdout", None)
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    assert (main(["schema"]), said.getvalue()) == (2, "rootplex: standard output is closed\n")


def test_interrupted_while_a_command_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(name: str) -> object:
        if name == "rootplex.cli.check":
            raise KeyboardInterrupt
        return import_module(name)

    monkeypatch.setattr(frame, "import_module", interrupt)
    assert main(["check", "x.yaml"]) == 130
    assert capfd.readouterr().err == "rootplex: interrupted\n"


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    class Full(io.BytesIO):
        write = full

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space") as caught:
        write_folder(tmp_path / "board", {"board.dts": b"x"})
    assert caught.value.filename == str(tmp_path / "board" / "board.dts")
    monkeypatch.undo()
    monkeypatch.setattr("rootplex.cli.files.Path.open", lambda *_: Full())
    with pytest.raises(OSError, match="No space") as caught:
        write_file(tmp_path / "x.yaml", b"x")
    assert caught.value.filename == str(tmp_path / "x.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["0:0:0.0", "x.yaml"],
            "0:0:0.0 is neither an SBDF, as in 0000:01:00.0, nor an id, as in 8086:1533",
        ),
        (["zz"], "no finding and no key is called zz; 'rootplex explain --all' lists them"),
        (["xendown"], "no finding and no key is called xendown; did you mean 'xen-down'?"),
    ],
)
def test_what_explain_does_not_know(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *words]) == 2
    assert capsys.readouterr().err == f"rootplex: {line}\n"


def test_a_folder_that_holds_another_s_file_is_left_alone(tmp_path: Path) -> None:
    """`compile board/board.yaml -o .` would put the artifacts in place of the description."""
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "board.yaml").write_text("rootplex: 1")
    with pytest.raises(UsageError, match=r"board has board\.yaml in it, which would be lost"):
        write_folder(folder, {"board.dts": b"x"})
    assert [each.name for each in tmp_path.glob("**/*")] == ["board", "board.yaml"]


def test_a_folder_of_ours_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "board"
    write_folder(folder, {"iort.aml": b"x", MANIFEST: b"{}"})
    (folder / "console.log").write_text("")
    write_folder(folder, {"board.dts": b"x"})
    assert [each.name for each in folder.iterdir()] == ["board.dts"]


def test_two_descriptions_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        "rootplex: 1\nplatform: {name: one, arch: arm64, firmware: [dt]}\n"
        "host_bridges: [{name: a, segment: 0, config: {base: 0x40_0000_0000},"
        " windows: [{space: mem32, pci: 0x1000_0000, size: 1MiB}]}]\n"
    )
    names = [str(tmp_path / each) for each in ("a.yaml", "b.yaml")]
    for name in names:
        Path(name).write_text(text)
    assert main(["compile", *names, "-o", str(tmp_path / "out")]) == 2
    assert f"{names[0]} and {names[1]} both describe one" in capsys.readouterr().err
