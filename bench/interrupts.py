"""Interruptions at random moments: how many ended as they should.

    python -m bench.interrupts --count 500 [--seed S]

Each is a signal (Ctrl-C's or SIGTERM) at a random moment to one of the commands of
`tests/cli/test_interrupts.py`, and is held to what that test holds it to: one line, 130 or 143, within a
second, no child left, no folder left. Exit status 1 where one was not right.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path
from secrets import randbelow

from tests.cli.test_interrupts import BOOTS, COMMANDS, WORDS, interrupted


def main() -> int:
    """Interrupt, and tell of each command how many were right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=randbelow(1 << 32))
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    commands = [*COMMANDS, *BOOTS]
    right, asked = dict.fromkeys(commands, 0), dict.fromkeys(commands, 0)
    for _ in range(arguments.count):
        name, number = dice.choice(commands), dice.choice(list(WORDS))
        asked[name] += 1
        with tempfile.TemporaryDirectory(prefix="rootplex-interrupts-") as folder:
            try:
                interrupted(Path(folder), name, signal.Signals(number), dice)
            except AssertionError as error:
                print(f"{name}, {signal.Signals(number).name}: {error}", flush=True)
            else:
                right[name] += 1
    print(f"seed {arguments.seed}\n| command | interruptions | right |\n|---|---:|---:|")
    for name, count in asked.items():
        print(f"| {name} | {count} | {right[name]} |")
    return int(right != asked)


if __name__ == "__main__":
    sys.exit(main())
