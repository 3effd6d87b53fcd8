"""One cause, one finding: of a fault planted in a sound board one error comes, and the reader of it mends all
that follows. What is an error of its own beside it stands in the table with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checks.cases import changed
from tests.checks.golden import hold
from tests.checks.plants import NOT_PLANTED, PLANTS, Plant
from tests.checks.text_of_checks import text_of

from rootplex.backends.refusal import CannotCompile
from rootplex.checks.registry import every_page
from rootplex.jobs.acceptance import accept
from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.source.finding import Finding, Level, in_order


def reported(plant: Plant, checkout: Path) -> tuple[Finding, ...]:
    """What `check` reports of the board with the fault in it."""
    text = (checkout / "topologies" / f"{plant.board}.yaml").read_text()
    checked = read_checked((changed(text, *plant.changes) + plant.tail).encode(), "case.yaml")
    if not checked.is_sound:
        return in_order(checked.findings)
    assert checked.platform is not None
    try:
        return examine(checked, plant.options, plant.alter).findings
    except CannotCompile as refusal:
        return accept(checked.platform, (*checked.findings, *refusal.findings))


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.code} {plant.what}")
def test_one_error_comes(plant: Plant, checkout: Path) -> None:
    findings = reported(plant, checkout)
    hold(findings, f"{plant.code} {plant.what}")
    errors = [each for each in findings if each.level is Level.ERROR and not each.expected]
    own = [each for each in errors if each.code not in plant.others]
    assert [plant.code] == [each.code for each in own], [f"{each.code}: {each.message}" for each in errors]
    assert set(plant.others) == {each.code for each in errors} - {plant.code}


def test_every_error_is_planted_or_says_why_not() -> None:
    errors = {
        each.rule.code
        for each in every_page()
        if each.rule.level is Level.ERROR or "Level.ERROR" in text_of(each)
    }
    planted = {plant.code for plant in PLANTS}
    assert errors - planted == set(NOT_PLANTED) - planted
    assert not planted & set(NOT_PLANTED)
