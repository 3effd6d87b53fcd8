"""How commands print on a terminal, and in a workflow of GitHub's."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest
from tests.topologies.bundled import CHECKOUT, COMMAND, rootplex
from tests.topologies.test_readme import block

from rootplex.cli.console import Console
from rootplex.jobs.result import refused
from rootplex.report.github import render
from rootplex.source.finding import Level, Rule
from rootplex.source.place import Span

FAULTY = block("yaml")
SOUND = FAULTY.replace("    acpi: {segment: 2}", "    #")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "faulty.yaml").write_text(FAULTY)
    (tmp_path / "sound.yaml").write_text(SOUND)
    return tmp_path


def test_quiet_is_silent_about_what_is_sound(folder: Path) -> None:
    for words in (
        ("check", "sound.yaml"),
        ("check", "sound.yaml", "sound.yaml"),
        ("compile", "sound.yaml"),
        ("report", "sound.yaml", "-o", "x.html"),
    ):
        done = rootplex(*words, "--quiet", cwd=folder)
        assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_quiet_still_tells_findings_and_their_status(folder: Path) -> None:
    done = rootplex("check", "-q", "faulty.yaml", cwd=folder)
    assert 1 == done.returncode
    assert done.stdout.startswith("error[RPX0801]: ")
    assert done.stdout.endswith("more: rootplex explain RPX0801\n")


@pytest.mark.parametrize(("word", "coloured"), [("auto", False), ("always", True), ("never", False)])
def test_colours_can_be_asked_for(folder: Path, word: str, *, coloured: bool) -> None:
    done = rootplex("check", "faulty.yaml", "--color", word, cwd=folder)
    assert coloured is ("\x1b[1;31m" in done.stdout)


def seen(*words: str, cwd: Path) -> str:
    """All that a command writes to a terminal."""
    reader, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(CHECKOUT / "compiler")}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen([*COMMAND, *words], cwd=cwd, env=environment, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(reader, 65536):
            shown += chunk
    except OSError:  # Linux's word for the end of it
        pass
    os.close(reader)
    process.wait()
    return shown.decode()


def test_a_terminal_gets_colours_unless_they_are_refused(folder: Path) -> None:
    assert "\x1b[1;31m" in seen("check", "faulty.yaml", cwd=folder)
    assert "\x1b[" not in seen("check", "faulty.yaml", "--color", "never", cwd=folder).replace("\x1b[K", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_has_a_rate_after_a_second_and_goes_before_what_is_said() -> None:
    err, out = Terminal(), Terminal()
    console = Console.of_process(out, err, {}, "never")
    console.progress("checking a.yaml", done=0, total=9)
    assert "" == err.getvalue()
    time.sleep(1.4)
    assert re.search(r"\r\x1b\[K0 of 9: checking a\.yaml", err.getvalue())
    console.progress("checking b.yaml", done=3, total=9)
    assert re.search(r"3 of 9, [12]\.\d/s, 0:00:0\d left: checking b\.yaml$", err.getvalue())
    console.print("done")
    assert err.getvalue().endswith("\r\x1b[K")
    console.progress("examining c.yaml")
    assert re.search(r"examining c\.yaml: \d s$", err.getvalue())
    console.progress("downloading", lambda: 5_000_000)
    assert re.search(r"downloading: 5\.0 MB, \d+\.\d MB/s$", err.getvalue())
    console.clear_progress()


def test_no_progress_where_nobody_looks_nor_where_it_is_not_wanted() -> None:
    for err, quiet in ((io.StringIO(), False), (Terminal(), True)):
        console = Console.of_process(io.StringIO(), err, {}, quiet=quiet)
        console._started -= 5
        console.progress("checking", done=1, total=2)
        assert "" == err.getvalue()


def test_annotations_of_github_stand_at_the_line(folder: Path) -> None:
    done = rootplex("check", "faulty.yaml", "sound.yaml", "--format", "github", cwd=folder)
    assert 1 == done.returncode
    lines = FAULTY.splitlines()
    line, other = (
        next(i for i, each in enumerate(lines, 1) if text in each)
        for text in ("acpi: {segment: 2}", "segment: 1")
    )
    assert (
        f"::error file=faulty.yaml,line={line},endLine={line},col=21,endColumn=22,"
        "title=RPX0801 segment-differs::second is segment 1 by device tree and 2 by ACPI"
        f"%0Afaulty.yaml:{other}:14: the device tree has 1%0A"
        "help: write one number everywhere\n"
    ) == done.stdout


def test_annotations_are_escaped() -> None:
    """As escapeData and escapeProperty of actions/toolkit do it."""
    rule = Rule(code="RPX0001", name="name", level=Level.WARNING)
    at = Span("a:b,c%.yaml", 1, 2, 3, 4)
    text = render((refused("x", (rule.finding(at, "100%\nof: this, that\r"),)),))
    assert (
        "::warning file=a%3Ab%2Cc%25.yaml,line=1,endLine=3,title=RPX0001 name::100%25%0Aof: this, that%0D\n"
        == text
    )
