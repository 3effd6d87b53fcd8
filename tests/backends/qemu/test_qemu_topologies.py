"""The bundled descriptions of QEMU's machines: a live QEMU with their arguments shows what they say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.backends.qemu.qemu_zoo import described
from tests.qtest_machine import facts, machine, scan

from rootplex.backends.qemu import arguments, disks
from rootplex.frontends.description.reading import read_description
from rootplex.jobs.qemu.boot import abilities
from rootplex.model.platform import Platform

CHECKOUT = Path(__file__).resolve().parents[3]
PROGRAMS = {
    "qemu-virt": "qemu-system-aarch64",
    "qemu-q35": "qemu-system-x86_64",
    "qemu-riscv-virt": "qemu-system-riscv64",
}


WANTS = {"qemu-riscv-iommu": (10, 0)}
"""The first QEMU that has all of the machine."""
OF_OLD = {"1022:1419": "1022:0008"}
"""What QEMU numbers anew since version 10 (`NUMBERED_ANEW` of the catalogue's test): AMD's IOMMU."""


def platform(path: Path) -> Platform:
    found = read_description(path.read_bytes(), path.name).platform
    assert found is not None
    return found


BUNDLED = [
    path for path in sorted((CHECKOUT / "topologies").glob("*.yaml")) if platform(path).base in PROGRAMS
]


@pytest.mark.parametrize("path", BUNDLED, ids=[path.stem for path in BUNDLED])
def test_a_bundled_machine_is_qemus(path: Path, tmp_path: Path) -> None:
    value = platform(path)
    artifact, found = arguments(value)
    assert [f"{finding.at}: {finding.message}" for finding in found] == []
    program = PROGRAMS[value.base]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    if path.stem in WANTS and abilities(value.arch).version < WANTS[path.stem]:
        pytest.skip(f"{path.stem} wants QEMU {'.'.join(map(str, WANTS[path.stem]))}")
    for name in disks(value):
        (tmp_path / name).write_bytes(bytes(1 << 20))
    ecam = value.host_bridges[0].config.base
    with machine([program, *artifact.data.decode().splitlines()], ecam, tmp_path) as chip:
        if value.base == "qemu-q35":  # PCIEXBAR of the MCH, which firmware would set
            for port, register in ((0xCF8, 0x8000_0060), (0xCFC, ecam | 1)):
                chip.ask(f"outl {port:#x} {register:#x}")
        places = scan(chip, [bridge.bus_range.first for bridge in value.host_bridges])
        shown = {path: facts(chip.page(*at)) for path, at in places.items()}
    assert {
        path: (OF_OLD.get(each.id, each.id), each.class_code, each.pcie_type) for path, each in shown.items()
    } == {
        path: (f"{each.vendor:04x}:{each.device:04x}", each.class_code, each.pcie_type)
        for path, (_, each) in described(value).items()
    }
