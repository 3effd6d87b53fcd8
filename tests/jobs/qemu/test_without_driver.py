"""A kernel that has no driver for the IOMMU is told before it boots: its groups would all be missing."""

from __future__ import annotations

import pytest

from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.boot import without_driver

AMD = "{name: u, kind: amd-iommu, base: 0xfed8_0000}"


@pytest.mark.parametrize(
    ("unit", "release", "words"),
    [
        (AMD, "6.12.117+deb13-cloud-amd64", "no driver for AMD's IOMMU"),
        (AMD, "6.1.0-50-amd64", None),
        ("{name: u, kind: intel-vtd, base: 0xfed9_0000}", "6.1.0-50-cloud-amd64", None),
    ],
)
def test_a_kernel_without_the_iommus_driver_is_told(unit: str, release: str, words: str | None) -> None:
    text = f"""\
rootplex: 1
platform: {{name: pc, arch: x86_64, base: qemu-q35}}
iommus: [{unit}]
host_bridges: [{{name: main, segment: 0, config: {{base: 0xb000_0000}}, iommu: {{unit: u}}}}]
"""
    platform = read_checked(text.encode(), "pc.yaml").platform
    assert platform is not None
    told = without_driver(platform, release)
    assert (told is None) if words is None else (told is not None and words in told)
