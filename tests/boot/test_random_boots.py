"""Random topologies under a real kernel: devices, segments, bus numbers and groups as simulated.

`--topologies N --seed S` for longer runs. A mismatch is shrunk and printed with the smallest description
that still shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from tests.boot.booting import figures_of

from rootplex.campaign.booted import boot, platform_of, smallest
from rootplex.campaign.drawn import (
    SEED,
    TOPOLOGIES,
    firmware_of,
    random_description,
    text_of,
    themed_firmware,
)
from rootplex.campaign.themes import THEMES, themed_pc
from rootplex.campaign.themes import themed as themed_description
from rootplex.campaign.topologies import description, x86_description
from rootplex.jobs.qemu.preparation import prepare
from rootplex.report.boot import told
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

Kernels: TypeAlias = Callable[[Arch, str], Kernel]
Record: TypeAlias = Callable[[str, object], None]
Machine: TypeAlias = Callable[[Arch, str], None]

NEWER = 6
"""Every so manieth topology is booted on the newer kernel too."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    count = metafunc.config.getoption("--topologies")
    counts = {"arm64": count, "x86_64": -(-count * TOPOLOGIES["x86_64"] // TOPOLOGIES["arm64"])}
    if "themed" in metafunc.fixturenames:
        rounds = -(-count // TOPOLOGIES["arm64"])
        metafunc.parametrize("themed", range(rounds * len(THEMES)))
    for name, first, step in (("number", 0, 1), ("sixth", 1, NEWER)):
        if name in metafunc.fixturenames:
            cases = [(arch, each) for arch, most in counts.items() for each in range(first, most, step)]
            metafunc.parametrize(("arch", name), cases)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    value = request.config.getoption("--seed")
    assert isinstance(value, int)
    return value


@pytest.mark.boot
def test_a_kernel_sees_what_is_simulated(
    arch: Arch, seed: int, number: int, kernel: Kernels, machine: Machine, record_property: Record
) -> None:
    _boot(arch, seed, number, "linux-6.1", kernel, machine, record_property)


@pytest.mark.boot
@pytest.mark.parametrize("which", [3, 8])
def test_a_riscv_kernel_sees_what_is_simulated(
    seed: int, which: int, kernel: Kernels, machine: Machine, record_property: Record
) -> None:
    """Four host bridges, and bus numbers that firmware left."""
    _boot("riscv64", seed, which, "linux-6.12", kernel, machine, record_property)


@pytest.mark.boot
def test_a_newer_kernel_sees_what_is_simulated(
    arch: Arch, seed: int, sixth: int, kernel: Kernels, machine: Machine, record_property: Record
) -> None:
    _boot(arch, seed, sixth, "linux-7.2", kernel, machine, record_property)


@pytest.mark.boot
def test_a_kernel_that_keeps_firmwares_bus_numbers_on_a_device_tree(
    kernel: Kernels, machine: Machine, record_property: Record
) -> None:
    """Of the kernels only this one does; the topology has a port that firmware left without numbers."""
    _boot("arm64", 2026, 39, "linux-6.12", kernel, machine, record_property)


@pytest.mark.boot
def test_a_kernel_sees_what_is_simulated_around_a_theme(
    seed: int, themed: int, kernel: Kernels, machine: Machine, record_property: Record
) -> None:
    """Firmware's bus numbers, masks, SMMUs, hot-plug ports, SR-IOV, ARI, buses that run out, words of
    pci=."""
    _boot("arm64", seed, themed, "linux-7.2", kernel, machine, record_property, themes=True)


def _boot(
    arch: Arch,
    seed: int,
    number: int,
    profile: str,
    kernel: Kernels,
    machine: Machine,
    record: Record,
    *,
    themes: bool = False,
) -> None:
    machine(arch, themed_firmware(number) if themes else firmware_of(arch, number))
    booted = kernel(arch, profile)
    whole = random_description(arch, seed, number, themes=themes)
    made, compared = boot(whole, booted)
    record("figures", figures_of(compared))
    if not compared.agreed:
        differing = "\n".join(
            text for line in compared.lines if line.state == "differs" for text in told(line, made)
        )
        less = text_of(smallest(whole, booted)).decode()
        pytest.fail(f"{differing}\n\n{less}", pytrace=False)


def test_sixty_topologies_hold_enough_to_compare(program: Callable[[str], str]) -> None:
    """20 by ACPI; 150 groups of two or more, by the simulation that the boots agree with."""
    program("iasl")
    program("acpiexec")
    by_acpi, large = 0, 0
    for number in range(TOPOLOGIES["arm64"]):
        firmware = firmware_of("arm64", number)
        whole = platform_of(random_description("arm64", SEED, number))
        made = prepare(whole, firmware, "linux-6.1", in_memory=True)
        by_acpi += firmware == "acpi"
        large += sum(len(group) > 1 for group in made.expected.groups)
    assert by_acpi >= 20
    assert large >= 150


def test_the_same_seed_makes_the_same_topology() -> None:
    assert description(1, 7, "dt") == description(1, 7, "dt")
    assert description(1, 7, "dt") != description(2, 7, "dt")
    assert x86_description(1, 7) == x86_description(1, 7)
    assert x86_description(1, 7) != x86_description(2, 7)
    assert themed_description(1, 7, "dt") == themed_description(1, 7, "dt")
    assert themed_description(1, 7, "dt") != themed_description(2, 7, "dt")
    assert themed_pc(1, 7) == themed_pc(1, 7)
    assert themed_pc(1, 7) != themed_pc(2, 7)


def test_each_theme_makes_descriptions_without_faults() -> None:
    """Also what it is about: several SMMUs, slots, VFs, words of the command line."""
    wholes = [themed_description(5, number, "dt") for number in range(2 * len(THEMES))]
    platforms = [platform_of(whole) for whole in wholes]
    assert any(len(platform.iommus) > 1 for platform in platforms)
    assert any(device.hotplug for platform in platforms for _, device in platform.walk())
    assert any(device.sriov for platform in platforms for _, device in platform.walk())
    assert any(platform.bootargs for platform in platforms)
