"""The list of checks, the files, the codes and the pages agree."""

from __future__ import annotations

import inspect
import re
from graphlib import TopologicalSorter
from pathlib import Path

from rootplex.checks.registry import CHECKS, ONLY, module_of, modules, rule_of
from rootplex.checks.rule import ANY, BYTES

HEADINGS = ("What it finds:", "Why it matters:", "Example:", "What to do:", "Source:")


def test_every_file_is_listed_once(checkout: Path) -> None:
    folder = checkout / "compiler" / "rootplex" / "checks"
    files = {
        str(path.relative_to(folder).with_suffix("")).replace("/", ".")
        for path in folder.glob("*/*.py")
        if not path.stem.startswith("_")
    }
    assert sorted(files) == sorted(CHECKS)


def test_codes_and_names_are_unique_and_ordered() -> None:
    rules = [rule_of(module) for module in modules()]
    codes = [rule.code for rule in rules]
    assert sorted(set(codes)) == codes
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(re.fullmatch(r"RPX\d{4}", code) for code in codes)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.name) for rule in rules)


def test_prerequisites_exist_and_run_in_no_circle() -> None:
    requires = {rule_of(module).code: set(rule_of(module).requires) for module in modules()}
    for code, needed in requires.items():
        assert needed <= requires.keys() | {ANY, BYTES}, code
    assert list(TopologicalSorter(requires).static_order())


def test_every_page_has_its_headings() -> None:
    for module in modules():
        page = inspect.getdoc(module) or ""
        rule = rule_of(module)
        assert page.startswith(rule.name), rule.code
        missing = [heading for heading in HEADINGS if f"\n{heading}" not in page]
        assert not missing, f"{rule.code}: {missing}"


def test_a_check_of_one_stage_asks_for_nothing_later() -> None:
    """What a check needs is told by the facts that it reads, as far as its own module shows them."""
    later = {"description": r"facts\.(dt|acpi|bridges|outcome)\b", "artifacts": r"facts\.outcome\b"}
    asking = {
        name
        for name, needs in CHECKS.items()
        if needs in later and re.search(later[needs], inspect.getsource(module_of(name)))
    }
    assert asking == set()


def test_a_check_made_while_reading_is_a_page_only() -> None:
    pages = {name for name in CHECKS if not hasattr(module_of(name), "check")}
    assert pages == {name for name, needs in CHECKS.items() if needs == "reading"}


def test_what_holds_for_some_platforms_only_is_a_check_that_is_called() -> None:
    assert {name for name in ONLY if CHECKS[name] == "reading"} == set()
