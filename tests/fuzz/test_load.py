"""About one hundredth of a campaign with a fresh seed, and every failure that there ever was."""

from __future__ import annotations

import shutil
from functools import cache
from secrets import randbelow

import pytest
from tests.topologies.bundled import CHECKOUT

from rootplex.cli.fuzz import _show
from rootplex.fuzz.campaign import Campaign, run
from rootplex.fuzz.inputs import BOARDS, DESCRIPTIONS, FIRMWARE, kept, taken
from rootplex.fuzz.playing import played
from rootplex.fuzz.steps import read_play
from rootplex.fuzz.targets import FORMATS, PLAYS, Inputs, Row
from rootplex.report import fuzz

SEED = randbelow(1 << 32)
EARLIER = CHECKOUT / "tests" / "fuzz" / "earlier"
NATIVE = CHECKOUT / "tests" / "capture" / "native"
COUNTS = {
    "hypercalls": 1000,
    "config": 10_000,
    "aml": 60,
    "yaml": 100,
    "dts": 60,
    "included": 40,
    "overlaid": 40,
    "snapshot": 40,
    "archive": 60,
}
"""Of the rest 150."""
SECONDS = 40.0

needs_acpica = pytest.mark.skipif(shutil.which("acpiexec") is None, reason="needs acpica-tools")


@cache
def snapshots() -> dict[str, tuple[bytes, ...]]:
    return kept(NATIVE)


def row_of(name: str) -> tuple[str, Row]:
    if name in PLAYS:
        return name, PLAYS[name]
    target = next(target for target, forms in FORMATS.items() if name in forms)
    return target, Inputs(name=name, show=_show, begin=snapshots().get(name, ()))


@needs_acpica
@pytest.mark.parametrize("name", [*PLAYS, *FIRMWARE, *DESCRIPTIONS, *BOARDS])
def test_nothing_is_found(name: str) -> None:
    """With a seed of its own each time; a failure prints it, and a test of the smallest case."""
    campaign = Campaign(seed=SEED, revision="")
    found = list(run(campaign, [row_of(name)], seconds=SECONDS, count=COUNTS.get(name, 150)))
    assert not found, "\n\n".join(map(fuzz.failure, found))


@pytest.mark.parametrize("name", sorted(path.name for path in EARLIER.glob("*.json")))
def test_an_earlier_failure(name: str) -> None:
    assert played(read_play((EARLIER / name).read_bytes())).fault is None


def test_earlier_inputs() -> None:
    """A file is called after its format, up to the first dot."""
    for path in sorted(EARLIER.glob("*.input")):
        taken(path.name.partition(".")[0], path.read_bytes(), _show)
