"""Whether time grows as its items do: each command at a size and at a tenth of it, with memory.

    python -m bench.linear [--only WORD] [--scale N]

Each row is two processes, which first do the same twice with twenty items: what is loaded once does not
count, and what the second takes is taken off. Times are the processor's, with programs that were run; memory
is the peak of the process (RSS) at the larger size. `growth` is the time for an item at the larger size as a
multiple of that at a tenth; the goal is 1.5 at most. `--scale 10` makes everything ten times smaller.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.fleet import description, seconds

from rootplex.cli import COLLECT_EVERY
from rootplex.cli import main as rootplex
from rootplex.readers.dts import compile_dts

TINY = 20
SNAPSHOT = Path(__file__).resolve().parents[1] / "tests" / "capture" / "recorded" / "arm64-dt-6.1.txt"
TREE = """/dts-v1/; / {{ #address-cells = <2>; #size-cells = <2>; compatible = "a,b"; model = "x";
memory@0 {{ device_type = "memory"; reg = <0 0 0 0x40000000>; }};
its: its@8080000 {{ compatible = "arm,gic-v3-its"; reg = <0 0x8080000 0 0x20000>;
    msi-controller; #msi-cells = <1>; phandle = <1>; }};
smmu: iommu@9050000 {{ compatible = "arm,smmu-v3"; reg = <0 0x9050000 0 0x20000>; #iommu-cells = <1>;
    phandle = <2>; }};
pcie@4010000000 {{ compatible = "pci-host-ecam-generic"; device_type = "pci";
    #address-cells = <3>; #size-cells = <2>; reg = <0x40 0x10000000 0 0x10000000>; bus-range = <0 255>;
    linux,pci-domain = <0>; dma-coherent; {more} }}; }};"""
HEAD = """rootplex: 1
platform: {name: big, arch: arm64, base: qemu-virt}
host_bridges:
 - name: main
   segment: 0
   bus_range: [0, 255]
   config: {base: 0x40_1000_0000}
"""


def functions(count: int) -> bytes:
    """A segment of so many functions, each with a stream and a group of its own."""
    text = description(count).replace(b" devices: [", b" iommu: {unit: smmu}, devices: [", 1)
    return text.replace(b"type: root-port", b"type: root-port, acs: true").replace(
        b"ari: true", b"ari: true, acs: true"
    )


def entries(count: int) -> bytes:
    """A bridge with so many entries in its two maps, of which no two can be one."""
    rows = "".join(f"     - {{rid: {at}, id: {3 * at & 0xFFFF}, count: 1}}\n" for at in range(count // 2))
    windows = "   windows: [{space: mem32, pci: 0x1000_0000, size: 512MiB}]\n"
    maps = f"   msi:\n    controller: its\n    map:\n{rows}   iommu:\n    unit: smmu\n    map:\n{rows}"
    return f"{HEAD}{windows}{maps}".encode()


def windows(count: int) -> bytes:
    """A bridge with so many windows."""
    rows = (
        f"    - {{space: mem64, pci: {0x80_0000_0000 + (at << 21):#x}, size: 1MiB}}\n" for at in range(count)
    )
    return f"{HEAD}   msi: {{controller: its}}\n   windows:\n{''.join(rows)}".encode()


def faults(count: int) -> bytes:
    """Functions with a BAR that no window takes, a warning each."""
    return description(count).replace(b"ari: true", b"ari: true, bars: [{index: 0, space: io, size: 256}]")


def tree_of_entries(count: int) -> bytes:
    """A tree with two such maps."""
    rows, streams = (
        "\n".join(f"{at:#x} {unit} {3 * at & 0xFFFF:#x} 1" for at in range(count // 2)) for unit in (1, 2)
    )
    ranges = "ranges = <0x02000000 0 0x50000000 0x80 0 0 0x08000000>;"
    return compile_dts(TREE.format(more=f"{ranges} msi-map = <{rows}>; iommu-map = <{streams}>;"), "x.dts")


def tree_of_windows(count: int) -> bytes:
    """A tree with such windows."""
    rows = "\n".join(f"0x3000000 0x80 {at << 17:#x} 0x80 {at << 17:#x} 0 0x10000" for at in range(count))
    return compile_dts(TREE.format(more=f"msi-parent = <&its>; ranges = <{rows}>;"), "x.dts")


def tree_of_faults(count: int) -> bytes:
    """A tree with windows that are none: a finding each."""
    rows = "\n".join(f"0x3000000 0x80 {at << 17:#x} 0x80 {at << 17:#x} 0 0" for at in range(count))
    return compile_dts(TREE.format(more=f"msi-parent = <&its>; ranges = <{rows}>;"), "x.dts")


def snapshot(count: int) -> bytes:
    """The recorded machine with so many functions more, in ARI devices below root ports of its first bus."""
    old = [line.partition(" ")[2] for line in SNAPSHOT.read_text().splitlines()]
    at = old.index("section groups")
    new = []
    for number in range(count):
        port, fn = divmod(number, 250)
        bus = 4 + port  # Linux numbers them on from those that are there
        above = f"0000:00:{0x08 + (port >> 3):02x}.{port & 7}"
        if fn == 0:
            new += _function(above, "", "0x060400", "361b0c00000010000000040600008100", bus)
        sbdf = f"0000:{bus:02x}:{fn >> 3:02x}.{fn & 7}"
        new += _function(sbdf, f"/{above}", "0x020000", "34120101000000000000000200008000", None)
    lines = [*old[:at], *new, *old[at:]]
    return "".join(f"{n}/{len(line)} {line}\n" for n, line in enumerate(lines, start=1)).encode()


def _function(sbdf: str, above: str, kind: str, row: str, bus: int | None) -> list[str]:
    second = [] if bus is None else [f"10 {0:016x}00{bus:02x}{bus:02x}00{0:08x}"]
    return [
        f"function {sbdf}",
        f"path /devices/platform/4010000000.pcie/pci0000:00{above}/{sbdf}",
        "vendor 0x1234",
        "device 0x0101",
        f"class {kind}",
        "irq 0",
        "data config 256 0",
        f"0 {row}",
        *second,
    ]


class Case(NamedTuple):
    """Items of a kind: the largest count, what makes a file of so many, and the commands for it."""

    what: str
    size: int
    suffix: str
    made: Callable[[int], bytes]
    commands: tuple[str, ...]


CHECK, COMPILE, REPORT = "check FILE", "compile FILE -o OUT --force", "report FILE -o OUT/x.html --force"
GROUPS, EXPLAIN, VALIDATE = "groups FILE", "explain 0000:00:00.0 FILE", "validate FILE"
JSON, SARIF = " --format json", " --format sarif"
BOTH = (VALIDATE, VALIDATE + JSON)
CASES = (
    Case(
        "functions of a description",
        65_536,
        ".yaml",
        functions,
        (CHECK + JSON, COMPILE, GROUPS, EXPLAIN, REPORT),
    ),
    Case("functions of a snapshot", 20_000, ".txt", snapshot, (*BOTH, GROUPS, REPORT)),
    Case("map entries of a description", 100_000, ".yaml", entries, (CHECK, CHECK + JSON, COMPILE)),
    Case("map entries of a tree", 100_000, ".dtb", tree_of_entries, BOTH),
    Case("windows of a description", 5_000, ".yaml", windows, (CHECK, CHECK + JSON, COMPILE, REPORT)),
    Case("windows of a tree", 5_000, ".dtb", tree_of_windows, BOTH),
    Case(
        "findings of a description",
        20_000,
        ".yaml",
        faults,
        (CHECK, CHECK + JSON, CHECK + SARIF, GROUPS, REPORT),
    ),
    Case("findings of a tree", 20_000, ".dtb", tree_of_faults, (*BOTH, VALIDATE + SARIF)),
)


def measured(case: Case, command: str, count: int, folder: Path) -> tuple[float, int]:
    """Processor seconds and peak bytes of a command in a process of its own."""
    for size in (TINY, count):
        file = folder / f"{size}{case.suffix}"
        if not file.exists():
            file.write_bytes(case.made(size))
    words = [command, str(folder / f"{TINY}{case.suffix}"), str(folder / f"{count}{case.suffix}")]
    done = subprocess.run(
        [sys.executable, "-m", "bench.linear", "--one", *words, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    took, peak = json.loads(done.stdout.splitlines()[-1])
    return took, peak


def once(command: str, small: str, large: str, folder: str) -> tuple[float, int]:
    """How much longer a command takes than with something small, and the peak of memory."""

    def run(name: str) -> None:
        words = [word.replace("OUT", folder).replace("FILE", name) for word in command.split()]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as told:
            status = rootplex(words)
        if status == 2 and "validate" not in command:
            raise SystemExit(told.getvalue()[-2000:])

    gc.set_threshold(COLLECT_EVERY)
    run(small)
    least = seconds(lambda: run(small))
    took = seconds(lambda: run(large)) - least
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def rows(scale: int, only: str) -> Iterator[str]:
    """The table's rows."""
    for case in CASES:
        for command in case.commands:
            if only not in f"{case.what}: {command}":
                continue
            count = case.size // scale
            with tempfile.TemporaryDirectory() as name:
                few, _ = measured(case, command, count // 10, Path(name))
                many, peak = measured(case, command, count, Path(name))
            said = (
                command.replace(" FILE", "")
                .replace(" -o OUT", "")
                .replace("/x.html", "")
                .replace(" --force", "")
            )
            each, before = 1000 * many / count, 1000 * few / (count // 10)
            yield (
                f"| {case.what} | {said} | {count:,} | {many:.1f} s | {each:.3f} ms | {each / before:.2f} | "
                f"{peak >> 20:,} MB |"
            )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--only", default="", help="rows that have this word")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(once(*arguments.one)))
        return 0
    now = datetime.now(tz=UTC).date()
    print(f"{now}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| items | command | count | time | each | growth | memory |\n|---|---|---|---|---|---|---|")
    for line in rows(arguments.scale, arguments.only):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
