"""Many cases of some rows: in turns, counted, with their failures; a file lets a later run go on."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from rootplex.fuzz.limit import Hung, within
from rootplex.fuzz.playing import Fault
from rootplex.fuzz.targets import Row, Tried

SLICE = 0.5
"""Seconds of a row before the next one has its turn."""
KEPT = 20
"""Failures of a row that are kept in full; further ones are counted."""
SLOW, WAITING = 10.0, 120.0
"""Seconds of processor time, and of any, from which a case is a hang; the programs that it asks have a limit
of their own."""


class Failure(Struct, kw_only=True):
    """A case that was not right: its number in its row, what was wrong, and a test of the smallest form."""

    row: str
    seed: int
    case: int
    name: str
    text: str
    test: str


class Count(Struct, kw_only=True):
    """What was done of a row. `next` is the number of the next case; `seen` counts `asked → answer`."""

    target: str
    row: str
    unit: str
    next: int = 0
    units: int = 0
    crashes: int = 0
    hangs: int = 0
    violations: int = 0
    seconds: float = 0.0
    seen: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        return self.crashes + self.hangs + self.violations

    @property
    def kinds(self) -> int:
        """How many pairs of operation and result were seen."""
        return sum(len(results) for results in self.seen.values())

    def add(self, fault: Fault | None) -> None:
        if fault is None:
            return
        match fault.name:
            case "exception":
                self.crashes += 1
            case "hang":
                self.hangs += 1
            case _:
                self.violations += 1


class Campaign(Struct, kw_only=True):
    """A campaign's state, as its file has it."""

    seed: int
    revision: str
    counts: list[Count] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def count(self, target: str, row: Row) -> Count:
        """The count of a row, new where there is none."""
        for each in self.counts:
            if (each.target, each.row) == (target, row.name):
                return each
        self.counts.append(Count(target=target, row=row.name, unit=row.unit))
        return self.counts[-1]


def read_campaign(path: Path) -> Campaign:
    """A campaign from its file; msgspec.DecodeError for what is none."""
    return msgspec.json.decode(path.read_bytes(), type=Campaign)


def write_campaign(path: Path, campaign: Campaign) -> None:
    """Write it whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(campaign), indent=1))
    fresh.replace(path)


def run(
    campaign: Campaign,
    rows: Sequence[tuple[str, Row]],
    *,
    seconds: float | None,
    count: int | None,
    tell: Callable[[Campaign, Count], None] = lambda campaign, done: None,
) -> Iterator[Failure]:
    """Try cases of (target, row) in turns until the time is over or each row has its count of units; failures
    as they come. `tell` is called after each turn."""
    begun = time.monotonic()
    open_rows = [(row, campaign.count(target, row)) for target, row in rows]
    while open_rows:
        for row, done in list(open_rows):
            until = time.monotonic() + SLICE
            while time.monotonic() < until or done.next == 0:
                if count is not None and done.units >= count:
                    open_rows.remove((row, done))
                    break
                yield from _one(campaign, row, done)
            tell(campaign, done)
            if seconds is not None and time.monotonic() - begun >= seconds:
                return


def dice_of(seed: int, row: str, case: int) -> random.Random:
    """The dice of a case."""
    return random.Random(f"{seed} {row} {case}")


def _one(campaign: Campaign, row: Row, done: Count) -> Iterator[Failure]:
    number = done.next
    begun = time.process_time()
    case = row.draw(dice_of(campaign.seed, row.name, number))
    try:
        with within(SLOW, WAITING):
            result = row.tried(case)
    except Hung as hung:
        result = Tried(Fault("hang", str(hung), 1))
    taken = time.process_time() - begun
    fault = result.fault
    done.next, done.units, done.seconds = number + 1, done.units + result.units, done.seconds + taken
    for (asked, came), times in result.seen.items():
        results = done.seen.setdefault(asked, {})
        results[came] = results.get(came, 0) + times
    done.add(fault)
    if fault is None:
        return
    small = case if fault.name == "hang" or done.failures > KEPT else row.smaller(case, fault)
    failure = Failure(
        row=row.name,
        seed=campaign.seed,
        case=number,
        name=fault.name,
        text=fault.text,
        test=row.as_test(small),
    )
    if done.failures <= KEPT:
        campaign.failures.append(failure)
    yield failure
