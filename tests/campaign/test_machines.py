"""Machines of QEMU's own devices by chance: sound, the same for a seed, and what QEMU can be told."""

from __future__ import annotations

import pytest

from rootplex.campaign.booted import platform_of
from rootplex.campaign.drawn import Drawn, machine_of
from rootplex.campaign.machines import HAVE, Unit
from rootplex.cli import main
from rootplex.jobs.qemu.preparation import refuse_impossible
from rootplex.tools.images import Arch

EACH = [(unit, arch) for unit, arches in HAVE.items() for arch in arches]


@pytest.mark.parametrize(("unit", "arch"), EACH)
def test_each_is_a_machine_of_qemus(unit: Unit, arch: Arch) -> None:
    wholes = [machine_of(arch, 5, number, unit) for number in range(30)]
    assert wholes == [machine_of(arch, 5, number, unit) for number in range(30)]
    for whole in wholes:
        platform = platform_of(whole)
        refuse_impossible(platform, platform.firmware[0], in_memory=False)
    kinds = {device.type for whole in wholes for _, device in platform_of(whole).walk()}
    assert {"root-port", "upstream-port", "downstream-port", "pcie-to-pci-bridge", "endpoint", "pci"} <= kinds
    assert {1, 2} == {len(whole["host_bridges"]) for whole in wholes}


def test_they_are_drawn_for_a_campaign() -> None:
    (board,) = Drawn(seed=5, numbers={"x86_64": range(3, 4)}, unit="amd")
    assert board.name == "random-amd-x86-3.yaml"


def test_amds_iommu_is_a_pcs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["campaign", "--iommu", "amd", "--arch", "arm64"]) == 2
    assert "QEMU has no machine of arm64 with --iommu amd" in capsys.readouterr().err
