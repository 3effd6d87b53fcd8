"""The same files by the programs that others use (dtc, dt-validate, fwts), and by ours.

    python -m bench.peers [--trees FOLDER] [--dumps FOLDER]

Without folders: the bundled boards' trees, and dumps of the machines that the tests describe. fwts is
Debian's of the newest suite, unpacked into the user's cache with the libraries that it wants.
Times are processor seconds for each file; messages are what a program says is wrong.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.bindings import GENERATED, said
from bench.fleet import seconds

from rootplex.jobs.boards import Board, Item
from rootplex.jobs.sources import Kind
from rootplex.jobs.validate import validate_board
from rootplex.tools import apt
from rootplex.tools.kernels import debian

SUITE = "sid"
FWTS = (
    "fwts", "libc6", "libfdt1", "libglib2.0-0t64", "zlib1g", "libpcre2-8-0", "libmount1", "libblkid1",
    "libselinux1",
)  # fmt: skip
ACPI_TESTS = ("mcfg", "dmar", "method", "acpitables")
"""Of fwts: those that take a dump and are about what is ours."""
FAILED = "FAILED ["


def ours(files: Sequence[Path], kind: Kind) -> tuple[float, int]:
    """Seconds of all files in one process, and findings of level error and warning."""
    found = 0

    def run() -> None:
        nonlocal found
        for file in files:
            result = validate_board(Board((Item(str(file), kind),)))
            found += sum(each.level.value != "note" for each in result.findings)

    return seconds(run), found


def dtc(files: Sequence[Path]) -> tuple[float, int]:
    """One process a file."""
    found = 0

    def run() -> None:
        nonlocal found
        for file in files:
            argv = ["dtc", "-I", "dtb", "-O", "dts", "-o", os.devnull, str(file)]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            found += done.stderr.count("Warning (") + done.stderr.count("ERROR (")

    return seconds(run), found


def dt_validate(place: Path, files: Sequence[Path]) -> tuple[float, int]:
    """One process for all."""
    found = 0

    def run() -> None:
        nonlocal found
        found = sum(1 for _ in said(place, files))

    return seconds(run), found


def fwts(folder: Path, files: Sequence[Path]) -> tuple[float, int]:
    """One process a file, by the C library that is unpacked beside it."""
    found = 0
    library = folder / "usr" / "lib" / "x86_64-linux-gnu"
    loader = library / "ld-linux-x86-64.so.2"
    inside = os.pathsep.join(str(each) for each in (library, library / "fwts"))
    program = [str(loader), "--library-path", inside, str(folder / "usr" / "bin" / "fwts")]

    def run() -> None:
        nonlocal found
        for file in files:
            with tempfile.TemporaryDirectory() as name:
                argv = [*program, f"--dumpfile={file}", "-q", "-r", "stdout", *ACPI_TESTS]
                done = subprocess.run(argv, cwd=name, capture_output=True, text=True, check=False)
                if "tests" not in done.stdout + done.stderr:
                    raise SystemExit(f"fwts does not run: {done.stderr or done.stdout}")
                found += done.stdout.count(FAILED)

    return seconds(run), found


def unpacked(place: Path) -> Path:
    """fwts and what it wants, made once."""
    folder = place / "fwts"
    if not folder.exists():
        source = debian(place, SUITE, "x86_64", apt.mirror())
        source.update()
        fresh = place / "fresh"
        for deb in source.download(FWTS):
            apt.unpack(deb, fresh)
        fresh.rename(folder)
        source.forget()
    return folder


def rows(
    what: str, files: Sequence[Path], programs: dict[str, Callable[[], tuple[float, int]]]
) -> Iterator[str]:
    """A row each, with the time as a multiple of ours, which is the last."""
    done = {name: run() for name, run in programs.items()}
    ours_, _ = done["rootplex validate"]
    for name, (took, found) in done.items():
        each = f"{1000 * took / len(files):,.1f} ms | {took / ours_:,.2f}"
        yield f"| {what} | {len(files)} | {name} | {each} | {found} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trees", type=Path)
    parser.add_argument("--dumps", type=Path)
    arguments = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rootplex"
    trees = sorted((arguments.trees or GENERATED).rglob("*.dtb"))
    print(f"{datetime.now(tz=UTC).date()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| files | count | program | each | by ours | messages |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        dumps = sorted(arguments.dumps.iterdir()) if arguments.dumps else _machines(Path(name))
        of_trees: dict[str, Callable[[], tuple[float, int]]] = {
            "dtc": lambda: dtc(trees),
            "dt-validate": lambda: dt_validate(cache / "bindings", trees),
            "rootplex validate": lambda: ours(trees, "dtb"),
        }
        of_dumps: dict[str, Callable[[], tuple[float, int]]] = {
            f"fwts {' '.join(ACPI_TESTS)}": lambda: fwts(unpacked(cache / "peers"), dumps),
            "rootplex validate": lambda: ours(dumps, "acpi"),
        }
        for what, files, programs in (("trees", trees, of_trees), ("dumps", dumps, of_dumps)):
            for line in rows(what, files, programs):
                print(line, flush=True)
    return 0


def _machines(folder: Path) -> list[Path]:
    from tests.corpus.machine_tables import MACHINES, dumped

    return [dumped(name, folder) for name in MACHINES]


if __name__ == "__main__":
    sys.exit(main())
