"""The list of checks, the files, the codes and the pages agree."""

from __future__ import annotations

import inspect
import re
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

from rootplex.checks.check import Check
from rootplex.checks.pages import PAGES
from rootplex.checks.registry import CHECKS, ONLY, check_of, every_check
from rootplex.checks.rule import ANY, BYTES

HEADINGS = ("What it finds:", "Why it matters:", "Example:", "What to do:", "Source:")


def test_every_file_is_listed(checkout: Path) -> None:
    """A module that is a check once; of one of a family each check that is in it."""
    folder = checkout / "compiler" / "rootplex" / "checks"
    files = {
        str(path.relative_to(folder).with_suffix("")).replace("/", ".")
        for path in folder.glob("*/*.py")
        if not path.stem.startswith("_")
    }
    assert files == {name.partition(":")[0] for name in CHECKS}
    for file in files:
        module = import_module(f"rootplex.checks.{file}")
        own = [f"{file}:{name}" for name, value in vars(module).items() if isinstance(value, Check)]
        assert sorted(own or [file]) == sorted(name for name in CHECKS if name.partition(":")[0] == file)


def test_codes_and_names_are_unique_and_ordered() -> None:
    rules = [each.rule for each in every_check()]
    codes = [rule.code for rule in rules]
    assert sorted(set(codes)) == codes
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(re.fullmatch(r"RPX\d{4}", code) for code in codes)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rule.name) for rule in rules)
    listed = [check_of(name).rule.code for name in CHECKS]
    assert sorted(listed) == listed


def test_prerequisites_exist_and_run_in_no_circle() -> None:
    requires = {each.rule.code: set(each.rule.requires) for each in every_check()}
    for code, needed in requires.items():
        assert needed <= requires.keys() | {ANY, BYTES}, code
    assert list(TopologicalSorter(requires).static_order())


def test_every_page_has_its_headings() -> None:
    for each in every_check():
        assert each.page.startswith(each.rule.name), each.rule.code
        missing = [heading for heading in HEADINGS if f"\n{heading}" not in each.page]
        assert not missing, f"{each.rule.code}: {missing}"


def source_of(check: Check) -> str:
    """The text of the module that a check is in."""
    module = inspect.getmodule(check.run)
    assert module is not None
    return inspect.getsource(module)


def test_a_check_of_one_stage_asks_for_nothing_later() -> None:
    """What a check needs is told by the facts that it reads, as far as its own module shows them."""
    later = {"description": r"facts\.(dt|acpi|bridges|outcome)\b", "artifacts": r"facts\.outcome\b"}
    asking = {
        name
        for name, needs in CHECKS.items()
        if needs in later and re.search(later[needs], source_of(check_of(name)))
    }
    assert asking == set()


def test_what_no_check_makes_is_a_page_only() -> None:
    assert all(each.run is None for each in PAGES)
    assert all(check_of(name).run is not None for name in CHECKS)


def test_what_holds_for_some_platforms_only_is_a_check_that_is_called() -> None:
    assert ONLY.keys() <= CHECKS.keys()
