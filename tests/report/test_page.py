"""The page in a real browser, without a screen: what it says, does, and lets nobody do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.report.pictured import HOSTILE, bridge, large, small
from tests.topologies.bundled import rootplex

from rootplex.report import page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core is not installed")
CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Shown:
    """A page in a tab, with what the browser complained of."""

    def __init__(self, browser: object, file: Path, text: str) -> None:
        file.write_text(text, encoding="utf-8")
        self.complaints: list[str] = []
        context = browser.new_context(bypass_csp=False, viewport={"width": 1200, "height": 900})  # type: ignore[attr-defined]
        self.tab = context.new_page()
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self._asked(request.url))
        self.tab.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.tab.goto(file.as_uri())

    def _asked(self, url: str) -> None:
        if not url.startswith("file:"):
            self.complaints.append(f"asked for {url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield running
        running.close()


@pytest.fixture
def board(browser: object, tmp_path: Path) -> Iterator[Shown]:
    shown = Shown(browser, tmp_path / "board.html", page.render([small()], {}))
    yield shown
    assert [] == shown.complaints


def test_a_function_is_found_by_its_name(board: Shown) -> None:
    board.tab.fill("#search", "disk")
    assert "1 of 4" == board.tab.inner_text("#found")
    visible = [each.inner_text() for each in board.tab.locator(".tree .f:visible").all()]
    assert ["0000:00:01.0", "0000:01:00.0"] == [text.split()[0] for text in visible]
    board.tab.keyboard.press("Escape")
    assert 4 == board.tab.locator(".tree .f:visible").count()


def test_rows_fold(board: Shown) -> None:
    board.tab.click("#fold")
    assert 2 == board.tab.locator(".tree .f:visible").count()
    board.tab.click("#fold")
    assert 4 == board.tab.locator(".tree .f:visible").count()


def test_a_group_lights_up_as_one(board: Shown) -> None:
    board.tab.hover("#b0-0000-01-00-0 > .f")
    outlined = board.tab.evaluate(
        "[...document.querySelectorAll('.tree .f')].map(e => getComputedStyle(e).outlineStyle)"
    )
    assert ["solid", "solid", "solid", "none"] == outlined


def test_the_keyboard_reaches_every_function(board: Shown) -> None:
    board.tab.keyboard.press("/")
    assert "search" == board.tab.evaluate("document.activeElement.id")
    board.tab.focus(".tree .f")
    reached = [board.tab.evaluate("document.activeElement.textContent")]
    for _ in range(3):
        board.tab.keyboard.press("ArrowDown")
        reached.append(board.tab.evaluate("document.activeElement.textContent"))
    assert 4 == len(set(reached))
    board.tab.focus(".tree summary")
    board.tab.keyboard.press("Enter")
    assert 2 == board.tab.locator(".tree .f:visible").count()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(board: Shown, theme: str) -> None:
    if board.tab.evaluate("document.documentElement.dataset.theme") != theme:
        board.tab.click("#theme")
    found = axe.Axe().run(board.tab)["violations"]
    assert [] == [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found]


def test_a_vendors_name_is_text(board: Shown) -> None:
    assert 0 == board.tab.locator("img").count()
    assert HOSTILE.split("\u202e")[0].strip() in board.tab.inner_text("#b0-0000-01-00-1")


def test_from_a_finding_to_its_place_and_back(browser: object, tmp_path: Path, checkout: Path) -> None:
    text = (checkout / "topologies" / "qemu-virt-three-segments.yaml").read_text()
    (tmp_path / "x.yaml").write_text(
        text.replace("    segment: 1\n", "    segment: 1\n    acpi: {segment: 7}\n")
    )
    done = rootplex("report", "x.yaml", "-o", "x.html", cwd=tmp_path)
    assert (1, "x.yaml -> x.html\n", "") == (done.returncode, done.stdout, done.stderr)
    shown = Shown(browser, tmp_path / "y.html", (tmp_path / "x.html").read_text())
    shown.tab.click("text=Show second in the topology")
    assert shown.tab.locator("#b0-bridge-second:target").is_visible()
    shown.tab.click("#b0-bridge-second a")
    assert "RPX0801" in shown.tab.locator(".finding:target").inner_text()
    assert [] == shown.complaints


def test_five_thousand_functions_stay_usable(browser: object, tmp_path: Path) -> None:
    """At most 3 MB; the search and the folding answer, as a person who types sees it."""
    text = page.render([large(5000)], {})
    assert len(text.encode()) <= 3_000_000
    shown = Shown(browser, tmp_path / "large.html", text)
    shown.tab.fill("#search", "d4321")
    assert "1 of 5000" == shown.tab.inner_text("#found")
    assert [] == shown.complaints


OUTSIDE = """() => [...document.querySelectorAll('.tree .f, .bridge, h1, h2, h3, h4, .verdict, .areas li')]
    .filter(each => each.offsetParent && each.getBoundingClientRect().right >
        (each.closest('.segment') ?? document.documentElement).getBoundingClientRect().right)
    .map(each => each.textContent)"""
"""What reaches beyond the right edge and cannot be scrolled to in a box of its own."""


@pytest.mark.parametrize(("width", "media"), [(420, "screen"), (1200, "screen"), (794, "print")])
def test_nothing_is_cut_on_a_narrow_screen_or_on_paper(
    browser: object, tmp_path: Path, width: int, media: str
) -> None:
    off = replace(bridge("/soc/interconnect@0/pcie@3400000", 2), enabled=False)
    disabled = replace(small(), machine=replace(small().machine, bridges=(off,), devices=(), groups=()))
    shown = Shown(browser, tmp_path / "narrow.html", page.render([small(), large(40), disabled], {}))
    shown.tab.set_viewport_size({"width": width, "height": 900})
    shown.tab.emulate_media(media=media)
    assert [] == shown.tab.evaluate(OUTSIDE)
    assert width >= shown.tab.evaluate("document.documentElement.scrollWidth")
    assert [] == shown.complaints


def test_printing_opens_what_is_folded_but_the_trace(browser: object, tmp_path: Path) -> None:
    result = replace(small(), trace=tuple(f"{i} read" for i in range(300)))
    shown = Shown(browser, tmp_path / "print.html", page.render([result], {}))
    opened = "[...document.querySelectorAll('.board > details')].map(each => [each.className, each.open])"
    before = shown.tab.evaluate(opened)
    shown.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert {True} == {is_open for name, is_open in shown.tab.evaluate(opened) if name != "long"}
    assert ["long", False] in shown.tab.evaluate(opened)
    shown.tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert before == shown.tab.evaluate(opened)
