"""`expect.when`: what is asserted of one firmware or kernel takes the place of what is asserted of all."""

from __future__ import annotations

import struct

import pytest

from rootplex.backends.compilation import compile_platform
from rootplex.jobs.check import check_text
from rootplex.jobs.describe import read_checked
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.model.bridge import Firmware

DESCRIPTION = """\
rootplex: 1
platform: {name: two-truths, arch: arm64, base: qemu-virt, oem: {id: HISI, table_id: HIP07, revision: 0}}
host_bridges:
  - name: main
    segment: 3
    bus_range: [0, 0xf]
    config: {base: 0x40_1000_0000}
    windows: [{space: mem32, pci: 0x1000_0000, size: 256MiB}]
    msi: {controller: its}
    iommu: {unit: smmu}
    dt: {segment: none}
    devices: [{name: nic, dev: 1, type: integrated-endpoint, msix: 2}]
expect:
  addresses: {nic: "0000:00:01.0"}
  findings: [RPX0801]
  when:
"""
ACPI = '    - {firmware: acpi, addresses: {nic: "0003:00:01.0"}}\n'
OLD = '    - {kernels: [linux-6.1], addresses: {nic: "0000:00:02.0"}}\n'


def checked(text: str, firmware: Firmware, kernel: str = "linux-7.2") -> Result:
    return check_text(text.encode(), "x.yaml", RunOptions(firmware=firmware, kernel=kernel))


def wrong(result: Result) -> list[str]:
    return [str(each.at) for each in result.findings if each.code == "RPX0042"]


@pytest.mark.parametrize("firmware", ["dt", "acpi"])
def test_each_firmware_has_its_own_truth(firmware: Firmware) -> None:
    assert wrong(checked(DESCRIPTION + ACPI, firmware)) == []


def test_what_a_kernel_does_not_meet_is_told_at_its_line() -> None:
    assert wrong(checked(DESCRIPTION + OLD, "dt")) == []
    (place,) = wrong(checked(DESCRIPTION + OLD, "dt", "linux-6.1"))
    assert f":{(DESCRIPTION + OLD).count(chr(10))}:" in place


def test_a_name_that_is_not_there_is_told() -> None:
    result = checked(DESCRIPTION + ACPI.replace("nic", "nik"), "dt")
    assert ["RPX0007"] == [each.code for each in result.findings if "nik" in each.message]


def test_the_oem_revision_is_in_the_tables_header() -> None:
    """Bytes 24 to 27 of every table (ACPI 6.5 §5.2.6)."""
    platform = read_checked((DESCRIPTION + ACPI).encode(), "x.yaml").platform
    assert platform is not None
    mcfg = compile_platform(platform, simulated_only=True).files["mcfg.aml"]
    assert struct.unpack_from("<6s8sI", mcfg, 10) == (b"HISI  ", b"HIP07   ", 0)
