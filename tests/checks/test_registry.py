"""The list of checks, the files, the codes and the pages agree."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from rootplex.checks.driver import OF_DESCRIPTION
from rootplex.checks.registry import MODULES, module_of, modules, rule_of

NOT_CHECKS = {"__init__", "registry", "driver", "facts", "rule"}
HEADINGS = ("What it finds:", "Why it matters:", "Example:", "What to do:", "Source:")


def test_every_file_is_listed_once(checkout: Path) -> None:
    folder = checkout / "compiler" / "rootplex" / "checks"
    files = {
        str(path.relative_to(folder).with_suffix("")).replace("/", ".")
        for path in folder.glob("*/*.py")
        if path.stem not in NOT_CHECKS and not path.stem.startswith("_")
    }
    assert sorted(files) == sorted(MODULES)
    assert len(set(MODULES)) == len(MODULES)


def test_codes_and_names_are_unique_and_ordered() -> None:
    rules = [rule_of(module) for module in modules()]
    codes = [rule.code for rule in rules]
    assert sorted(set(codes)) == codes
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(re.fullmatch(r"RPX\d{4}", code) for code in codes)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.name) for rule in rules)


def test_prerequisites_exist_and_come_first() -> None:
    seen: set[str] = set()
    for module in modules():
        rule = rule_of(module)
        assert set(rule.requires) <= seen, rule.code
        seen.add(rule.code)


def test_every_page_has_its_headings() -> None:
    for module in modules():
        page = inspect.getdoc(module) or ""
        rule = rule_of(module)
        assert page.startswith(rule.name), rule.code
        missing = [heading for heading in HEADINGS if f"\n{heading}" not in page]
        assert not missing, f"{rule.code}: {missing}"


def test_the_driver_knows_which_checks_need_the_description_only() -> None:
    found = {name for name in MODULES if rule_of(module_of(name)).needs == "description"}
    assert found == OF_DESCRIPTION
