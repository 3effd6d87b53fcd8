"""Random topologies with virtual functions, and with devices known by id, on real kernels.

    python -m bench.virtual_boots [--only enabled|known|drivers] [--arch A] [--dom0 linux-7.2] [--seed S]

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
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from msgspec.structs import asdict

from rootplex.campaign.booted import boot
from rootplex.campaign.drawn import numbers, random_description
from rootplex.campaign.topologies import Description
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
DRIVERS = """
rootplex: 1
platform: {name: drivers, arch: arm64, base: qemu-virt, firmware: [dt]}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0xa]
    config: {base: 0x50_0000_0000}
    windows: [{space: mem32, pci: 0x10000000, size: 128MiB}]
    iommu: {unit: smmu}
    devices:
      - {dev: 1, type: root-port, acs: true, id: "17cb:0101", class: 0, devices: [{dev: 0}]}
      - {dev: 2, type: root-port, acs: true, id: "17cb:0107", class: 0x118000, devices: [{dev: 0}]}
      - {dev: 3, type: root-port, acs: true, id: "10de:0bf0", class: 0, devices: [{dev: 0}]}
      - {dev: 4, type: root-port, acs: true, id: "10de:0e1d", class: 0x058000, devices: [{dev: 0}]}
"""
"""Fix-ups of classes that are in the driver of a host bridge: those whose driver Debian's full kernel has."""
FILE = Path(__file__).with_suffix(".md")
ROWS = "<!-- rows -->\n"
CLASSES = "<!-- classes -->\n"
END = "<!-- end -->\n"
CLASSES_HEAD = "| class | the kernel's function | functions booted |\n|---|---|---|\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=("enabled", "known", "drivers"))
    parser.add_argument("--arch", choices=("arm64", "x86_64"))
    parser.add_argument("--dom0", choices=tuple(SUITES))
    parser.add_argument("--seed", type=int, default=20261135)
    arguments = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    differences = 0
    classes: Counter[str] = Counter()
    for theme, arch, profile, which in (*SETS, ("drivers", "arm64", "linux-6.12", range(1))):
        wanted = ((arguments.only, theme), (arguments.arch, arch), (arguments.dom0, profile))
        if any(asked not in (None, own) for asked, own in wanted):
            continue
        kernel = kernels.newest(cache, arch, profile, full=theme == "drivers")
        sums: Counter[str] = Counter()
        for whole in _drawn(theme, arch, which, arguments.seed):
            made, compared = boot(whole, kernel)
            sums.update(boots=1, **asdict(compared.figures), **_virtual(made.platform))
            classes.update(_classes(made.platform, compared, profile))
            print(theme, arch, profile, made.platform.name, f"{compared.figures.differences} differences")
            for line in compared.lines:
                if line.state == "differs":
                    print("   ", line.what, line.subject, line.simulated, "/", line.booted)
            sys.stdout.flush()
        differences += sums["differences"]
        figures = ("boots", "with_vfs", "vfs", "functions", "groups", "large_groups", "without_group",
                   "not_shown", "differences")  # fmt: skip
        _write(
            f"| {theme} | {arch} | {kernel.release} | {which.start}–{which.stop - 1} | {arguments.seed} | "
            + " | ".join(str(sums[name]) for name in figures)
            + f" | {time.strftime('%Y-%m-%d')} |\n",
            classes,
        )
    return 1 if differences else 0


def _drawn(theme: str, arch: Arch, which: range, seed: int) -> Iterator[Description]:
    if theme == "drivers":
        yield yaml.safe_load(DRIVERS)
        return
    for number in numbers(arch, which.start, len(which), theme):
        yield random_description(arch, seed, number, themes=True)


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


def _write(row: str, classes: Mapping[str, int]) -> None:
    """The row in place of the one of the same theme, machine, kernel, numbers and seed; of classes that were
    not booted this time the figure stays."""
    text = FILE.read_text(encoding="utf-8")
    before, rest = text.split(ROWS)
    between, rest = rest.split(CLASSES)
    told, after = rest.split(END)
    head, *old = re.findall(r"\|.*\n\|-.*\n|\|.*\n", between)
    kept = [each for each in old if each.split("|")[1:6] != row.split("|")[1:6]]
    figures = {name: int(count) for name, count in re.findall(r"^\| (.*) \| (\d+) \|$", told, re.MULTILINE)}
    figures |= classes
    listed = "".join(f"| {name} | {figures.get(name, 0)} |\n" for name in dict.fromkeys(map(_name, rows())))
    whole = (before, ROWS, head, *sorted((*kept, row)), CLASSES, CLASSES_HEAD, listed, END, after)
    FILE.write_text("".join(whole), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
