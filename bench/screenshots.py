"""Pictures of the page of a report, to be looked at: light, dark, narrow, printed; of every kind of board.

    python -m bench.screenshots [-o build/screenshots] [BOARD...]

Needs Chromium and playwright, as the tests of the page do. The folder is not committed.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from playwright.sync_api import sync_playwright
from tests.corpus.board_corpus import made
from tests.report.pictured import large
from tests.report.test_page import SWITCHES

from rootplex.jobs.boards import boards_of
from rootplex.jobs.check import check_text
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.validate import validate_board
from rootplex.report import page

CHECKOUT = Path(__file__).resolve().parents[1]
WIDE, NARROW = (1280, 900), (420, 900)
TALLEST = 16_000
"""Pixels: what is longer is cut, as Chromium does with what it paints at once."""


class View(Struct, frozen=True):
    """How a page is looked at."""

    name: str
    size: tuple[int, int]
    theme: str = "light"
    media: str = "screen"
    whole: bool = True


VIEWS = (
    View("light", WIDE),
    View("dark", WIDE, theme="dark"),
    View("narrow", NARROW),
    View("print", (794, 1123), media="print"),
)


def _description(name: str) -> tuple[list[Result], dict[str, str]]:
    text = (CHECKOUT / "topologies" / f"{name}.yaml").read_text(encoding="utf-8")
    return [check_text(text.encode(), f"{name}.yaml", RunOptions(trace=True))], {f"{name}.yaml": text}


def _board(*paths: Path) -> tuple[list[Result], dict[str, str]]:
    return [validate_board(each) for each in boards_of([str(path) for path in paths])], {}


BOARDS: Mapping[str, Callable[[], tuple[list[Result], dict[str, str]]]] = {
    "d05": lambda: _description("hisilicon-d05"),
    "three-segments": lambda: _description("qemu-virt-three-segments"),
    "switches": lambda: _description("qemu-switches"),
    "vendor-tree": lambda: _board(made("fsl-lx2160a-rdb", CHECKOUT / "build")),
    "x86-snapshot": lambda: _board(CHECKOUT / "tests" / "capture" / "recorded" / "x86-acpi-6.1.txt"),
    "5000-devices": lambda: ([large(5000)], {}),
}


def main() -> int:
    """Make the pages and their pictures, and name each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help=", ".join(BOARDS))
    parser.add_argument("-o", "--output", type=Path, default=CHECKOUT / "build" / "screenshots")
    arguments = parser.parse_args()
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=SWITCHES)
        for name in arguments.boards or BOARDS:
            results, texts = BOARDS[name]()
            file = folder / f"{name}.html"
            file.write_text(page.render(results, texts), encoding="utf-8")
            for picture in _pictures(browser, file):
                print(picture)
        browser.close()
    return 0


def _pictures(browser: Any, file: Path) -> Iterator[Path]:
    for view in VIEWS:
        width, height = view.size
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=view.theme)
        tab = context.new_page()
        tab.goto(file.as_uri())
        tab.emulate_media(media=view.media, color_scheme=view.theme)
        picture = file.with_name(f"{file.stem}-{view.name}.png")
        tall = min(tab.evaluate("document.documentElement.scrollHeight"), TALLEST)
        tab.screenshot(path=picture, clip={"x": 0, "y": 0, "width": width, "height": tall}, full_page=True)
        yield picture
        if view.media == "print":
            paper = picture.with_suffix(".pdf")
            tab.pdf(path=paper, format="A4")
            yield paper
        context.close()


if __name__ == "__main__":
    raise SystemExit(main())
