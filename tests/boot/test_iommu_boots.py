"""QEMU's own devices behind a virtio-iommu and behind AMD's IOMMU, booted: by device tree and by VIOT, with a
PCI bridge (whose cards a virtio-iommu does not know) and a disk that is read through it; by IVRS on a full
kernel. `python -m bench.iommu_boots` boots twenty random ones of each (bench/iommu_boots.md)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.boot.booting import boot, figures_of

from rootplex.campaign.booted import platform_of
from rootplex.campaign.drawn import machine_of
from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.preparation import prepare
from rootplex.model.bridge import Firmware
from rootplex.model.platform import Platform
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

pytestmark = pytest.mark.boot

BRIDGE = """\
      - name: br
        dev: 4
        model: "qemu:pcie-pci-bridge"
        devices: [{dev: 2, model: "qemu:pci-testdev"}]
"""
VIRT = f"""\
rootplex: 1
platform: {{name: viot, arch: arm64, base: qemu-virt}}
iommus: [{{name: viommu, kind: dt-node, compatible: ["virtio,pci-iommu"], parent: main, dev: 2, cells: 1}}]
host_bridges:
  - name: main
    segment: 0
    config: {{base: 0x40_1000_0000}}
    windows:
      - {{space: io, pci: 0x0, cpu: 0x3eff0000, size: 64KiB}}
      - {{space: mem32, pci: 0x10000000, size: 256MiB}}
      - {{space: mem64, pci: 0x80_0000_0000, size: 64GiB}}
    intx: {{controller: gic, irqs: [3, 4, 5, 6]}}
    msi: {{controller: its}}
    iommu: {{unit: viommu, map: [{{rid: 0, id: 0, count: 0x10}}, {{rid: 0x11, id: 0x11, count: 0xffef}}]}}
    devices:
      - {{dev: 0, model: "qemu:gpex-root"}}
      - {{name: vio, dev: 2, model: "qemu:virtio-iommu-pci"}}
      - name: rp
        dev: 3
        model: "qemu:pcie-root-port"
        devices: [{{name: disk, dev: 0, model: "qemu:nvme"}}]
{BRIDGE}xen: false
"""
ALONE = {"0000:00:00.0", "0000:00:03.0", "0000:00:04.0", "0000:01:00.0"}

Kernels = Callable[[Arch, str], Kernel]
Machine = Callable[[Arch, str], None]
Record = Callable[[str, object], None]


def _groups(platform: Platform, firmware: Firmware, kernel: Kernel, folder: Path, record: Record) -> set[str]:
    assert kernel.profile is not None
    compared, text = boot(prepare(platform, firmware, kernel.profile), kernel, folder)
    record("figures", figures_of(compared))
    assert compared.agreed, text
    return {line.booted or "" for line in compared.lines if line.what == "group" and line.state == "agreed"}


@pytest.mark.parametrize(
    ("firmware", "profile", "bridge", "groups"),
    [
        # No port has ACS on when functions are offered to their driver.
        ("dt", "linux-6.12", True, {"0000:00:00.0", "0000:00:03.0 0000:01:00.0", "0000:00:04.0"}),
        ("acpi", "linux-6.12", True, ALONE),
        ("dt", "linux-7.2", True, set()),  # given up for the card behind the bridge
        ("acpi", "linux-7.2", False, ALONE - {"0000:00:04.0"}),
    ],
)
def test_a_virtio_iommu_on_virt(
    firmware: Firmware,
    profile: str,
    bridge: bool,
    groups: set[str],
    kernel: Kernels,
    machine: Machine,
    tmp_path: Path,
    record_property: Record,
) -> None:
    machine("arm64", firmware)
    text = VIRT if bridge else VIRT.replace(BRIDGE, "")
    if not groups:  # a disk would wait for the IOMMU that does not come
        text = text.replace("qemu:nvme", "qemu:qemu-xhci")
    platform = read_checked(text.encode(), "viot.yaml").platform
    assert platform is not None
    booted = kernel("arm64", profile)
    assert groups == _groups(platform, firmware, booted, tmp_path, record_property)


def test_a_virtio_iommu_on_q35(
    kernel: Kernels, machine: Machine, tmp_path: Path, record_property: Record
) -> None:
    machine("x86_64", "acpi")
    platform = platform_of(machine_of("x86_64", 20261128, 0, "virtio"))
    booted = kernel("x86_64", "linux-7.2")
    assert _groups(platform, "acpi", booted, tmp_path, record_property)


def test_amds_iommu_on_q35(
    full_kernel: Kernels, machine: Machine, tmp_path: Path, record_property: Record
) -> None:
    machine("x86_64", "acpi")
    platform = platform_of(machine_of("x86_64", 20261128, 1, "amd"))
    booted = full_kernel("x86_64", "linux-6.1")
    assert any(" " in group for group in _groups(platform, "acpi", booted, tmp_path, record_property))
