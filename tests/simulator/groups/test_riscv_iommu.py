"""RISC-V's IOMMU by device tree: who has a driver for it, what it translates, and its own function.

Each group is as Debian's Linux 7.2 forms it on QEMU 11 (`iommu-sys=on`, `riscv-iommu-pci`), where
tests/boot has it boot; that older kernels have none is their source (drivers/iommu/riscv came with 6.13).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rootplex.cli import main

BOARD = """\
rootplex: 1
platform: {{name: board, arch: riscv64, base: qemu-riscv-virt, aia: aplic-imsic}}
{units}
host_bridges:
  - name: pcie
    segment: 0
    config: {{base: 0x3000_0000}}
    windows:
      - {{space: io, pci: 0, cpu: 0x300_0000, size: 64KiB}}
      - {{space: mem32, pci: 0x4000_0000, size: 1GiB}}
    msi: {{controller: imsic, parent: true}}
    iommu: {iommu}
    devices:
      - {{name: unit, dev: 1, model: "qemu:riscv-iommu-pci"}}
      - name: port
        dev: 2
        model: "qemu:pcie-root-port"
        devices: [{{name: nic, dev: 0, model: "qemu:e1000e"}}]
xen: false
"""
OWN = ("", "{unit: iommu}")
FUNCTION = (
    "iommus: [{name: function, kind: riscv-iommu, parent: pcie, dev: 1}]",
    "{unit: function, map: [{rid: 0, id: 0, count: 8}, {rid: 9, id: 9, count: 0xfff7}]}",
)


def checked(
    folder: Path, capsys: pytest.CaptureFixture[str], units: str, iommu: str, kernel: str
) -> dict[str, Any]:
    file = folder / "board.yaml"
    file.write_text(BOARD.format(units=units, iommu=iommu))
    main(["check", str(file), "--dom0", kernel, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def groups(found: dict[str, Any]) -> list[list[str]]:
    return [each["members"] for each in found["groups"]]


def test_registers_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(tmp_path, capsys, *OWN, "linux-7.2")
    assert [["0000:00:01.0"], ["0000:00:02.0"], ["0000:01:00.0"]] == groups(found)
    nic = next(each for each in found["devices"] if each["name"] == "nic")
    assert {"unit": "iommu", "id": 0x100} == nic["stream"]
    assert [] == found["findings"]


def test_a_function_translates_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(tmp_path, capsys, *FUNCTION, "linux-7.2")
    assert [["0000:00:02.0"], ["0000:01:00.0"]] == groups(found)
    assert [] == found["findings"]


@pytest.mark.parametrize("kernel", ["linux-6.12", "linux-6.1"])
def test_an_older_kernel_has_no_driver(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kernel: str
) -> None:
    assert [] == groups(checked(tmp_path, capsys, *OWN, kernel))
    assert [] == groups(checked(tmp_path, capsys, *FUNCTION, kernel))
