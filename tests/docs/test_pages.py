"""The commands of the pages print what the pages show, in the order in which a reader gives them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from docs.making.session import Step, matches, renewed, run, steps

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    str(path.relative_to(DOCS)): path
    for path in sorted(DOCS.rglob("*.md"))
    if any(step.command for step in steps(path.read_text(encoding="utf-8")))
}


def follow(page: Path, folder: Path, *, boots: bool) -> None:
    """Write each file and give each command; with ROOTPLEX_RENEW=1 the page is written anew first."""
    if os.environ.get("ROOTPLEX_RENEW") == "1":
        page.write_text(renewed(page.read_text(encoding="utf-8"), folder, boots=boots), encoding="utf-8")
        return
    for step in steps(page.read_text(encoding="utf-8")):
        if step.file is not None:
            (folder / step.file).write_text(step.text, encoding="utf-8")
        elif step.command is not None and (boots or not step.boots):
            printed = run(step.command, folder)
            assert matches(step.printed, printed), f"$ {step.command}\n{printed}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_followed_in_an_empty_folder(page: str, tmp_path: Path) -> None:
    follow(PAGES[page], tmp_path, boots=False)


@pytest.mark.boot
@pytest.mark.parametrize("page", ["tutorial.md"])
def test_a_page_is_followed_to_its_boot(page: str, tmp_path: Path) -> None:
    follow(PAGES[page], tmp_path, boots=True)


def test_every_page_with_a_boot_is_booted() -> None:
    booting = [name for name, path in PAGES.items() if any(each.boots for each in steps(path.read_text()))]
    assert ["tutorial.md"] == booting


def test_what_a_page_shows() -> None:
    """A line of three points is any lines, in a line any words; all else is as it stands."""
    assert matches("a\n...\nc (...)\n", "a\nx\ny\nc (7.2)\n")
    assert matches("", "")
    assert not matches("a\n", "a\nb\n")
    assert not matches("a.c\n", "abc\n")
    page = "```{code-block} yaml\n:caption: x.yaml\n\na: 1\n```\n```console\n$ cat x.yaml\na: 1\n$ true\n```"
    assert [
        Step(file="x.yaml", text="a: 1\n"),
        Step(command="cat x.yaml", printed="a: 1\n"),
        Step(command="true", printed=""),
    ] == list(steps(page))
