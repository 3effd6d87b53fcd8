"""Every bundled topology booted by each of its firmwares with a kernel of today and one of yesterday: what
`check` reports is what the description expects of that boot, and no boot dies without a finding.
"""

from __future__ import annotations

from functools import cache

import pytest
from tests.topologies.bundled import NAMES, checked, platform_of

from rootplex.jobs.check import Examination, examine
from rootplex.jobs.settings import RunOptions
from rootplex.model.bridge import Firmware

KERNELS = ("linux-7.2", "linux-6.1")
BOOTS = [
    (name, firmware, kernel)
    for name in NAMES
    for firmware in platform_of(name).firmware
    for kernel in KERNELS
]


@cache
def booted(name: str, firmware: Firmware, kernel: str) -> Examination:
    return examine(checked(name), RunOptions(firmware=firmware, kernel=kernel))


@pytest.mark.parametrize(("name", "firmware", "kernel"), BOOTS)
def test_a_boot_is_as_expected(name: str, firmware: Firmware, kernel: str) -> None:
    examination = booted(name, firmware, kernel)
    unexpected = [f"{each.code}: {each.message}" for each in examination.findings if not each.expected]
    assert unexpected == []
    reported = {each.code for each in examination.findings}
    found = {each.code for root in examination.findings for each in root.every}
    assert reported <= set(examination.platform.expect.findings) <= found


@pytest.mark.parametrize(("name", "firmware", "kernel"), BOOTS)
def test_no_boot_dies(name: str, firmware: Firmware, kernel: str) -> None:
    outcome = booted(name, firmware, kernel).outcome
    assert outcome is not None
    assert outcome.dom0.died is None
    assert outcome.xen is None or outcome.xen.crash is None


def seen(name: str, firmware: Firmware) -> set[str]:
    """The described devices that Dom0 sees."""
    examination = booted(name, firmware, KERNELS[0])
    assert examination.outcome is not None
    pages = examination.facts.pages
    return {pages[each.page] for each in examination.outcome.dom0.functions if each.page in pages}


def test_what_uefi_sets_up_is_there_when_booted_by_acpi() -> None:
    """On these boards the device tree's driver moves a window, and UEFI makes it show ECAM: of buses 0 and
    1 on the ThinkPad, of one bus, so without the disk, on the MACCHIATObin (corpus: facts.yaml)."""
    assert seen("thinkpad-x13s", "acpi") == seen("thinkpad-x13s", "dt")
    assert seen("macchiatobin", "acpi") == {"rp"}


def test_the_d05_needs_linuxs_quirk_over_acpi() -> None:
    """MCFG's OEM fields choose the accessor that knows where the root port is (linux.md §2.4)."""
    assert {"rp2", "disk"} <= seen("hisilicon-d05", "acpi")
