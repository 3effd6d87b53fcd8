"""Random machines behind a virtio-iommu and behind AMD's IOMMU, on real kernels beside the simulation.

    python -m bench.iommu_boots [--only virtio|amd] [--arch A] [--dom0 linux-7.2] [--seed S]

Boots QEMU's own devices (`campaign --iommu`) and writes what was compared to `bench/iommu_boots.md`, a row as
each set of boots ends; of fewer sets the other rows stay. Exit status 1 with a difference.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from msgspec.structs import asdict

from rootplex.campaign.booted import boot
from rootplex.campaign.drawn import machine_of
from rootplex.campaign.machines import Unit
from rootplex.known.kernels import SUITES
from rootplex.report.campaign import sentence
from rootplex.tools import kernels
from rootplex.tools.images import Arch

SETS: tuple[tuple[Unit, Arch, str, range], ...] = (
    ("virtio", "arm64", "linux-6.12", range(7)),
    ("virtio", "arm64", "linux-7.2", range(7, 14)),
    ("virtio", "x86_64", "linux-6.12", range(4)),
    ("virtio", "x86_64", "linux-7.2", range(4, 8)),
    ("amd", "x86_64", "linux-6.1", range(11)),
    ("amd", "x86_64", "linux-6.12", range(11, 22)),
    ("amd", "x86_64", "linux-7.2", range(22, 28)),
)
"""IOMMU, machine, kernel, numbers. Of arm64's the even numbers boot by device tree, the odd ones by ACPI with
edk2; a PC boots by ACPI with SeaBIOS. Our tables take the place of QEMU's."""
FILE = Path(__file__).with_suffix(".md")
HEAD = """\
# Random machines behind a virtio-iommu and behind AMD's IOMMU

Written by `python -m bench.iommu_boots`: machines of QEMU's own devices (`rootplex campaign --iommu`), booted
by Debian's kernels; of arm64's with even numbers by device tree, all others by ACPI with our tables in place
of QEMU's. Host bridges, windows, functions, bus numbers, BARs, ACS and groups are compared.

| IOMMU | machine | kernel | numbers | seed | compared | QEMU | where and when |
|---|---|---|---|---|---|---|---|
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=("virtio", "amd"))
    parser.add_argument("--arch", choices=("arm64", "x86_64"))
    parser.add_argument("--dom0", choices=tuple(SUITES))
    parser.add_argument("--seed", type=int, default=20261128)
    arguments = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    differences = 0
    for unit, arch, profile, numbers in SETS:
        wanted = ((arguments.only, unit), (arguments.arch, arch), (arguments.dom0, profile))
        if any(asked not in (None, own) for asked, own in wanted):
            continue
        kernel = kernels.newest(cache, arch, profile, full=unit == "amd")
        sums: Counter[str] = Counter()
        start = time.monotonic()
        for number in numbers:
            _, compared = boot(machine_of(arch, arguments.seed, number, unit), kernel)
            sums["topologies"] += 1
            sums.update(asdict(compared.figures))
            print(unit, arch, profile, number, f"{compared.figures.differences} differences", flush=True)
            for line in compared.lines:
                if line.state == "differs":
                    print("   ", line.what, line.subject, line.simulated, "/", line.booted, flush=True)
        differences += sums["differences"]
        took = f"{(time.monotonic() - start) / 60:.0f} min"
        _write(
            f"| {unit} | {arch} | {kernel.release} | {numbers.start}–{numbers.stop - 1} | {arguments.seed} | "
            f"{sentence(sums)} | {_qemu(arch)} | {_here()}, {time.strftime('%Y-%m-%d')}, {took} |\n"
        )
    return 1 if differences else 0


def _write(row: str) -> None:
    """The row, in place of the one of the same IOMMU, machine and kernel."""
    rows = FILE.read_text(encoding="utf-8").splitlines(keepends=True) if FILE.exists() else []
    kept = [each for each in rows if each.startswith(("| virtio |", "| amd |"))]
    key = row.split("|")[1:4]
    kept = [each for each in kept if each.split("|")[1:4] != key]
    FILE.write_text(HEAD + "".join(sorted((*kept, row))), encoding="utf-8")


def _qemu(arch: Arch) -> str:
    program = {"arm64": "qemu-system-aarch64", "x86_64": "qemu-system-x86_64"}[arch]
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version ([\d.]+)", told)
    return "?" if found is None else found[1]


def _here() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"


if __name__ == "__main__":
    sys.exit(main())
