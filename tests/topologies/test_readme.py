"""The README's example does what the README shows."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from tests.topologies.bundled import CHECKOUT, rootplex

README = (CHECKOUT / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_commands_print_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "two-segments.yaml").write_text(block("yaml"))
    for shown in re.split(r"^\$ ", block("console"), flags=re.MULTILINE)[1:]:
        command, _, printed = shown.partition("\n")
        program, *words = shlex.split(command, comments=True)
        if program == "rootplex":
            done = rootplex(*words, cwd=tmp_path)
        else:
            done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert printed == done.stdout + done.stderr


def test_it_takes_two_screens_at_most() -> None:
    assert len(README.splitlines()) <= 100
