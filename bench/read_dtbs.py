"""How long vendors' device trees take to read, beside `dtc -I dtb -O dts` on the same files.

    python bench/read_dtbs.py [FOLDER]

FOLDER holds .dtb files; without one those of Debian's arm64 kernel package are fetched into the user's
cache. Ours runs in one process over all of them: blob, host bridges, controllers, areas. `dtc` is one
process a file. Prints a line for each of the slowest files and the sums. The goal: at most 8 times.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rootplex.formats.devicetree import MapCells
from rootplex.readers.dtb import read_dtb
from rootplex.simulator.firmware.facts import dt_firmware

SHOWN = 5
GOAL = 8.0


def ours(file: Path) -> float:
    """Seconds to read one file and all that it says of PCI."""
    start = time.perf_counter()
    dt_firmware(read_dtb(file.read_bytes(), file.name), MapCells.TARGET)
    return time.perf_counter() - start


def dtc(file: Path) -> float:
    """Seconds of one `dtc` process on it."""
    start = time.perf_counter()
    subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "-o", "/dev/null", str(file)], check=False)
    return time.perf_counter() - start


def main() -> int:
    """Measure, print; 1 where the goal is missed."""
    if len(sys.argv) > 1:
        files = sorted(Path(sys.argv[1]).rglob("*.dtb"))
    else:
        from tests.corpus.debian_trees import debian_trees

        files = list(debian_trees())
    times = [(ours(file), dtc(file), file) for file in files]
    for mine, theirs, file in sorted(times, reverse=True)[:SHOWN]:
        print(f"{file.name}: {mine * 1000:.1f} ms, dtc {theirs * 1000:.1f} ms, {mine / theirs:.1f} times")
    mine, theirs = sum(each[0] for each in times), sum(each[1] for each in times)
    count = len(files)
    print(
        f"{count} files: {mine:.2f} s ({mine / count * 1000:.1f} ms a file), "
        f"dtc {theirs:.2f} s ({theirs / count * 1000:.1f} ms a file): {mine / theirs:.1f} times"
    )
    return int(mine > GOAL * theirs)


if __name__ == "__main__":
    sys.exit(main())
