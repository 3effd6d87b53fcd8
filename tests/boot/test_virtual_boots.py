"""Virtual functions, switched on in a running kernel: their addresses, ACS and groups, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.boot.booting import InMemory, boot

from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.boot import abilities
from rootplex.jobs.qemu.preparation import prepare
from rootplex.known.kernels import SUITES
from rootplex.model.bridge import Firmware
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

pytestmark = pytest.mark.boot

DEVICES = """
    devices:
      - {dev: 1, type: root-port, acs: true, devices: [{name: apart, dev: 0, ari: true, acs: true,
         sriov: {total: 8, offset: 128, stride: 2, vf_id: 0x200, enabled: 4}}]}
      - {dev: 2, type: root-port, acs: true, devices: [{name: together, dev: 0, acs: true,
         sriov: {total: 8, offset: 250, stride: 2, vf_id: 0x201, enabled: 6, acs: false}}]}
      - {dev: 3, type: integrated-endpoint,
         sriov: {total: 8, offset: 8, stride: 2, vf_id: 0x202, enabled: 3, acs: [rr]}}
      - {dev: 6, type: root-port, devices: [{name: beyond, dev: 0,
         sriov: {total: 64, offset: 0x400, stride: 0x40, vf_id: 0x203, enabled: 64}}]}
"""
MACHINES = {
    "arm64": """
rootplex: 1
platform: {name: virtual, arch: arm64, base: qemu-virt, firmware: [dt, acpi]}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0xa]
    config: {base: 0x50_0000_0000}
    windows: [{space: mem32, pci: 0x10000000, size: 128MiB}]
    iommu: {unit: smmu}
""",
    "x86_64": """
rootplex: 1
platform: {name: virtual, arch: x86_64}
iommus: [{name: unit, kind: intel-vtd, base: 0xfec1_0000}]
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0xa]
    config: {base: 0x50_0000_0000}
    windows: [{space: mem32, pci: 0xc0000000, size: 128MiB}]
    iommu: {unit: unit}
""",
}

OWN = """
rootplex: 1
platform: {name: own, arch: arm64, base: qemu-virt}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0x40_1000_0000}
    windows:
      - {space: mem32, pci: 0x10000000, size: 0x2eff0000}
      - {space: mem64, pci: 0x80_0000_0000, size: 0x80_0000_0000}
    msi: {controller: its}
    iommu: {unit: smmu}
    devices:
      - {dev: 1, model: "qemu:pcie-root-port",
         devices: [{name: own, dev: 0, model: "qemu:MODEL", sriov: {enabled: 3}}]}
"""


@pytest.mark.parametrize(("model", "bars"), [("nvme-sriov", 1), ("igb", 2)])
def test_qemus_own_virtual_functions_have_bars(
    model: str,
    bars: int,
    tmp_path: Path,
    kernel: Callable[[Arch, str], Kernel],
    machine: Callable[[Arch, str], None],
) -> None:
    """The disk is read at the same time, by its own driver."""
    machine("arm64", "dt")
    booted = kernel("arm64", "linux-7.2")
    able = abilities("arm64")
    if model == "igb" and not able.has("8.2"):
        pytest.skip("this QEMU has no igb yet")
    platform = read_checked(OWN.replace("MODEL", model).encode(), "own.yaml").platform
    assert platform is not None
    compared, shown = boot(prepare(platform, "dt", "linux-7.2", abilities=able), booted, tmp_path)
    assert compared.agreed, shown
    told = {line.subject: line.booted for line in compared.lines if line.what == "BARs"}
    virtual = [sbdf for sbdf in told if sbdf > "0000:01:00.0"]
    assert len(virtual) == 3
    assert all((told[sbdf] or "").count("placed") == bars for sbdf in virtual)


@pytest.mark.parametrize("profile", SUITES)
@pytest.mark.parametrize(("arch", "firmware"), [("arm64", "dt"), ("x86_64", "acpi")])
def test_virtual_functions_come_up_as_simulated(
    arch: Arch, firmware: Firmware, profile: str, in_memory: InMemory
) -> None:
    compared = in_memory(MACHINES[arch] + DEVICES, arch, firmware, profile)
    found = [line.subject for line in compared.lines if line.what == "function"]
    virtual = [line for line in compared.lines if line.what == "function" and ":020" in (line.booted or "")]
    # Four apart, six on two buses, three beside their integrated PF; of 64 that reach too far none.
    assert len(virtual) == 13
    assert {"0000:01:10.6", "0000:02:1f.6", "0000:03:00.4", "0000:00:04.4"} <= set(found)
    groups = {line.booted for line in compared.lines if line.what == "group"}
    by_device_tree_of_old = arch == "arm64" and profile != "linux-7.2"
    assert ("0000:01:10.0" in groups) is not by_device_tree_of_old
