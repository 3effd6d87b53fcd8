"""The list of checks, the files, the codes and the pages agree."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

from tests.checks.text_of_checks import text_of

from rootplex.checks import registry
from rootplex.checks.registry import checks, every_page
from rootplex.checks.rule import ANY, BYTES

HEADINGS = ("What it finds:", "Why it matters:", "Example:", "What to do:", "Source:")


def test_codes_and_names_are_unique_and_ordered() -> None:
    rules = [each.rule for each in every_page()]
    codes = [rule.code for rule in rules]
    assert sorted(set(codes)) == codes
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(re.fullmatch(r"RPX\d{4}", code) for code in codes)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.name) for rule in rules)
    listed = [check.rule.code for check in checks()]
    assert sorted(listed) == listed


def test_every_module_of_a_block_has_checks() -> None:
    folder = Path(registry.__file__).parent
    families = {f"rootplex.checks.{path.parent.name}.{path.stem}" for path in folder.glob("*/[!_]*.py")}
    assert families == {check.run.__module__ for check in checks()}


def test_prerequisites_exist_and_run_in_no_circle() -> None:
    requires = {each.rule.code: set(each.rule.requires) for each in every_page()}
    for code, needed in requires.items():
        assert needed <= requires.keys() | {ANY, BYTES}, code
    assert list(TopologicalSorter(requires).static_order())


def test_every_page_has_its_headings() -> None:
    for each in every_page():
        assert each.page.startswith(each.rule.name), each.rule.code
        missing = [heading for heading in HEADINGS if f"\n{heading}" not in each.page]
        assert not missing, f"{each.rule.code}: {missing}"


def test_a_check_of_one_stage_asks_for_nothing_later() -> None:
    """What a check needs is told by the facts that it reads, as far as its own module shows them."""
    later = {
        "description": r"facts\.(dt|acpi|tables|bridges|outcome|dt_bridges|acpi_bridges)\b",
        "artifacts": r"facts\.outcome\b",
    }
    asking = {
        check.rule.code
        for check in checks()
        if check.rule.needs in later and re.search(later[check.rule.needs], text_of(check))
    }
    assert asking == set()
