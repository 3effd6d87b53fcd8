"""Every table of `fleet.md` that this machine can measure, made anew and put in its place.

    python -m bench.tables --dumps FOLDER --dtbs FOLDER --cluster FOLDER [--only NAME…] [--boards 20000]

A table stands between `<!-- NAME -->` and `<!-- end -->`. Each part is a process of its own, one after the
other; on a quiet machine of two cores all of them take some twenty minutes, half of it the cluster's.
What fails leaves its table as it was, and is told.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

PAGE = Path(__file__).with_name("fleet.md")
PARTS = ("one", "linear", "many", "peers", "cluster")


def main() -> int:
    """Renew the page; 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dumps", type=Path, required=True, help="ACPI dumps")
    parser.add_argument("--dtbs", type=Path, required=True, help="device trees, a thousand or more")
    parser.add_argument("--cluster", type=Path, required=True, help="where the cluster's boards are kept")
    parser.add_argument("--boards", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts alone")
    arguments = parser.parse_args()
    dumps = ["--dumps", str(arguments.dumps)]
    parts = {
        "one": ["bench.fleet", *dumps, "--dtbs", str(arguments.dtbs), "--functions", "65536", "--boot"],
        "linear": ["bench.linear"],
        "many": ["bench.many"],
        "peers": ["bench.peers", *dumps],
        "cluster": [
            "bench.cluster", "--folder", str(arguments.cluster), "--boards", str(arguments.boards),
        ],
    }  # fmt: skip
    failed = False
    for name, words in parts.items():
        if name not in arguments.only:
            continue
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", *words], capture_output=True, text=True, cwd=PAGE.parents[1], check=False
        )
        print(f"{name}: {time.monotonic() - begun:,.0f} s, exit status {done.returncode}", flush=True)
        if done.returncode:
            print(done.stdout[-2000:] + done.stderr[-2000:])
            failed = True
        else:
            replace(name, done.stdout.strip())
    return int(failed)


def replace(name: str, table: str) -> None:
    """Put a table in its place."""
    before, begin, rest = PAGE.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    assert begin
    assert end
    PAGE.write_text(f"{before}{begin}\n{table}\n\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
