"""The man page that ships is the one that the program's own arguments make."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from docs.making.man import man_page

from rootplex.cli import COMMANDS


def test_the_man_page_is_of_this_program(checkout: Path) -> None:
    """Where it is not: `./develop docs` writes it."""
    assert man_page() == (checkout / "docs" / "rootplex.1").read_text(encoding="utf-8")


def test_every_command_is_in_it() -> None:
    page = man_page().replace(r"\-", "-")
    assert [] == [name for name in COMMANDS if f'.SS "rootplex {name} ' not in page]


def test_roff_reads_it(program: Callable[[str], str]) -> None:
    done = subprocess.run(
        [program("groff"), "-man", "-Tutf8", "-ww", "-z"], input=man_page(), capture_output=True, text=True
    )
    assert "" == done.stderr
