"""`watch`: what is otherwise after each change, whatever becomes of the files meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT, COMMAND, rootplex

BOARD = (CHECKOUT / "topologies" / "qemu-virt-three-segments.yaml").read_text(encoding="utf-8")
SECONDS = 30
SHOW = (
    "import os, sys; print('ran', sys.argv[1:], os.environ['ROOTPLEX_FILE'], os.environ['ROOTPLEX_VERDICT'])"
)


class Watching:
    """The command at work; what it has printed is read from a file."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self.seen = 0
        with (folder / "printed").open("wb") as printed:
            self.process = subprocess.Popen(
                [*COMMAND, "watch", *words],
                cwd=folder,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def until(self, words: str) -> str:
        """What is printed from the last time on, up to the line with these words."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            new = (self.folder / "printed").read_text()[self.seen :]
            before, found, after = new.partition(words)
            if found and "\n" in after:
                told = before + found + after[: after.index("\n") + 1]
                self.seen += len(told)
                return told
            assert self.process.poll() is None, new
            time.sleep(0.02)
        raise AssertionError(f"no {words!r} in {new!r}")

    def interrupt(self) -> tuple[int, str]:
        """The exit status after Ctrl-C, and what was printed since."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(SECONDS)
        return status, (self.folder / "printed").read_text()[self.seen :]


@contextmanager
def watching(folder: Path, *words: str) -> Iterator[Watching]:
    at_work = Watching(folder, *words)
    try:
        yield at_work
    finally:
        at_work.process.kill()
        at_work.process.wait()


def replaced(file: Path, text: str) -> None:
    """As editors save: a new file in the old one's place."""
    fresh = file.with_name("fresh")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)


