"""A page that `watch --report` writes, open in a real browser from its folder: it follows its file."""

from __future__ import annotations

from pathlib import Path

from tests.report.pictured import small
from tests.report.test_page import browser  # noqa: F401 - the fixture

from rootplex.report import page


def written(folder: Path, version: str, title: str) -> Path:
    """The page and the script beside it, as `watch` writes them."""
    file = folder / "a page & more.html"
    follows = page.Follows(f"{file.name}.version.js", version)
    text = page.render([small()], {}, follows=follows).replace("</title>", f" {title}</title>")
    file.write_text(text, encoding="utf-8")
    (folder / follows.script).write_text(page.version_script(version), encoding="utf-8")
    return file


def test_an_open_page_follows_its_file(browser: object, tmp_path: Path) -> None:  # noqa: F811
    complaints: list[str] = []
    tab = browser.new_context(bypass_csp=False).new_page()  # type: ignore[attr-defined]
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(written(tmp_path, "1", "first").as_uri())
    assert tab.title().endswith(" first")
    tab.wait_for_timeout(1200)
    assert tab.title().endswith(" first")
    written(tmp_path, '2"</script>', "second")
    for _ in range(50):  # the page's own policy lets nothing be evaluated that would wait in it
        if tab.title().endswith(" second"):
            break
        tab.wait_for_timeout(100)
    assert tab.title().endswith(" second")
    tab.wait_for_timeout(700)
    assert [] == complaints
