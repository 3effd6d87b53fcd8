"""A device's own keys and those of its model."""

from __future__ import annotations

from rootplex.jobs.describe import read_checked

BOARD = """\
rootplex: 1
platform: {name: board, arch: arm64, base: qemu-virt}
host_bridges:
  - name: main
    segment: 0
    config: {base: 0x40_1000_0000}
    devices:
      - dev: 1
        type: root-port
        devices: [{name: nic, dev: 0, model: "qemu:igb", sriov: {enabled: 3, msix: 5}}]
"""


def test_what_is_said_of_virtual_functions_stands_beside_what_their_model_knows() -> None:
    checked = read_checked(BOARD.encode(), "board.yaml")
    assert checked.findings == ()
    assert checked.platform is not None
    (nic,) = (device for _, device in checked.platform.walk() if device.name == "nic")
    assert nic.sriov is not None
    assert (nic.sriov.total, nic.sriov.offset, nic.sriov.stride, nic.sriov.enabled) == (8, 0x80, 2, 3)
    assert [bar.index for bar in nic.sriov.bars] == [0, 3]
    assert nic.sriov.msix == 5
    assert str(nic.sriov.at("enabled")) == "board.yaml:10:75"
