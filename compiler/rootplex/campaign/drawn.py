"""The random topologies of a seed by their numbers, as boards that are made when they are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml
from msgspec import Struct

from rootplex.campaign.machines import Unit, machine
from rootplex.campaign.themes import PC_THEMES, THEMES, themed, themed_pc
from rootplex.campaign.topologies import Description, description, on_riscv, x86_description
from rootplex.jobs.boards import Board, Item
from rootplex.model.bridge import Firmware
from rootplex.tools.images import Arch

SEED = 20170711
TOPOLOGIES: dict[Arch, int] = {"arm64": 60, "x86_64": 12, "riscv64": 20}
"""How many of each, where nothing else is asked for."""

USUAL: tuple[Arch, ...] = ("arm64", "x86_64")
"""The machines that are booted where none is named."""

NAMES: dict[Arch, tuple[str, ...]] = {
    "arm64": tuple(name for name, _ in THEMES),
    "x86_64": tuple(name for name, _ in PC_THEMES),
    "riscv64": tuple(name for name, _ in THEMES),
}
"""The themes of each, as their numbers go around."""


def numbers(arch: Arch, first: int, count: int, theme: str | None) -> range:
    """So many from `first` on; of one theme those that have it, none where the architecture has no such."""
    if theme is None:
        return range(first, first + count)
    if theme not in NAMES[arch]:
        return range(0)
    step, place = len(NAMES[arch]), NAMES[arch].index(theme)
    return range(place + first * step, place + (first + count) * step, step)


def firmware_of(arch: Arch, number: int) -> Firmware:
    """Of arm64's every third topology boots by ACPI, of a PC's every one, of riscv64's none."""
    return "acpi" if arch == "x86_64" or (arch == "arm64" and number % 3 == 2) else "dt"


def themed_firmware(number: int) -> Firmware:
    """Every third round of themes boots by ACPI."""
    return "acpi" if number // len(THEMES) % 3 == 2 else "dt"


def random_description(arch: Arch, seed: int, number: int, *, themes: bool = False) -> Description:
    """The topology of that number; `themes`: the one around a theme."""
    if arch == "riscv64":
        return on_riscv(themed(seed, number, "dt") if themes else description(seed, number, "dt"))
    if themes and arch == "x86_64":
        return themed_pc(seed, number)
    if themes:
        return themed(seed, number, themed_firmware(number))
    if arch == "x86_64":
        return x86_description(seed, number)
    return description(seed, number, firmware_of(arch, number))


def machine_of(arch: Arch, seed: int, number: int, unit: Unit) -> Description:
    """The machine of QEMU's own devices of that number. Of arm64's with a virtio-iommu every other one boots
    by ACPI."""
    return machine(seed, number, arch, unit, "dt" if arch == "arm64" and number % 2 == 0 else "acpi")


def text_of(whole: Description) -> bytes:
    """A description as its file has it."""
    return yaml.safe_dump(whole, sort_keys=False).encode()


class Drawn(Struct, frozen=True, kw_only=True):
    """The topologies of these numbers for each architecture, a board each, drawn anew whenever they are gone
    through; of QEMU's own devices behind that IOMMU where one is named."""

    seed: int
    numbers: Mapping[Arch, range]
    themes: bool = False
    unit: Unit | None = None

    def __len__(self) -> int:
        return sum(map(len, self.numbers.values()))

    def __iter__(self) -> Iterator[Board]:
        for arch, numbers in self.numbers.items():
            for number in numbers:
                if self.unit is None:
                    whole = random_description(arch, self.seed, number, themes=self.themes)
                else:
                    whole = machine_of(arch, self.seed, number, self.unit)
                yield Board((Item(f"{whole['platform']['name']}.yaml", None, text_of(whole)),))
