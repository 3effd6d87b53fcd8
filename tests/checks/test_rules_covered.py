"""Every rule of both references is some check's, but for what a user does at run time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rootplex.checks.registry import modules, rule_of

RULES = frozenset(f"LNX-{n:02}" for n in range(1, 61)) | frozenset(f"XP-{n:02}" for n in range(1, 63))

CANNOT_APPLY = {
    "XP-39": "run time: a device is removed or unplugged",
    "XP-40": "run time: a reset is notified for a device whose add failed",
}


def covered() -> dict[str, list[str]]:
    """Rule → the codes that cover it."""
    found: dict[str, list[str]] = {}
    for module in modules():
        rule = rule_of(module)
        for each in rule.covers:
            found.setdefault(each, []).append(rule.code)
    return found


def test_every_rule_is_covered_or_cannot_apply() -> None:
    assert covered().keys() & CANNOT_APPLY.keys() == set()
    assert covered().keys() | CANNOT_APPLY.keys() == RULES


@pytest.mark.shared
@pytest.mark.parametrize(("file", "prefix"), [("linux-pci.md", "LNX"), ("xen-pci.md", "XP")])
def test_the_references_have_no_other_rules(shared: Path, file: str, prefix: str) -> None:
    text = (shared / "reference" / file).read_text()
    rows = set(re.findall(rf"^\| ({prefix}-\d+) \|", text, re.MULTILINE))
    assert rows == {rule for rule in RULES if rule.startswith(prefix)}
