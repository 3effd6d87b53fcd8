"""`python -m docs.making.site`: the site, in `build/docs/html`, out of the pages here and of made ones; and
the man page. With the name of a folder: the site, below that.

Warnings are errors; the links within the site are followed, those that lead out are listed in
`outer-links.txt`. Nothing is fetched, here or where the site is read.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docs.making.commands import commands_page
from docs.making.findings import finding_pages
from docs.making.json_page import json_page
from docs.making.language import language_page
from docs.making.man import man_page

from rootplex.library.functions import check, load
from rootplex.report import svg

DOCS = Path(__file__).resolve().parents[1]
BUILD = DOCS.parent / "build" / "docs"
_ANCHOR = re.compile(r'^<a id="(?P<id>[^"]+)"></a>$', re.MULTILINE)
_RULE = re.compile(r"^(?P<head>#+ (?P<rule>(LNX|XP)-\d\d)\b)", re.MULTILINE)
_HERE = re.compile(r"\]\(#(?P<id>[^)]+)\)")
_THERE = re.compile(r"\]\((?P<page>linux|xen)\.md#(?P<id>[^)]+)\)")
_PICTURE = re.compile(
    r"^```\{code-block\} yaml\n:caption: (?P<file>\S+)\n:name: (?P<picture>\S+)\n\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def main(words: list[str]) -> int:
    """Make them; the exit status."""
    folder = Path(words[0]) if words else BUILD
    if not words:
        (DOCS / "rootplex.1").write_text(man_page(), encoding="utf-8")
    status = build(folder)
    if status == 0:
        print(f"the site is in {folder / 'html'}: open {folder / 'html' / 'index.html'}")
    return status


def build(folder: Path) -> int:
    """The site below `folder`; the exit status, with what is wrong on standard error."""
    from sphinx.cmd.build import build_main

    source, html = folder / "source", folder / "html"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("making", "__pycache__", "rootplex.1"))
    for name, text in made_pages().items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    for page in ("linux", "xen"):
        path = source / "reference" / f"{page}.md"
        path.write_text(targets(path.read_text(encoding="utf-8"), page), encoding="utf-8")
    for name, picture in pictures(source).items():
        (source / name).write_text(picture, encoding="utf-8")
    words = ["-q", "-W", "--keep-going", "-b", "html", str(source), str(html)]
    if status := build_main(words):
        return status
    broken, outer = links(html)
    (folder / "outer-links.txt").write_text("".join(f"{each}\n" for each in outer), encoding="utf-8")
    for each in broken:
        print(each, file=sys.stderr)
    return int(bool(broken))


def made_pages() -> dict[str, str]:
    """Path below `docs` → Markdown, of the pages that no one writes."""
    findings = {f"reference/findings/{name}": text for name, text in finding_pages().items()}
    return {
        "reference/language.md": language_page(),
        "reference/commands.md": commands_page(),
        "reference/json.md": json_page(),
        **findings,
    }


def targets(text: str, page: str) -> str:
    """A page of rules with its anchors as Sphinx's targets, whose names are the page's and the anchor's: two
    pages may have anchors of one name. The anchors themselves stay."""
    text = _ANCHOR.sub(rf'<a id="\g<id>"></a>\n\n({page}-\g<id>)=', text)
    text = _RULE.sub(lambda found: f"({page}-{found['rule'].lower()})=\n{found['head']}", text)
    text = _HERE.sub(rf"](#{page}-\g<id>)", text)
    return _THERE.sub(r"](#\g<page>-\g<id>)", text)


def pictures(source: Path) -> dict[str, str]:
    """The pictures of the descriptions in pages that have a name: as `rootplex report --format svg` draws."""
    made = {}
    for page in source.rglob("*.md"):
        for found in _PICTURE.finditer(page.read_text(encoding="utf-8")):
            result = check(load(found["text"].encode(), name=found["file"]))
            place = page.parent.relative_to(source) / f"{found['picture']}.svg"
            made[str(place)] = svg.render(result)
    return made


class _Page(HTMLParser):
    """A page's links and the names that links can lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if value is None:
                continue
            if key in ("id", "name"):
                self.names.add(value)
            elif key == "href" and tag == "a":
                self.links.append(value)
            elif key in ("href", "src") and tag not in ("a", "base"):
                self.loaded.append(value)


def links(html: Path) -> tuple[list[str], list[str]]:
    """What is broken: links within the site to what is not there, and anything that a page loads from
    outside; and the outer links, each once."""
    pages = {path: _parsed(path) for path in html.rglob("*.html")}
    broken = [
        f"{path.relative_to(html)}: {link}"
        for path, page in sorted(pages.items())
        for link in (*_dead(path, page, pages), *(each for each in page.loaded if urlsplit(each).scheme))
        if not link.startswith("data:")
    ]
    outer = {
        link for page in pages.values() for link in page.links if urlsplit(link).scheme in ("http", "https")
    }
    return broken, sorted(outer)


def _parsed(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _dead(path: Path, page: _Page, pages: dict[Path, _Page]) -> Iterator[str]:
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
        if not target.exists():
            yield link
        elif parts.fragment and target in pages:
            name = unquote(parts.fragment)
            if name not in pages[target].names and name != "":
                yield link


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
