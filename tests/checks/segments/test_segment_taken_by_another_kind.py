"""A second bridge written below a first one, with its segment: one error, whatever else the second lacks."""

from __future__ import annotations

import pytest

from rootplex.jobs.check import check_text
from rootplex.jobs.settings import RunOptions
from rootplex.source.finding import Level

BOARD = """rootplex: 1
platform: {name: board, arch: arm64, base: qemu-virt}
host_bridges:
  - name: pcie
    segment: 0
    config: {base: 0x40_1000_0000}
    windows: [{space: mem32, pci: 0x1000_0000, size: 256MiB}]
    msi: {controller: its}
    iommu: {unit: smmu}
    devices: [{name: net, dev: 1, model: "qemu:pcie-root-port"}]
  - name: second
    segment: 0
    config: {base: 0x50_0000_0000}
    windows: [{space: mem32, pci: 0x8000_0000, size: 16MiB}]
    MORE
    devices: [{name: port, dev: 1, model: "qemu:pcie-root-port"}]
"""


@pytest.mark.parametrize("firmware", ["dt", "acpi"])
@pytest.mark.parametrize("more", ["", "msi: {controller: its}", "bus_range: [0, 3]"])
def test_the_segment_is_the_one_error(more: str, firmware: str) -> None:
    """By ACPI the maps of a bridge are those of its segment: IORT has no other name for it."""
    options = RunOptions(firmware="dt" if firmware == "dt" else "acpi")
    result = check_text(BOARD.replace("MORE", more).encode(), "board.yaml", options)
    assert ["RPX0202"] == [each.code for each in result.findings if each.level is Level.ERROR]
