"""The README's example does what the README shows."""

from __future__ import annotations

import re
from pathlib import Path

from docs.making.session import run
from tests.topologies.bundled import CHECKOUT

README = (CHECKOUT / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_commands_print_what_is_shown(tmp_path: Path) -> None:
    """Both streams together, as a terminal shows them."""
    (tmp_path / "two-segments.yaml").write_text(block("yaml"))
    for shown in re.split(r"^\$ ", block("console"), flags=re.MULTILINE)[1:]:
        command, _, printed = shown.partition("\n")
        assert printed == run(command, tmp_path)


def test_it_takes_two_screens_at_most() -> None:
    assert len(README.splitlines()) <= 100
