"""Every rule of both reference pages is some check's, but for what a user does at run time; what is cited
stands in the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rootplex.checks.references import PAGES, cited
from rootplex.checks.registry import every_page
from rootplex.cli import main

CANNOT_APPLY = {
    "XP-39": "run time: a device is removed or unplugged",
    "XP-40": "run time: a reset is notified for a device whose add failed",
}

PLACE = re.compile(r"\]\((?P<page>[\w.]*)#(?P<anchor>[\w.-]+)\)")


def page(checkout: Path, name: str) -> str:
    return (checkout / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")


def rules(checkout: Path) -> list[str]:
    """Every rule that has a heading in its page."""
    found = []
    for prefix, name in PAGES.items():
        found += re.findall(rf"^### ({prefix}-\d\d)$", page(checkout, name), re.MULTILINE)
    return found


def anchors(checkout: Path, name: str) -> set[str]:
    """What a link into a page can name: its rules' headings, and the anchors of its sections."""
    text = page(checkout, name)
    headings = re.findall(r"^### ((?:LNX|XP)-\d\d)$", text, re.MULTILINE)
    return {heading.lower() for heading in headings} | set(re.findall(r'<a id="([^"]+)"></a>', text))


def covered() -> dict[str, list[str]]:
    """Rule → the codes that cover it."""
    found: dict[str, list[str]] = {}
    for rule in (each.rule for each in every_page()):
        for each in rule.covers:
            found.setdefault(each, []).append(rule.code)
    return found


def test_a_rule_has_one_heading(checkout: Path) -> None:
    assert sorted(set(rules(checkout))) == sorted(rules(checkout))


def test_every_rule_is_covered_or_cannot_apply(checkout: Path) -> None:
    assert covered().keys() & CANNOT_APPLY.keys() == set()
    assert covered().keys() | CANNOT_APPLY.keys() == set(rules(checkout))


def test_what_the_code_cites_stands_in_the_pages(checkout: Path) -> None:
    """Rules and sections, in findings' pages, in `covers`, and in the words of simulator and readers."""
    places = {
        place
        for path in sorted((checkout / "compiler").rglob("*.py"))
        for place in cited(path.read_text(encoding="utf-8")).values()
    }
    known = {
        f"docs/reference/{name}.md#{anchor}" for name in PAGES.values() for anchor in anchors(checkout, name)
    }
    assert len(places) > len(rules(checkout))
    assert places <= known


@pytest.mark.parametrize("name", PAGES.values())
def test_links_of_a_page_lead_somewhere(checkout: Path, name: str) -> None:
    links = {(link["page"] or f"{name}.md", link["anchor"]) for link in PLACE.finditer(page(checkout, name))}
    assert links
    assert {(to, at) for to, at in links if at not in anchors(checkout, to.removesuffix(".md"))} == set()


def test_a_findings_page_names_sources_that_anyone_can_open() -> None:
    """Of the kernel and of Xen a file; rules and sections only of the pages that are published."""
    for check in every_page():
        text = check.page
        source = re.sub(r"\s+", " ", text[text.index("\nSource:") :])
        assert not re.search(r"linux-pci|xen-pci|\.\./|2017 notes", text), check.rule.code
        for program in re.findall(r"\b(?:Linux|Xen) (\S+)", source):
            if "/" in program:
                assert re.match(r"(drivers|arch|kernel|xen)/[\w./-]+", program), check.rule.code


def test_explain_prints_links(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "RPX0103"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "Level: error.",
        "LNX-11: docs/reference/linux.md#lnx-11",
        "XP-17: docs/reference/xen.md#xp-17",
    ]
    assert main(["explain", "RPX0907"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "xen.md §7.2: docs/reference/xen.md#s7.2"
