"""The site: built without a warning, no link broken, nothing loaded from elsewhere; a browser shows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.making import site
from docs.making.arguments import commands
from docs.making.findings import BLOCKS, finding_pages
from docs.making.json_page import anchor
from docs.making.language import language_page, plain

from rootplex.cli import COMMANDS
from rootplex.jobs.pages import pages
from rootplex.report.schema import schema

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="sphinx is not installed (pip install rootplex[docs])")
    folder = tmp_path_factory.mktemp("site") / "docs"
    argv = [sys.executable, "-m", "docs.making.site", str(folder)]
    done = subprocess.run(argv, cwd=site.DOCS.parent, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)
    return folder / "html"


def test_no_link_is_broken_and_nothing_is_loaded_from_outside(html: Path) -> None:
    """Also what the styles and scripts name: no address but in comments and in names of standards."""
    broken, outer = site.links(html)
    assert [] == broken
    assert all(link.startswith("https://") for link in outer)
    for style in html.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), (
            style
        )


def test_a_broken_link_is_found(html: Path, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#x">1</a><a href="#y">2</a><img src="http://x/i.png">')
    (tmp_path / "b.html").write_text('<p id="z">')
    assert ["a.html: b.html#x", "a.html: #y", "a.html: http://x/i.png"] == site.links(tmp_path)[0]


def test_every_finding_command_key_and_document_has_its_place(html: Path) -> None:
    """By the ids that links lead to, in the pages as they are built."""
    reference = html / "reference"
    names = {name: site._parsed(reference / f"{name}.html").names for name in ("commands", "json")}
    assert set(COMMANDS) <= {each.removeprefix("command-") for each in names["commands"]}
    blocks = (site._parsed(reference / "findings" / f"{block}.html") for block in BLOCKS)
    found = {name for block in blocks for name in block.names}
    assert {page.code.lower() for page in pages()} <= found
    definitions = {anchor(name).lower().replace("_", "-") for name in schema()["$defs"]}
    assert definitions <= {each.lower().replace("_", "-") for each in names["json"]}


def test_the_language_page_has_every_key() -> None:
    text = language_page()
    whole = json.loads((site.DOCS.parent / "schemas" / "platform.schema.json").read_text(encoding="utf-8"))
    for definition in (whole, *whole["definitions"].values()):
        for key, value in definition.get("properties", {}).items():
            if isinstance(value, dict):
                assert f"`{key}`" in text
                assert plain(value.get("description", "")) in text


def test_the_pages_of_findings_lose_no_word() -> None:
    made = " ".join(finding_pages().values()).replace("\\", "")
    without_links = re.sub(r"\[([^\]]*)\]\(#[^)]*\)", r"\1", made).casefold()
    for page in pages():
        assert page.example.casefold() in without_links, page.code


def test_every_artifact_is_told(checkout: Path) -> None:
    told = (checkout / "docs" / "reference" / "artifacts.md").read_text(encoding="utf-8")
    names = {
        path.name.replace(path.parent.name, "x")
        for path in (checkout / "generated").glob("*/*")
        if path.is_file()
    }
    assert [] == [name for name in sorted(names) if f"`{name}`" not in told]


def test_every_command_has_help() -> None:
    for command in commands():
        assert all(argument.help for argument in command.arguments), command.name


def test_a_browser_shows_it(html: Path) -> None:
    """Headless Chromium, without a network: the pages in the navigation, the search, light and dark."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(offline=True, color_scheme="light")
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((html / "index.html").as_uri())
        page.click(".sidebar-tree >> text=Tutorial")
        assert "Tutorial" in page.title()
        page.goto((html / "search.html").as_uri() + "?q=requester")
        page.wait_for_selector("#search-results li", timeout=20_000)
        page.goto((html / "reference" / "findings" / "08.html").as_uri() + "#rpx0801")
        assert page.locator("#rpx0801").first.is_visible()

        def background() -> object:
            return page.evaluate("getComputedStyle(document.body).backgroundColor")

        light = background()
        page.emulate_media(color_scheme="dark")
        assert light != background()
        for image in (
            page.goto((html / "explanation" / "segments.html").as_uri()) and page.locator("img").all()
        ):
            assert image.evaluate("image => image.naturalWidth") > 0
        browser.close()
    assert [] == wrong
