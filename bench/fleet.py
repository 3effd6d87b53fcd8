"""What many boards cost: a table, every figure beside something measured in the same run.

    python bench/fleet.py [--dtbs FOLDER] [--dumps FOLDER] [--functions N] [--boot]

Times are processor seconds, ours in one process over all files and a program's with its children; `clock` is
the time that went by as a multiple of ours. The rows of `-j 2` and of a boot are by the clock. Without
folders: the arm64 trees of Debian's kernel package, and dumps of the six machines that the tests describe.
Growth compares the time for each item with that at a tenth of the size.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rootplex.capture.snapshot import parse_snapshot
from rootplex.cli import COLLECT_EVERY
from rootplex.cli import main as rootplex
from rootplex.jobs.boards import Board, Item
from rootplex.jobs.check import check_text
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.validate import validate_board
from rootplex.readers.acpi.acpidump import read_tables

BARE = RunOptions(bare_metal=True)
AML = (b"DSDT", b"SSDT")
SNAPSHOTS = Path(__file__).resolve().parents[1] / "tests" / "capture" / "recorded"
BOARD = Path(__file__).resolve().parents[1] / "topologies" / "qemu-virt.yaml"
SIZES = (1_000, 10_000, 65_536)


def processor() -> float:
    """Seconds of this process and of all that it waited for."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def seconds(call: Callable[[], object]) -> float:
    """What a call takes of the processor."""
    return timed(call).processor


class Time(NamedTuple):
    """Seconds of the processor, and by the clock."""

    processor: float
    clock: float


def timed(call: Callable[[], object]) -> Time:
    """What a call takes."""
    begun, at = processor(), time.monotonic()
    call()
    return Time(processor() - begun, time.monotonic() - at)


def row(what: str, items: int, ours: Time, other: str, theirs: float) -> str:
    """A row of the table."""
    each, their = 1000 * ours.processor / items, 1000 * theirs / items
    rate, clock = items / ours.processor, ours.clock / ours.processor
    beside = f"{other}: {their:.2f} ms | {ours.processor / theirs:.3g}"
    return f"| {what} | {items:,} | {each:.2f} ms | {rate:,.1f} | {clock:.2f} | {beside} |"


def trees(files: Sequence[Path]) -> Iterator[str]:
    """`validate` of each tree in one process, beside one `dtc` a file."""

    def dtc() -> None:
        for file in files:
            subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "-o", os.devnull, str(file)], check=False)

    def ours() -> None:
        for file in files:
            validate_board(Board((Item(str(file), "dtb"),)))

    ours_, theirs = timed(ours), seconds(dtc)
    yield row("device trees, validate", len(files), ours_, "dtc", theirs)


def dumps(files: Sequence[Path]) -> Iterator[str]:
    """`validate` of each dump, beside a bare acpiexec that loads its tables and evaluates one `_SEG`."""
    for file in files:
        ours = timed(lambda file=file: validate_board(Board((Item(str(file), "acpi"),))))  # type: ignore[misc]
        tables = read_tables(file, file.name).tables
        bare = acpiexec(table.data for table in tables if table.signature in ("DSDT", "SSDT"))
        yield row(f"dump {file.name.partition('.')[0]}, validate", 1, ours, "acpiexec", bare)


def acpiexec(aml: Iterable[bytes]) -> float:
    """Seconds of a bare acpiexec with these tables."""
    with tempfile.TemporaryDirectory() as name:
        names = []
        for index, data in enumerate(aml):
            names.append(f"{index}.aml")
            (Path(name) / names[-1]).write_bytes(data)
        argv = ["acpiexec", "-b", "Evaluate \\_SB.PCI0._SEG", *names]
        return seconds(lambda: subprocess.run(argv, cwd=name, capture_output=True, check=False))


