"""Memory of many small files on one machine: `validate -j 2` of a thousand trees and of a hundred thousand.

    python -m bench.many [--files 100000]

The trees have no PCI, so that there is little but the way from file to line. Memory is the peak of the
process that holds the results, and of the workers (RSS).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from rootplex.readers.dts import compile_dts

FEW = 1_000
NAME = b"AAAAAA"
TREE = f"""/dts-v1/; / {{
compatible = "a,b"; model = "{NAME.decode()}"; #address-cells = <2>; #size-cells = <2>; }};"""


def peaks(words: list[str], folder: Path) -> tuple[float, list[int]]:
    """Seconds of a command, and the most bytes that its process and each below it have had."""
    begun = time.monotonic()
    process = psutil.Popen(
        [sys.executable, "-m", "rootplex", *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    most: dict[int, int] = {}
    while process.poll() is None:
        for each in (process, *process.children()):
            try:
                most[each.pid] = max(most.get(each.pid, 0), each.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.05)
    return time.monotonic() - begun, list(most.values())


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    arguments = parser.parse_args()
    print(f"{datetime.now(tz=UTC).date()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| validate -j 2 | files | time | a second | memory | workers |\n|---|---|---|---|---|---|")
    blob = compile_dts(TREE, "x.dts")
    with tempfile.TemporaryDirectory() as name:
        for count in (FEW, arguments.files):
            folder = Path(name) / str(count)
            for number in range(count):
                below = folder / f"{number // FEW:03d}"
                below.mkdir(parents=True, exist_ok=True)
                (below / f"{number % FEW:03d}.dtb").write_bytes(blob.replace(NAME, b"%06d" % number))
            for more in (["--format", "jsonl"], ["--resume", f"{count}.jsonl"]):
                took, (first, *workers) = peaks(["validate", str(folder), "-j", "2", *more], Path(name))
                held = ", ".join(f"{each >> 20} MB" for each in workers)
                what = more[0].replace("format", "format jsonl")
                rate = f"{took:,.0f} s | {count / took:,.0f}"
                print(f"| {what} | {count:,} | {rate} | {first >> 20} MB | {held} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
