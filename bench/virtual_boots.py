"""Random topologies with virtual functions, and with devices known by id, on real kernels.

    python -m bench.virtual_boots [--only enabled|known] [--arch A] [--dom0 linux-7.2] [--seed S]

Boots the themes `enabled` and `known` of `rootplex campaign` beside the simulation and writes what was
compared to `bench/virtual_boots.md`, a row as each set of boots ends; of fewer sets the other rows stay.
How many functions of each class of `known/linux.yaml` were booted stands below. Exit status 1 with a
difference.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import asdict

from rootplex.campaign.booted import boot
from rootplex.campaign.drawn import numbers, random_description
from rootplex.jobs.qemu.comparison import Comparison
from rootplex.known.devices import Identity, Row, known, rows
from rootplex.known.kernels import SUITES
from rootplex.known.kernels import profile as profile_named
from rootplex.model.device import Device
from rootplex.model.platform import Platform
from rootplex.tools import kernels
from rootplex.tools.images import Arch

SETS: tuple[tuple[str, Arch, str, range], ...] = (
    ("known", "arm64", "linux-7.2", range(7)),
    ("known", "x86_64", "linux-7.2", range(5)),
    ("enabled", "arm64", "linux-7.2", range(9)),
    ("enabled", "x86_64", "linux-7.2", range(7)),
    ("known", "arm64", "linux-6.12", range(7, 12)),
    ("known", "x86_64", "linux-6.12", range(5, 9)),
    ("known", "arm64", "linux-6.1", range(12, 17)),
    ("known", "x86_64", "linux-6.1", range(9, 13)),
    ("enabled", "arm64", "linux-6.12", range(9, 17)),
    ("enabled", "x86_64", "linux-6.12", range(7, 14)),
    ("enabled", "arm64", "linux-6.1", range(17, 25)),
    ("enabled", "x86_64", "linux-6.1", range(14, 21)),
)
"""Theme, machine, kernel, numbers: no topology twice. Of arm64's every third round boots by ACPI."""
FILE = Path(__file__).with_suffix(".md")
ROWS = "<!-- rows -->\n"
CLASSES = "<!-- classes -->\n"
END = "<!-- end -->\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=("enabled", "known"))
    parser.add_argument("--arch", choices=("arm64", "x86_64"))
    parser.add_argument("--dom0", choices=tuple(SUITES))
    parser.add_argument("--seed", type=int, default=20261135)
    arguments = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    differences = 0
    classes: Counter[str] = Counter()
    for theme, arch, profile, which in SETS:
        wanted = ((arguments.only, theme), (arguments.arch, arch), (arguments.dom0, profile))
        if any(asked not in (None, own) for asked, own in wanted):
            continue
        kernel = kernels.newest(cache, arch, profile)
        sums: Counter[str] = Counter()
        for number in numbers(arch, which.start, len(which), theme):
            made, compared = boot(random_description(arch, arguments.seed, number, themes=True), kernel)
            sums.update(boots=1, **asdict(compared.figures), **_virtual(made.platform))
            classes.update(_classes(made.platform, compared, profile))
            print(theme, arch, profile, number, f"{compared.figures.differences} differences", flush=True)
            for line in compared.lines:
                if line.state == "differs":
                    print("   ", line.what, line.subject, line.simulated, "/", line.booted, flush=True)
        differences += sums["differences"]
        figures = ("boots", "with_vfs", "vfs", "functions", "groups", "large_groups", "without_group",
                   "not_shown", "differences")  # fmt: skip
        _write(
            f"| {theme} | {arch} | {kernel.release} | {which.start}–{which.stop - 1} | {arguments.seed} | "
            + " | ".join(str(sums[name]) for name in figures)
            + f" | {time.strftime('%Y-%m-%d')} |\n",
            classes if theme == "known" else None,
        )
    return 1 if differences else 0


def _virtual(platform: Platform) -> dict[str, int]:
    """Whether VFs are switched on, or meant to be, and how many."""
    vfs = sum(device.sriov.enabled for _, device in platform.walk() if device.sriov is not None)
    return {"with_vfs": int(vfs > 0), "vfs": vfs}


def _classes(platform: Platform, compared: Comparison, profile: str) -> Iterator[str]:
    """What the kernel knows of each function that it saw as simulated: the classes of the data file."""
    seen = {
        (line.booted or "").partition(" ")[0]
        for line in compared.lines
        if line.what == "function" and line.state == "agreed"
    }
    for _, device in platform.walk():
        if f"{device.vendor:04x}:{device.device:04x}" in seen:
            for row in known(_identity(device), profile_named(profile).knows):
                yield _name(row)


def _identity(device: Device) -> Identity:
    return Identity(
        vendor=device.vendor,
        device=device.device,
        type=None if device.pcie_type is None else device.type,
        class_code=device.class_code,
        revision=device.revision,
        subsystem=device.subsystem,
    )


def _name(row: Row) -> str:
    effect = row.effect
    if isinstance(effect, int):
        effect = f"{effect:06x}"
    elif isinstance(effect, tuple):
        effect = ", ".join(f"{devfn:02x}" for devfn in effect)
    return f"{row.kind}: {effect} | `{row.source}`"


def _write(row: str, classes: Counter[str] | None) -> None:
    """The row in place of the one of the same theme, machine, kernel, numbers and seed; the classes whole."""
    text = FILE.read_text(encoding="utf-8")
    before, rest = text.split(ROWS)
    between, rest = rest.split(CLASSES)
    told, after = rest.split(END)
    head, *old = re.findall(r"\|.*\n\|-.*\n|\|.*\n", between)
    kept = [each for each in old if each.split("|")[1:6] != row.split("|")[1:6]]
    if classes is not None:
        told = "| class | the kernel's function | functions booted |\n|---|---|---|\n" + "".join(
            f"| {name} | {classes[name]} |\n" for name in dict.fromkeys(map(_name, rows()))
        )
    FILE.write_text(
        before + ROWS + head + "".join(sorted((*kept, row))) + CLASSES + told + END + after, encoding="utf-8"
    )


if __name__ == "__main__":
    sys.exit(main())
