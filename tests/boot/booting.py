"""A description booted and compared: what the boot tests and `bench/boots.py` share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from msgspec.structs import asdict
from tests.boot.random_themes import THEMES, themed, themed_pc
from tests.boot.random_topologies import Description, description, smaller, x86_description

from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.boot import comparison, has_several_smmus, run
from rootplex.jobs.qemu.comparison import Comparison
from rootplex.jobs.qemu.files import files
from rootplex.jobs.qemu.preparation import Preparation, prepare
from rootplex.model.platform import Platform
from rootplex.report.boot import lines
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

SEED = 20170711
TOPOLOGIES: dict[Arch, int] = {"arm64": 60, "x86_64": 12}
FIGURES = ("topologies", "functions", "groups", "large_groups", "without_group", "differences")

Firmware = Literal["dt", "acpi"]


def firmware_of(arch: Arch, number: int) -> Firmware:
    """Every third topology boots by ACPI, and every one of a PC."""
    return "acpi" if arch == "x86_64" or number % 3 == 2 else "dt"


def random_description(arch: Arch, seed: int, number: int, *, themes: bool = False) -> Description:
    """The topology of that number; `themes`: the one around a theme."""
    if themes and arch == "x86_64":
        return themed_pc(seed, number)
    if themes:
        return themed(seed, number, themed_firmware(number))
    if arch == "x86_64":
        return x86_description(seed, number)
    return description(seed, number, firmware_of(arch, number))


def themed_firmware(number: int) -> Firmware:
    """Every third round of themes boots by ACPI."""
    return "acpi" if number // len(THEMES) % 3 == 2 else "dt"


def platform_of(whole: Description) -> Platform:
    """A description as the compiler reads it; AssertionError where it is none."""
    checked = read_checked(yaml.safe_dump(whole, sort_keys=False).encode(), "random.yaml")
    assert checked.is_sound, checked.findings
    assert checked.platform is not None
    return checked.platform


def boot(
    made: Preparation, kernel: Kernel, folder: Path, alter: Mapping[str, bytes] | None = None
) -> tuple[Comparison, str]:
    """Boot in a folder, `alter` in place of the prepared files; the comparison and its text."""
    for name, data in {**files(made), **(alter or {})}.items():
        (folder / name).write_bytes(data)
    found = run(made, kernel, folder)
    compared = comparison(made, found)
    return compared, "\n".join(lines(made, found, compared))


def boot_random(whole: Description, kernel: Kernel) -> tuple[Comparison, str]:
    """A random description in guest memory, by its one firmware. The console of a boot that fails stays."""
    platform = platform_of(whole)
    assert kernel.profile is not None
    made = prepare(
        platform, platform.firmware[0], kernel.profile, in_memory=True, several_smmus=has_several_smmus()
    )
    with tempfile.TemporaryDirectory(prefix="rootplex-boot-") as name:
        return boot(made, kernel, Path(name))


def smallest(whole: Description, kernel: Kernel, boots: int = 40) -> tuple[Description, str]:
    """The smallest description that still shows a difference, found in so many boots at most."""
    text = ""
    for _ in range(boots):
        for less in _bounded(smaller(whole), boots):
            boots -= 1
            compared, shown = boot_random(less, kernel)
            if not compared.agreed:
                whole, text = less, shown
                break
        else:
            break
    return whole, text


def _bounded(items: Iterator[Description], count: int) -> Iterator[Description]:
    for _, item in zip(range(max(0, count)), items, strict=False):
        yield item


def totals(found: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The figures of many comparisons, added."""
    return {"topologies": len(found)} | {
        key: sum(int(each[key]) for each in found) for key in FIGURES if key != "topologies"
    }


def sentence(sums: Mapping[str, int]) -> str:
    """The figures as the README has them."""
    return (
        f"{sums['topologies']} topologies, {sums['functions']} functions, {sums['groups']} groups "
        f"({sums['large_groups']} of two or more), {sums['without_group']} functions without a group, "
        f"{sums['differences']} differences"
    )


def figures_of(compared: Comparison) -> dict[str, int]:
    return asdict(compared.figures)


def random_boots(
    seed: int, numbers: range, kernel: Kernel, told: Callable[[str], None], *, themes: bool = False
) -> list[dict[str, int]]:
    """Boot the topologies of these numbers for the kernel's architecture; the figures of each."""
    found = []
    for number in numbers:
        whole = random_description(kernel.arch, seed, number, themes=themes)
        compared, text = boot_random(whole, kernel)
        figures = figures_of(compared)
        (firmware,) = whole["platform"].get("firmware", ("acpi",))
        told(f"{kernel.arch} {number} {firmware}: {text.splitlines()[-1]}" if compared.agreed else text)
        found.append(figures)
    return found
