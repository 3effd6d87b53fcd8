"""Every bundled topology that a QEMU can be, under a real kernel: on QEMU's devices, else in guest memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.boot.booting import boot, figures_of
from tests.topologies.test_readme import block

from rootplex.backends.qemu import arguments
from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.boot import abilities
from rootplex.jobs.qemu.preparation import on_qemu, prepare
from rootplex.model.bridge import Firmware
from rootplex.model.platform import Platform
from rootplex.source.shipped import shipped_folder
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

pytestmark = pytest.mark.boot

Kernels: TypeAlias = Callable[[Arch, str], Kernel]
Record: TypeAlias = Callable[[str, object], None]
Machine: TypeAlias = Callable[[Arch, str], None]

GENERATED = Path(__file__).resolve().parents[2] / "generated"
KERNELS = {"qemu-riscv-virt": "linux-6.12", "qemu-riscv-iommu": "linux-7.2", "qemu-virtio-iommu": "linux-7.2"}
"""Riscv64 came with Debian 13, and the driver of its IOMMU with Linux 6.13; Debian's 6.1 has none for a
virtio-iommu, and 6.12 takes the disk before its port or after it, by chance."""
FULL = {"q35-amd"}
"""Its IOMMU has a driver in the full kernel alone."""
WANTS: dict[str, tuple[int, int]] = {"qemu-riscv-iommu": (10, 0)}
"""The first QEMU that has all of the machine."""

NAMES = sorted(path.stem for path in shipped_folder("topologies").glob("*.yaml"))
MADE: dict[Firmware, str] = {"dt": "{}.dtb", "acpi": "ssdt.aml"}
DESCRIBED = [
    (name, firmware)
    for name in NAMES
    for firmware, file in MADE.items()
    if (GENERATED / name / file.format(name)).exists()
]


def bundled(name: str) -> Platform:
    path = shipped_folder("topologies") / f"{name}.yaml"
    platform = read_checked(path.read_bytes(), str(path)).platform
    assert platform is not None
    return platform


@pytest.mark.parametrize(("name", "firmware"), DESCRIBED)
def test_a_bundled_topology_boots_as_simulated(
    name: str,
    firmware: Firmware,
    tmp_path: Path,
    kernel: Kernels,
    full_kernel: Kernels,
    machine: Machine,
    record_property: Record,
) -> None:
    platform = bundled(name)
    if abilities(platform.arch).version < WANTS.get(name, (0, 0)):
        pytest.skip(f"{name} wants QEMU {'.'.join(map(str, WANTS[name]))}")
    _boots(
        platform,
        firmware,
        KERNELS.get(name, "linux-6.1"),
        bool(arguments(platform)[1]),
        tmp_path,
        full_kernel if name in FULL else kernel,
        machine,
        record_property,
    )


@pytest.mark.parametrize("firmware", ["dt", "acpi"])
@pytest.mark.parametrize("name", ["qemu-virt", "qemu-switches", "qemu-virt-three-segments"])
def test_a_newer_kernel_agrees(
    name: str, firmware: Firmware, tmp_path: Path, kernel: Kernels, machine: Machine, record_property: Record
) -> None:
    _boots(bundled(name), firmware, "linux-7.2", False, tmp_path, kernel, machine, record_property)


@pytest.mark.parametrize(("name", "firmware"), [("qemu-switches", "dt"), ("q35", "acpi")])
def test_what_qemu_has_can_go_into_memory_too(
    name: str, firmware: Firmware, tmp_path: Path, kernel: Kernels, machine: Machine, record_property: Record
) -> None:
    _boots(bundled(name), firmware, "linux-6.1", True, tmp_path, kernel, machine, record_property)


def _boots(
    platform: Platform,
    firmware: Firmware,
    profile: str,
    in_memory: bool,
    folder: Path,
    kernel: Kernels,
    machine: Machine,
    record: Record,
) -> None:
    arch: Arch = "arm64" if platform.arch == "arm" else platform.arch
    machine(arch, firmware)
    booted = kernel(arch, profile)
    compared, text = boot(prepare(platform, firmware, profile, in_memory=in_memory), booted, folder)
    record("figures", figures_of(compared))
    assert compared.agreed, text
    assert compared.figures.functions > 0


@pytest.mark.parametrize("firmware", ["dt", "acpi"])
def test_disks_on_three_segments_are_read(
    firmware: Firmware, tmp_path: Path, kernel: Kernels, machine: Machine
) -> None:
    """DMA and messages work behind each host bridge; the addresses are those of the recipe."""
    machine("arm64", firmware)
    booted = kernel("arm64", "linux-6.1")
    compared, text = boot(
        prepare(bundled("qemu-virt-three-segments"), firmware, "linux-6.1"), booted, tmp_path
    )
    assert {line.subject: line.booted for line in compared.lines if line.what == "disk"} == {
        f"{place}:00.0": f"rootplex qemu-virt-three-segments {disk}"
        for place, disk in (("0000:01", "disk0"), ("0001:41", "disk1"), ("0002:81", "disk2"))
    }, text


def test_the_readmes_example_boots_as_it_stands(tmp_path: Path, kernel: Kernels, machine: Machine) -> None:
    """Once mended; its ports are given by type alone."""
    machine("arm64", "dt")
    mended = block("yaml").replace("    acpi: {segment: 2}", "    #")
    platform, changes = on_qemu(read_checked(mended.encode(), "two-segments.yaml"), in_memory=False)
    booted = kernel("arm64", "linux-7.2")
    compared, text = boot(prepare(platform, "dt", "linux-7.2", changes=changes), booted, tmp_path)
    assert compared.agreed, text
    assert 2 == compared.figures.bridges
