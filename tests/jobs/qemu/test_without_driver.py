"""A kernel that has no driver for the IOMMU is told before it boots: its groups would all be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.boot import without_driver
from rootplex.tools.kernels import Kernel

VIRTIO = '{name: u, kind: dt-node, compatible: ["virtio,pci-iommu"], parent: main, dev: 3, cells: 1}'
AMD = "{name: u, kind: amd-iommu, base: 0xfed8_0000}"


@pytest.mark.parametrize(
    ("unit", "release", "words"),
    [
        (AMD, "6.12.117+deb13-cloud-amd64", "no driver for AMD's IOMMU"),
        (AMD, "6.1.0-50-amd64", None),
        ("{name: u, kind: intel-vtd, base: 0xfed9_0000}", "6.1.0-50-cloud-amd64", None),
        (VIRTIO, "6.1.0-50-cloud-amd64", "without a driver for a virtio-iommu"),
        (VIRTIO, "6.12.117+deb13-cloud-amd64", None),
    ],
)
def test_a_kernel_without_the_iommus_driver_is_told(
    unit: str, release: str, words: str | None, tmp_path: Path
) -> None:
    text = f"""\
rootplex: 1
platform: {{name: pc, arch: x86_64, base: qemu-q35}}
iommus: [{unit}]
host_bridges: [{{name: main, segment: 0, config: {{base: 0xb000_0000}}, iommu: {{unit: u}}}}]
"""
    platform = read_checked(text.encode(), "pc.yaml").platform
    assert platform is not None
    modules = (tmp_path / "00-virtio-iommu.ko",) if "6.12" in release else ()
    kernel = Kernel("x86_64", release, None, tmp_path, tmp_path, modules)
    told = without_driver(platform, kernel)
    assert (told is None) if words is None else (told is not None and words in told)


@pytest.mark.parametrize(
    ("release", "is_told"), [("6.12.117+deb13-riscv64", True), ("7.2.13-riscv64", False)]
)
def test_riscvs_iommu_has_a_driver_in_newer_kernels(release: str, is_told: bool, tmp_path: Path) -> None:
    """drivers/iommu/riscv came with 6.13."""
    text = """\
rootplex: 1
platform: {name: board, arch: riscv64, base: qemu-riscv-virt}
host_bridges: [{name: main, segment: 0, config: {base: 0x3000_0000}, iommu: {unit: iommu}}]
"""
    platform = read_checked(text.encode(), "board.yaml").platform
    assert platform is not None
    kernel = Kernel("riscv64", release, None, tmp_path, tmp_path)
    assert (without_driver(platform, kernel) is not None) is is_told
