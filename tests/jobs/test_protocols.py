"""What Dom0 tells Xen, in order: 2017's protocol beside today's, and what a real Xen printed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rootplex.jobs.check import check_text
from rootplex.jobs.result import Protocols
from rootplex.jobs.settings import RunOptions
from rootplex.model.bridge import Firmware
from rootplex.report.protocols import lines
from rootplex.source.shipped import shipped_folder

REAL = """\
PCI add device 0000:00:00.0
PCI add device 0000:00:01.0
PCI add device 0000:00:02.0
PCI add device 0000:00:03.0
PCI add device 0000:01:00.0
PCI add device 0001:40:00.0
PCI add device 0001:41:00.0
PCI add device 0002:80:00.0
PCI add device 0002:81:00.0
"""
"""Xen 4.23-unstable with Linux 6.12 as its Dom0 on the three segments' tree, by `qemu --boot --xen`."""


def told(name: str, options: RunOptions) -> Protocols:
    data = (shipped_folder("topologies") / f"{name}.yaml").read_bytes()
    found = check_text(data, f"{name}.yaml", replace(options, trace=True)).protocols
    assert found is not None
    return found


def test_reports_come_in_the_order_of_a_real_boot() -> None:
    found = told("qemu-virt-three-segments", RunOptions())
    assert [now.subject for _, now in found.pairs if now is not None] == REAL.split()[3::4]
    then = [each for each, _ in found.pairs if each is not None]
    assert [each.operation for each in then if each.subject.startswith("0001")] == [
        "pci_host_bridge_add",
        "pci_device_add",
        "pci_device_add",
    ]


UNKNOWN = (
    "xen-unstable learns of no host bridge: it does not know on which host bridge are 0000:00:00.0, "
    "0000:00:01.0, 0000:00:02.0, 0000:00:03.0 and 5 more"
)
LAST = {
    ("qemu-virt-three-segments", "dt"): "xen-unstable has 3 host bridges from the device tree",
    ("q35", "acpi"): "xen-unstable has 1 entry from MCFG",
}
CLOSED = " before Dom0 runs: no report comes before its host bridge"


@pytest.mark.parametrize(("name", "firmware"), LAST)
def test_xen_knows_its_bridges_before_dom0_runs(name: str, firmware: Firmware) -> None:
    text = list(lines(told(name, RunOptions(firmware=firmware))))
    assert text[-2:] == ["pci_host_bridge_add: no Xen has this call", LAST[name, firmware] + CLOSED]


def test_where_the_window_of_2017_is_open() -> None:
    """A device is reported before Xen knows on which bridge it is: today by ACPI on Arm."""
    assert list(lines(told("qemu-virt-three-segments", RunOptions(firmware="acpi"))))[-1] == UNKNOWN


def test_a_late_registration_of_2017() -> None:
    """`registers: after-scan`: the reports are refused, and come before their bridges."""
    data = (shipped_folder("topologies") / "qemu-virt-three-segments.yaml").read_text()
    data = data.replace("\nxen:\n", "\nxen:\n  dom0: {registers: after-scan}\n", 1)
    found = check_text(data.encode(), "late.yaml", RunOptions(trace=True)).protocols
    assert found is not None
    then = [each for each, _ in found.pairs if each is not None]
    assert (then[0].operation, then[0].answer, then[0].known) == ("pci_device_add", "-ENODEV", False)
    assert then[-1].operation == "pci_host_bridge_add"


def test_bare_metal_has_none() -> None:
    data = (shipped_folder("topologies") / "qemu-virt.yaml").read_bytes()
    assert check_text(data, "x.yaml", RunOptions(trace=True, bare_metal=True)).protocols is None
