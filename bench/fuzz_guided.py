"""The rows of `rootplex fuzz` under a coverage-guided fuzzer: atheris (`pip install rootplex[guided]`).

    python -m bench.fuzz_guided hypercalls [-atheris or libFuzzer arguments]
    python -m bench.fuzz_guided dtb corpus/ -max_total_time=600

For a format the fuzzer's bytes are the input. For plays they are the dice: each byte that it changes is
another choice, so that what it learns of the coverage shapes the sequence.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Sequence
from types import FunctionType

from rootplex.fuzz.targets import FORMATS, PLAYS, Inputs


class Dice(random.Random):
    """Choices out of bytes, in their order; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data, self._at = data, 0

    def getrandbits(self, k: int, /) -> int:
        size = (k + 7) // 8
        part = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(part, "little") & (1 << k) - 1

    def random(self) -> float:
        return self.getrandbits(24) / (1 << 24)


def one_input(row: str, data: bytes) -> None:
    """Try what the bytes say; AssertionError with the test of it where something is not right."""
    if row in PLAYS:
        play = PLAYS[row].draw(Dice(data))
        fault = PLAYS[row].tried(play).fault
        assert fault is None, f"{fault.name}: {fault.text}\n{PLAYS[row].as_test(play)}"
        return
    form = Inputs(name=row)
    fault = form.tried(data).fault
    assert fault is None, f"{fault.name}: {fault.text}\n{form.as_test(data)}"


def main(arguments: Sequence[str]) -> None:
    """Hand over to atheris."""
    rows = (*PLAYS, *(each for forms in FORMATS.values() for each in forms))
    if len(arguments) < 2 or arguments[1] not in rows:
        sys.exit(f"{__doc__}\nrows: {', '.join(rows)}")
    row = arguments[1]
    import atheris  # an extra; not needed for anything else

    for each in gc.get_objects():
        if isinstance(each, FunctionType) and str(each.__module__).startswith("rootplex."):
            atheris.instrument_func(each)
    atheris.Setup([arguments[0], *arguments[2:]], lambda data: one_input(row, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
