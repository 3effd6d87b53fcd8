"""Devices that the kernel knows by id, under a real one: what it makes of them is what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.boot.booting import InMemory, boot
from tests.boot.test_virtual_boots import MACHINES

from rootplex.backends.compilation import compile_platform
from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.preparation import prepare
from rootplex.model.bridge import Firmware
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

pytestmark = pytest.mark.boot

DEVICES = """
    devices:
      - {dev: 1, fn: 0, type: root-port, acs: true, id: "8086:a110"}
      - {dev: 1, fn: 1, type: root-port, acs: [rr, cr], id: "8086:a111"}
      - {dev: 2, fn: 0, type: root-port, acs: true, id: "8086:8c10"}
      - {dev: 2, fn: 1, type: root-port, id: "8086:8c12"}
      - {dev: 3, fn: 0, type: pci, id: "1002:4385"}
      - {dev: 3, fn: 1, type: pci, id: "1002:439c"}
      - {dev: 4, fn: 0, type: root-port, acs: true, id: "1d17:0722"}
      - {dev: 4, fn: 1, type: root-port, id: "177d:a7ff"}
      - {dev: 5, type: root-port, acs: true, devices: [
         {dev: 0, fn: 0, id: "1b4b:9172", acs: true}, {dev: 0, fn: 1, id: "8086:1521"}]}
      - {dev: 6, type: root-port, acs: true, devices: [
         {dev: 0, type: pci-bridge, id: "1b21:1080", devices: [{dev: 2, type: pci}, {dev: 3, type: pci}]}]}
      - {dev: 7, type: root-port, acs: true, devices: [
         {dev: 0, type: pcie-to-pci-bridge, id: "1a03:1150",
          devices: [{dev: 0, type: pci}, {dev: 2, type: pci}]}]}
"""


@pytest.mark.parametrize(
    ("arch", "firmware", "profile"),
    [("arm64", "dt", "linux-7.2"), ("x86_64", "acpi", "linux-6.12"), ("x86_64", "acpi", "linux-7.2")],
)
def test_devices_known_by_id_are_grouped_as_simulated(
    arch: Arch, firmware: Firmware, profile: str, in_memory: InMemory
) -> None:
    compared = in_memory(MACHINES[arch] + DEVICES, arch, firmware, profile)
    groups = {line.booted for line in compared.lines if line.what == "group"}
    apart = {"0000:00:01.0", "0000:00:02.0", "0000:00:02.1"}
    assert apart <= groups  # ACS with dwords, and the chipset's own registers
    assert "0000:00:03.0 0000:00:03.1" in groups  # a southbridge without an IVRS


def test_southbridges_isolate_where_there_is_an_ivrs(
    tmp_path: Path, kernel: Callable[[Arch, str], Kernel], machine: Callable[[Arch, str], None]
) -> None:
    """The table is enough, a unit that translates is not asked for: VT-d's makes the groups here."""
    machine("x86_64", "acpi")
    booted = kernel("x86_64", "linux-7.2")
    amd = "iommus: [{name: amd, kind: amd-iommu, base: 0xfed8_0000}, "
    text = MACHINES["x86_64"].replace("iommus: [", amd) + (
        "    devices:\n"
        '      - {dev: 3, fn: 0, type: pci, id: "1002:4385"}\n'
        '      - {dev: 3, fn: 1, type: pci, id: "1002:439c"}\n'
    )
    platform = read_checked(text.encode(), "southbridge.yaml").platform
    assert platform is not None
    made = prepare(platform, "acpi", "linux-7.2", in_memory=True)
    ivrs = compile_platform(platform).files["ivrs.aml"]
    compared, shown = boot(replace(made, files={**made.files, "ivrs.aml": ivrs}), booted, tmp_path)
    groups = {line.booted for line in compared.lines if line.what == "group" and line.booted}
    assert groups == {"0000:00:03.0", "0000:00:03.1"} == {" ".join(group) for group in made.described}, shown
