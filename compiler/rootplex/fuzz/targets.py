"""The surfaces under one interface: a case is drawn, tried, made smaller, and written as a test."""

from __future__ import annotations

import base64
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from rootplex.fuzz import drawing
from rootplex.fuzz.damage import mutated
from rootplex.fuzz.inputs import BOARDS, DESCRIPTIONS, FIRMWARE, Show, seeds, taken
from rootplex.fuzz.playing import Fault, played, where
from rootplex.fuzz.smallest import smallest
from rootplex.fuzz.steps import Play, text_of

SHRINKS = 400
"""How often an input is tried again while it is made smaller."""


class Tried(Struct):
    """What came of a case. `units` is what it counts for in the table: sequences, accesses, inputs."""

    fault: Fault | None = None
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    units: int = 1


class Row(Protocol):
    """One line of the table."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    def draw(self, dice: random.Random) -> Any: ...

    def tried(self, case: Any) -> Tried: ...

    def smaller(self, case: Any, fault: Fault) -> Any: ...

    def as_test(self, case: Any) -> str: ...


class Plays(Struct, frozen=True, kw_only=True):
    """Plays on a running Xen."""

    name: str
    unit: str
    drawn: Callable[[random.Random], Play]

    def draw(self, dice: random.Random) -> Play:
        return self.drawn(dice)

    def tried(self, case: Play) -> Tried:
        result = played(case)
        return Tried(result.fault, result.seen, result.accesses if self.unit == "accesses" else 1)

    def smaller(self, case: Play, fault: Fault) -> Play:
        def fails(steps: tuple[Any, ...]) -> bool:
            again = played(replace(case, steps=steps)).fault
            return again is not None and again.name == fault.name

        return replace(case, steps=smallest(case.steps[: fault.steps], fails))

    def as_test(self, case: Play) -> str:
        return f'    play = read_play(r"""{text_of(case)}""")\n    assert played(play).fault is None\n'


class Inputs(Struct, frozen=True, kw_only=True):
    """Damaged inputs of a format. `begin` are whole ones beside the bundled boards'."""

    name: str
    show: Show | None = None
    begin: tuple[bytes, ...] = ()
    unit: str = "inputs"

    @property
    def whole(self) -> Sequence[bytes]:
        return (*seeds(self.name), *self.begin)

    def draw(self, dice: random.Random) -> bytes:
        return mutated(self.name, dice.choice(self.whole), dice)

    def tried(self, case: bytes) -> Tried:
        try:
            taken(self.name, case, self.show)
        except Exception as error:
            return Tried(Fault("exception", where(error), 1))
        return Tried()

    def smaller(self, case: bytes, fault: Fault) -> bytes:
        def fails(parts: tuple[bytes, ...]) -> bool:
            again = self.tried(b"".join(parts)).fault
            return again is not None and again.text == fault.text

        step = max(len(case) // 4096, 1)
        parts: list[bytes] = [case[at : at + step] for at in range(0, len(case), step)]
        fewer: tuple[bytes, ...] = smallest(parts, fails, SHRINKS)
        return b"".join(fewer)

    def as_test(self, case: bytes) -> str:
        packed = base64.b85encode(zlib.compress(case, 9)).decode()
        return f'    taken("{self.name}", zlib.decompress(base64.b85decode(r"""{packed}""")))\n'


PLAYS = {
    "hypercalls": Plays(name="hypercalls", unit="sequences", drawn=drawing.hypercalls),
    "config": Plays(name="config", unit="accesses", drawn=drawing.accesses),
}
FORMATS = {"firmware": FIRMWARE, "descriptions": DESCRIPTIONS, "boards": BOARDS}
TARGETS = (*PLAYS, *FORMATS)
ROWS = tuple(form for forms in FORMATS.values() for form in forms)
"""The formats, each of which can be asked for alone."""


def rows_of(
    target: str, show: Show | None = None, begin: Mapping[str, tuple[bytes, ...]] | None = None
) -> Iterator[tuple[str, Row]]:
    """(target, row) of a target, or of one of its formats; formats of which there is nothing to begin with
    are left out."""
    if target in PLAYS:
        yield target, PLAYS[target]
    for owner, forms in FORMATS.items():
        for form in forms:
            row = Inputs(name=form, show=show, begin=(begin or {}).get(form, ()))
            if target in (owner, form) and (row.begin or form != "snapshot"):
                yield owner, row
