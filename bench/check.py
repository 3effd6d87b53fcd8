"""How long `rootplex check` takes beside what it cannot do without.

The floor is measured in the same run: a bare interpreter, one `iasl` on the platform's SSDT and one
`acpiexec` on its DSDT and SSDT, however many bridges there are. The ratio is what counts (goal: at most
2.5); the times are this machine's. Usage: python bench/check.py [--runs N] [FILE]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
DESCRIPTION = CHECKOUT / "topologies" / "qemu-virt-three-segments.yaml"
COMMAND = (sys.executable, "-c", "import sys; from rootplex.cli import main; sys.exit(main())")
EVALUATE = "All _HID\nAll _CID\nAll _SEG\nAll _BBN\nAll _CBA\nAll _STA\nAll _CRS\nquit\n\n"
"""Through standard input: with `-b` acpiexec now and then sleeps 100 ms."""
GOAL = 2.5
FLOOR = ("interpreter", "iasl", "acpiexec")
LIBRARIES = "import argparse, json, pathlib, struct, subprocess, typing, fdt, yaml"


def seconds(argv: Sequence[str], cwd: Path, script: str = "") -> float:
    """Wall time of one process from start to end. A program that could not do its work ends the benchmark."""
    before = time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, input=script, capture_output=True, text=True, check=False)
    after = time.perf_counter()
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return after - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DESCRIPTION)
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    description = arguments.file.resolve()
    with tempfile.TemporaryDirectory(prefix="rootplex-bench-") as name:
        folder = Path(name)
        seconds([*COMMAND, "compile", str(description), "-o", "."], folder)
        (artifacts,) = (path for path in folder.iterdir() if path.is_dir())
        tables = [
            str(artifacts / table) for table in ("dsdt.aml", "ssdt.aml") if (artifacts / table).exists()
        ]
        steps = {
            "interpreter": (sys.executable, "-c", "pass"),
            "libraries": (sys.executable, "-c", LIBRARIES),
            "iasl": ("iasl", "-p", "out", str(artifacts / "ssdt.asl")),
            "acpiexec": ("acpiexec", "-di", "-to", "2", *tables),
            "check": (*COMMAND, "check", str(description)),
        }
        times: dict[str, list[float]] = {step: [] for step in steps}
        for _ in range(arguments.runs + 1):  # in turns, so that a busy moment meets all of them
            for step, argv in steps.items():
                times[step].append(seconds(argv, folder, EVALUATE if step == "acpiexec" else ""))
    medians = {step: statistics.median(each[1:]) for step, each in times.items()}  # the first warms caches
    floor = sum(medians[step] for step in FLOOR)
    loaded = floor - medians["interpreter"] + medians["libraries"]
    print(f"{description.name}, medians of {arguments.runs} runs, {os.cpu_count()} cores")
    for step, median in medians.items():
        print(f"  {step:<12}{median * 1000:8.1f} ms")
    print(f"  {'floor':<12}{floor * 1000:8.1f} ms")
    print(f"  ratio       {medians['check'] / floor:8.2f}    (goal: at most {GOAL})")
    print(
        f"  with the libraries in the floor {medians['check'] / loaded:.2f}; they alone: {loaded / floor:.2f}"
    )


if __name__ == "__main__":
    main()
