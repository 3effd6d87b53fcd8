"""What a hypervisor needs of the machine: QEMU's with `virtualization=on`, a GIC's maintenance interrupt."""

from __future__ import annotations

import pytest

from rootplex.backends.devicetree import device_tree
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.sources import source_of_bytes
from rootplex.model.controllers import GicV3

BRIDGE = "host_bridges: [{name: main, segment: 0, config: {base: 0x40_1000_0000}}]\n"


def checked(platform: str, more: str = "", base: str = ", base: qemu-virt") -> Checked:
    text = f"rootplex: 1\nplatform: {{name: x, arch: arm64{base}{platform}}}\n{BRIDGE}{more}"
    return read_checked(text.encode(), "x.yaml")


@pytest.mark.parametrize(
    ("platform", "more", "virtualization"),
    [
        ("", "", False),
        ("", "xen: {}", True),
        ("", "xen: {discovery: xen}", True),
        ("", "xen: false", False),
        (", virtualization: true", "", True),
        (", virtualization: true", "xen: false", True),
        (", virtualization: false", "xen: {}", False),
    ],
)
def test_whoever_speaks_of_xen_has_the_machine_for_it(platform: str, more: str, virtualization: bool) -> None:
    found = checked(platform, more)
    assert found.findings == ()
    assert found.platform is not None
    assert found.platform.virtualization is virtualization
    (gic,) = found.platform.interrupt_controllers
    assert isinstance(gic, GicV3)
    assert gic.maintenance == (9 if virtualization else None)


def test_only_qemus_machine_can_be_asked_for_it() -> None:
    (finding,) = checked(", virtualization: true", base="").findings
    assert finding.message == "'virtualization' is for the base machine qemu-virt"
    assert str(finding.at) == "x.yaml:2:50"


def test_a_described_gic_says_its_own_and_is_read_back() -> None:
    gic = (
        "interrupt_controllers: [{name: gic, kind: arm-gic-v3, maintenance: 9,"
        " distributor: {base: 0x800_0000, size: 64KiB}, redistributors: {base: 0x80a_0000, size: 2MiB}}]\n"
    )
    bridge = BRIDGE.replace("}}]", "}, intx: {controller: gic, irqs: [3, 4, 5, 6]}}]")
    text = f"rootplex: 1\nplatform: {{name: x, arch: arm64}}\n{gic}{bridge}"
    found = read_checked(text.encode(), "x.yaml")
    assert found.platform is not None
    blob = device_tree(found.platform).dtb().data
    again = read_checked(to_yaml(import_source(source_of_bytes(blob, "x.dtb")).document).encode(), "y.yaml")
    assert again.platform is not None
    (ours,), (theirs,) = found.platform.interrupt_controllers, again.platform.interrupt_controllers
    assert isinstance(ours, GicV3)
    assert isinstance(theirs, GicV3)
    assert 9 == ours.maintenance == theirs.maintenance
