"""Random topologies on a real kernel, beside the simulation: the figures of the README.

    python -m bench.boots [--arch arm64|x86_64] [--topologies N] [--seed S] [--profile linux-6.1] [--first M]
        [--themes]

One boot each; of arm64's two in three by device tree and one by ACPI. Exit status 1 with a difference.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.boot.booting import SEED, TOPOLOGIES, random_boots, sentence, totals

from rootplex.known.kernels import SUITES, TO_BOOT
from rootplex.tools import kernels


def main() -> int:
    """Boot, and print a line for each and the sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--arch", choices=tuple(TOPOLOGIES), help="default: both")
    parser.add_argument("--topologies", type=int, help=f"of each (default: {TOPOLOGIES})")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--themes", action="store_true", help="around a theme each")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--profile", choices=tuple(SUITES), default=TO_BOOT)
    arguments = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    differences, ends = 0, []
    for arch, count in TOPOLOGIES.items():
        if arguments.arch in (None, arch):
            kernel = kernels.newest(cache, arch, arguments.profile)
            start = time.monotonic()
            numbers = range(arguments.first, arguments.first + (arguments.topologies or count))
            boots = random_boots(
                arguments.seed,
                numbers,
                kernel,
                lambda line: print(line, flush=True),
                themes=arguments.themes,
            )
            sums = totals(boots)
            differences += sums["differences"]
            seconds = time.monotonic() - start
            ends.append(f"Linux {kernel.release}, seed {arguments.seed}: {sentence(sums)}; {seconds:.0f} s")
    print("\n".join(ends))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