def snapshots(files: Sequence[Path]) -> Iterator[str]:
    """`validate` of each snapshot, its machine simulated, beside the program that reads its firmware."""
    for file in files:
        text = file.read_text()
        ours = timed(lambda file=file: validate_board(Board((Item(str(file), "snapshot"),))))  # type: ignore[misc]
        whole = parse_snapshot(text, file.name)
        if whole.firmware == "acpi":
            other, theirs = "acpiexec", acpiexec(each.data for each in whole.tables if each.data[:4] in AML)
        else:
            assert whole.dtb is not None
            argv = ["dtc", "-q", "-I", "dtb", "-O", "dts", "-o", os.devnull, "-"]
            data = whole.dtb.data
            other = "dtc"
            theirs = seconds(lambda: subprocess.run(argv, input=data, check=False))  # noqa: B023
        what = f"snapshot {file.stem}, {len(whole.functions)} functions, validate"
        yield row(what, 1, ours, other, theirs)


def description(functions: int) -> bytes:
    """A segment of so many functions: each bus below a root port has 256 of one ARI device."""
    lines = ["rootplex: 1", "platform: {name: big, arch: arm64, base: qemu-virt}", "host_bridges:"]
    lines.append(" - {name: main, segment: 0, bus_range: [0, 255], config: {base: 0x40_1000_0000},")
    lines.append("    windows: [{space: mem32, pci: 0x1000_0000, size: 512MiB}], devices: [")
    left = functions
    for port in range(256):
        below = max(0, min(left - 1, 256 if port < 255 else 0))
        rows = ", ".join(f"{{name: d{port}_{n}, dev: 0, fn: {n}, ari: true}}" for n in range(below))
        lines.append(
            f"   {{name: p{port}, dev: {port >> 3}, fn: {port & 7}, type: root-port, devices: [{rows}]}},"
        )
        left -= below + 1
        if left <= 0:
            break
    return "\n".join((*lines, " ]}", "")).encode()


def growth(functions: int) -> Iterator[str]:
    """A description's time for each function, beside that at a tenth of the size."""
    small, large = description(functions // 10), description(functions)
    few = seconds(lambda: check_text(small, "small.yaml", BARE)) * 10
    many = timed(lambda: check_text(large, "large.yaml", BARE))
    yield row("functions of a description, check", functions, many, f"at {functions // 10}", few)


def processes(files: Iterable[Path]) -> Iterator[str]:
    """`validate -j 2` beside `-j 1`, by the clock."""
    names = [str(file) for file in files]
    times = []
    for jobs in ("1", "2"):
        begun = time.monotonic()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            rootplex(["validate", *names, "-j", jobs, "--format", "jsonl"])
        times.append(time.monotonic() - begun)
    yield row("device trees, validate -j 2", len(names), Time(times[1], times[1]), "-j 1", times[0])


def booted(board: Path) -> Iterator[str]:
    """A board checked, beside a real boot of it."""
    text = board.read_bytes()
    ours = timed(lambda: check_text(text, board.name, RunOptions()))
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
        boot = timed(lambda: rootplex(["qemu", str(board), "--boot", "-o", name]))
    yield row(f"{board.stem}, check", 1, ours, "its boot under QEMU", boot.clock)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtbs", type=Path)
    parser.add_argument("--dumps", type=Path)
    parser.add_argument("--boot", action="store_true", help="boot a board, too")
    parser.add_argument("--functions", type=int, default=10_000, help="at most")
    arguments = parser.parse_args()
    gc.set_threshold(COLLECT_EVERY)
    now = datetime.now(tz=UTC).date()
    print(f"{now}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| what | items | ours, each | a second | clock | beside | ratio |\n|---|---|---|---|---|---|---|")
    with contextlib.ExitStack() as stack:
        files = sorted(arguments.dtbs.rglob("*.dtb")) if arguments.dtbs else _debian()
        kept = (
            sorted(arguments.dumps.iterdir())
            if arguments.dumps
            else _machines(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        )
        grown = (line for size in SIZES if size <= arguments.functions for line in growth(size))
        seen = snapshots(sorted(SNAPSHOTS.glob("*.txt")))
        boot = booted(BOARD) if arguments.boot else iter(())
        for part in (trees(files), processes(files), dumps(kept), seen, boot, grown):
            for line in part:
                print(line, flush=True)
    print(f"\nPeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
    return 0


def _debian() -> list[Path]:
    from tests.corpus.debian_trees import debian_trees

    return list(debian_trees())


def _machines(folder: Path) -> list[Path]:
    from tests.corpus.machine_tables import MACHINES, dumped

    return [dumped(name, folder) for name in MACHINES]


if __name__ == "__main__":
    sys.exit(main())
