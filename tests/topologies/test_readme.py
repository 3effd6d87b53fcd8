"""The README's example does what the README shows."""

from __future__ import annotations

import re
from pathlib import Path

from tests.topologies.bundled import CHECKOUT, rootplex

README = (CHECKOUT / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_commands_print_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "two-segments.yaml").write_text(block("yaml"))
    for shown in re.split(r"^\$ rootplex ", block("console"), flags=re.MULTILINE)[1:]:
        command, _, printed = shown.partition("\n")
        done = rootplex(*command.split(), cwd=tmp_path)
        assert done.stdout + done.stderr == printed


def test_it_takes_two_screens_at_most() -> None:
    assert len(README.splitlines()) <= 110
