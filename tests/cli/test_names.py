"""File names and texts that hold anything, in any locale: nothing reaches a terminal raw, all is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pytest
from tests.topologies.bundled import CHECKOUT

from rootplex.source.printable import one_line, printable

PROGRAM = "import sys; from rootplex.cli import main; sys.exit(main())"
NAMES = [
    b"\xff\xfe.yaml",
    b"\x1b]0;owned\x07.yaml",
    b"\x1b[2J.yaml",
    b"a\nerror[RPX0001]: forged\n.yaml",
    "\x9b31m.yaml".encode(),
    "\u202egnp.yaml".encode(),
    "b\u00fccher \u6f22.yaml".encode(),
    b"\xc3.yaml",
    b"-x.yaml",
    b"a%20b?c#d.yaml",
    b"a:b.yaml",
]
LOCALES = [
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "xx_YY.bogus", "PYTHONIOENCODING": "latin-1"},
]
FORMATS = ["text", "short", "json", "jsonl", "sarif", "junit"]


def run(*words: str | bytes, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


def is_safe(output: bytes) -> bool:
    text = output.decode("utf-8", "surrogateescape")
    return printable(text) == text and b"Traceback" not in output


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A description with one fault, and one that cannot be read at all, under each name."""
    text = (CHECKOUT / "topologies" / "qemu-virt-32.yaml").read_text()
    for name in NAMES:
        (tmp_path / os.fsdecode(name)).write_text(text.replace("title:", "titel:"))
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_and_not_obeyed(faulty: Path, name: bytes) -> None:
    word = b"./" + name if name.startswith(b"-") else name
    for format in FORMATS if name in NAMES[:4] else ("text", "sarif"):
        done = run("check", "--format", format, word, cwd=faulty)
        assert done.returncode in (1, 2), done.stderr
        assert is_safe(done.stdout), done.stdout
        assert is_safe(done.stderr), done.stderr
        if format == "text":
            assert done.stdout.startswith(b"error[RPX0003]")
            assert done.stdout.count(b"\nerror[") == 0
        elif format == "short":
            assert done.stdout.count(b"\n") == 1
        elif format in ("json", "jsonl"):
            file = json.loads(done.stdout)["findings"][0]["at"]["file"]
            assert os.fsencode(file) == word
        elif format == "sarif":
            uri = json.loads(done.stdout)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
            assert unquote_to_bytes(uri["artifactLocation"]["uri"]) == word
            assert uri["artifactLocation"]["uri"].isascii()
            assert not set(uri["artifactLocation"]["uri"]) & set(' ?#:\\"<>^`{|}')
        else:
            ElementTree.fromstring(done.stdout)


@pytest.mark.parametrize("name", NAMES[:4])
@pytest.mark.parametrize("command", ["validate", "import", "qemu", "report", "compile"])
def test_a_file_that_is_not_there(tmp_path: Path, name: bytes, command: str) -> None:
    done = run(command, b"./" + name, cwd=tmp_path)
    assert done.returncode == 2
    assert is_safe(done.stdout + done.stderr), done.stderr


@pytest.mark.parametrize(
    "words",
    [["\x1b[2J"], ["check", "--\x1b[2J"], ["check", "x", "--format", "\x1b[2J"], ["explain", "\x1b[2J"]],
)
def test_words_of_the_command_line(tmp_path: Path, words: list[str]) -> None:
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert is_safe(done.stdout + done.stderr), done.stderr


@pytest.mark.parametrize("locale", LOCALES, ids=str)
@pytest.mark.parametrize(
    "words",
    [
        *(["check", "--format", format, "x.yaml"] for format in FORMATS),
        ["groups", "--tree", "good.yaml"],
        ["explain", "--all"],
        ["explain", "RPX0001"],
        ["compile", "good.yaml", "-o", "out"],
        ["report", "good.yaml"],
        ["schema"],
        ["capture"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_any_locale(tmp_path: Path, words: list[str], locale: dict[str, str]) -> None:
    if shutil.which("iasl") is None:
        pytest.skip("needs iasl")
    text = (CHECKOUT / "topologies" / "qemu-virt-32.yaml").read_text()
    (tmp_path / "good.yaml").write_text(text)
    (tmp_path / "x.yaml").write_text(text.replace("title: QEMU", "titel: \u6f22\u2026") + "# \u202e\n")
    done = run(*words, cwd=tmp_path, **locale)
    assert done.returncode in (0, 1, 2)
    assert done.stderr == b"" or done.stderr.startswith(b"rootplex: "), done.stderr
    assert done.stdout
    if "json" in words or "sarif" in words:
        json.loads(done.stdout)
    elif "junit" in words:
        ElementTree.fromstring(done.stdout)


def test_what_is_escaped() -> None:
    assert printable("a\x1b[31mb\tc\n") == "a\\x1b[31mb\tc\n"
    assert printable("a\x1b[31mb\x1b[0m\x1b]c", coloured=True) == "a\x1b[31mb\x1b[0m\\x1b]c"
    assert printable("\udcff\u202e\x9b\u2028") == "\\udcff\\u202e\\x9b\\u2028"
    assert one_line("a\nb") == "a\\nb"


def test_what_is_no_file(tmp_path: Path) -> None:
    """A device without an end, a pipe that can be read once, what cannot be read at all."""
    for command in ("validate", "import", "check", "compile"):
        done = run(command, "/dev/zero", cwd=tmp_path)
        assert (done.returncode, b"larger than 32 MiB" in done.stdout + done.stderr) == (2, True)
    done = run("validate", "/proc/self/mem", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, b"rootplex: /proc/self/mem: Input/output error\n")
    blob = CHECKOUT / "generated" / "qemu-virt-32" / "qemu-virt-32.dtb"
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["sh", "-c", 'cat "$0" > pipe', str(blob)], cwd=tmp_path):
        assert run("validate", "pipe", cwd=tmp_path).returncode in (0, 1)