def test_only_what_is_otherwise_is_shown(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(BOARD)
    with watching(tmp_path, "board.yaml", "--bell") as at_work:
        assert "third   80-ff  0002" in at_work.until("watching; Ctrl-C ends it")
        board.write_text(BOARD.replace("segment: 1", "segment: 2"))
        told = at_work.until("inconsistent (linux-7.2, dt): 1 error")
        assert told.startswith(
            "error[RPX0202]: 'third' and 'second' are both segment 2\n  --> board.yaml:55:14\n"
        )
        assert "\ndisk1 moves from 0001:41:00.0 to 0002:41:00.0\n" in told
        assert "main" not in told
        replaced(
            board, BOARD.replace("segment: 1", "segment: 2").replace("QEMU virt with", "QEMU's virt with")
        )
        line = "qemu-virt-three-segments: inconsistent (linux-7.2, dt): 1 error: nothing is otherwise\n"
        assert f"\a{line}" == at_work.until("otherwise")
        replaced(board, BOARD.replace("unit: smmu", "unit: smu"))  # no machine: nothing is said to be gone
        told = at_work.until("3 errors")
        assert "RPX0202 is no longer found: error: 'third' and 'second' are both segment 2\n" in told
        assert "gone" not in told
        board.write_text(BOARD)
        told = at_work.until("consistent (linux-7.2, dt)")
        assert "disk1 moves from 0002:41:00.0 to 0001:41:00.0\n" in told
        status, told = at_work.interrupt()
        assert (130, "rootplex: interrupted") == (status, told.splitlines()[-1].lstrip("\a"))


def test_a_file_that_is_half_written_or_gone_is_one_line(tmp_path: Path) -> None:
    board, tree = tmp_path / "board.yaml", tmp_path / "virt.dtb"
    blob = (CHECKOUT / "generated" / "qemu-virt" / "qemu-virt.dtb").read_bytes()
    board.write_text(BOARD)
    tree.write_bytes(blob)
    with watching(tmp_path, "board.yaml", "virt.dtb") as at_work:
        at_work.until("watching; Ctrl-C ends it")
        board.write_text(BOARD[:1200] + "\n  - [")
        told = at_work.until("does not parse")
        assert told.startswith("board.yaml:")
        assert 1 == told.count("\n")
        board.unlink()
        assert "board.yaml: No such file or directory\n" == at_work.until("directory")
        tree.write_bytes(blob[:200])
        told = at_work.until("virt.dtb")
        assert 1 == told.count("\n")
        tree.write_bytes(blob)
        assert 1 == at_work.until("nothing is otherwise").count("\n")
        board.write_text(BOARD)
        assert "three-segments" in at_work.until("nothing is otherwise")


def test_a_command_and_a_page_follow(tmp_path: Path) -> None:
    board = tmp_path / "a board; echo no.yaml"
    board.write_text(BOARD)
    show = tmp_path / "show.py"
    show.write_text(SHOW)
    page, version = tmp_path / "x.html", tmp_path / "x.html.version.js"
    command = f"{sys.executable} show.py {{}} '$HOME *'"
    with watching(tmp_path, board.name, "--report", "x.html", "--exec", command) as at_work:
        at_work.until("watching; Ctrl-C ends it")
        first, newest = page.read_text(), version.read_text()
        assert newest.removeprefix("newest(").removesuffix(");\n").strip('"') in first
        assert "ran" not in (tmp_path / "printed").read_text()
        board.write_text(BOARD.replace("segment: 1", "segment: 2"))
        ran = at_work.until("ran [").splitlines()[-1]
        assert f"ran ['{board.name}', '$HOME *'] {board.name} inconsistent" == ran
        assert first != page.read_text()
        assert newest != version.read_text()
        assert "RPX0202" in page.read_text()
        assert 130 == at_work.interrupt()[0]
    assert not version.exists()


def test_a_command_that_fails_is_one_line_and_the_watching_goes_on(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(BOARD)
    with watching(tmp_path, "board.yaml", "--exec", "false") as at_work:
        at_work.until("watching; Ctrl-C ends it")
        for text in (BOARD + "\n", BOARD):
            board.write_text(text)
            assert "rootplex: --exec: false ended with status 1\n" in at_work.until("status 1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.yaml",), "nowhere.yaml: No such file or directory"),
        (("-",), "standard input cannot be watched: name a file"),
        (("board.yaml", "--exec", "no-such-program x"), "--exec: there is no program 'no-such-program'"),
        (("board.yaml", "--exec", "echo 'x"), "--exec: No closing quotation"),
        (("board.yaml", "--report", "board.yaml"), "board.yaml is there and is not ours"),
    ],
)
def test_what_cannot_be_begun(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(BOARD)
    done = rootplex("watch", *words, cwd=tmp_path)
    assert 2 == done.returncode
    assert done.stderr.startswith(f"rootplex: {said}")
    assert 1 == done.stderr.count("\n")


def test_without_its_library_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['watchfiles'] = None; from rootplex.cli import main; exit(main())"
    argv = [sys.executable, "-c", program, "watch", "x"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    said = "rootplex: watchfiles is not installed (pip install 'rootplex[watch]')\n"
    assert (2, said) == (done.returncode, done.stderr)


def test_what_a_source_is_put_together_of_is_watched_too(tmp_path: Path) -> None:
    bridge = (
        '/ { #address-cells = <2>; #size-cells = <2>; pcie: pcie@10000000 { device_type = "pci"; '
        'compatible = "pci-host-ecam-generic"; #address-cells = <3>; #size-cells = <2>; '
        "reg = <0x40 0x10000000 0 0x10000000>; bus-range = <0 %d>; "
        "ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x2eff0000>; linux,pci-domain = <0>; }; };\n"
    )
    (tmp_path / "headers").mkdir()
    part, overlay = tmp_path / "headers" / "soc.dtsi", tmp_path / "more.dtso"
    part.write_text(bridge % 255)
    overlay.write_text("/dts-v1/;\n/plugin/;\n&pcie { };\n")
    (tmp_path / "board.dts").write_text("/dts-v1/;\n#include <soc.dtsi>\n")
    with watching(tmp_path, "board.dts", "-I", "headers", "--overlay", "more.dtso") as at_work:
        at_work.until("watching; Ctrl-C ends it")
        replaced(part, bridge % 300)
        assert "RPX0210" in at_work.until("board: inconsistent")
        replaced(part, bridge % 255)
        at_work.until("board: consistent")
        replaced(overlay, "/dts-v1/;\n/plugin/;\n&pcie { bus-range = <0 300>; };\n")
        assert " --> more.dtso: /pcie@10000000:bus-range" in at_work.until("board: inconsistent")
