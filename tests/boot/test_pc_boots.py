"""What only PCs have, under a real kernel: every difference that boots once showed is compared here again.

A bridge that `_CBA` alone tells of, MCFG narrower than the buses, the window below a megabyte, two bridges of
one segment and first bus (the later MCFG entry counts), a unit of AMD's, a segment without a unit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.boot.booting import boot, figures_of

from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.preparation import prepare
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

pytestmark = pytest.mark.boot

PC = b"""\
rootplex: 1
platform: {name: pc, arch: x86_64}
iommus:
  - {name: one, kind: intel-vtd, base: 0xfed9_0000}
  - {name: two, kind: amd-iommu, base: 0xfed9_1000}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0xe000_0000}
    windows:
      - {space: io, pci: 0x0, size: 0xcf8}
      - {space: io, pci: 0xd00, size: 0xf300}
      - {space: mem32, pci: 0xa_0000, size: 0x2_0000}
      - {space: mem32, pci: 0xc000_0000, size: 256MiB}
      - {space: mem64, pci: 0x40_0000_0000, size: 64GiB, prefetchable: true}
    iommu: {unit: one}
    devices:
      - {dev: 0, type: host-bridge-function}
      - {dev: 1, type: root-port, acs: true, devices: [{dev: 0, type: endpoint}]}
  - name: again
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0xe400_0000}
    windows: []
    acpi: {uid: 7}
    iommu: {unit: one}
    devices:
      - {dev: 2, type: root-port, devices: [{dev: 0, type: endpoint}, {dev: 0, fn: 1, type: endpoint}]}
  - name: second
    segment: 1
    bus_range: [0x10, 0xff]
    config: {base: 0x10_0000_0000}
    windows: [{space: mem32, pci: 0xa000_0000, cpu: 0x60_0000_0000, size: 64MiB}]
    iommu: {unit: two}
    hot_pluggable: true
    acpi: {cba: true}
    devices:
      - {dev: 2, type: pcie-to-pci-bridge, devices: [{dev: 3, type: pci}, {dev: 4, type: pci}]}
      - {dev: 5, type: root-port, acs: [], devices: [{dev: 0, type: endpoint, class: nvme}]}
      - {dev: 6, type: root-port, acs: true, devices: [{dev: 0, type: endpoint}]}
  - name: third
    segment: 0x1234
    bus_range: [0x80, 0x8f]
    config: {base: 0x11_0000_0000}
    acpi: {mcfg: [0x80, 0x83]}
    windows: []
    devices:
      - {dev: 5, type: root-port, acs: true, devices: [{dev: 0, type: endpoint}]}
"""


def test_a_pc_boots_as_simulated(
    tmp_path: Path,
    kernel: Callable[[Arch, str], Kernel],
    machine: Callable[[Arch, str], None],
    record_property: Callable[[str, object], None],
) -> None:
    machine("x86_64", "acpi")
    booted = kernel("x86_64", "linux-6.1")
    platform = read_checked(PC, "pc.yaml").platform
    assert platform is not None
    compared, text = boot(prepare(platform, "acpi", "linux-6.1", in_memory=True), booted, tmp_path)
    record_property("figures", figures_of(compared))
    assert compared.agreed, text
    # QEMU's one unit is that of segment 1, which has the most functions; the others have no groups.
    groups = {line.booted for line in compared.lines if line.what == "group" and line.state == "agreed"}
    assert "0001:10:02.0 0001:11:03.0 0001:11:04.0" in groups
    assert all(group is not None and group.startswith("0001:") for group in groups)
    # The later of two MCFG entries is where the kernel looks: `again` has the buses.
    found = {line.subject for line in compared.lines if line.what == "function"}
    assert {"0000:00:02.0", "0000:01:00.1"} <= found
    assert "0000:00:01.0" not in found
