"""QEMU's command line: what a live QEMU makes of it, and what is refused and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.backends.catalogued import catalogued
from tests.backends.platforms import (
    bar,
    config,
    device,
    host_bridge,
    identity,
    intx,
    iommu,
    msi,
    places,
    platform,
    smmu,
    window,
)
from tests.backends.qemu.qemu_zoo import described, running, zoo
from tests.checks.golden import hold
from tests.qtest_machine import facts

from rootplex.backends.qemu import Abilities, arguments, disks
from rootplex.model.bridge import HostBridge
from rootplex.model.device import Device
from rootplex.model.numbers import BusRange
from rootplex.model.platform import Memory, Platform
from rootplex.source.place import Span


def lines(value: Platform) -> list[str]:
    return arguments(value)[0].data.decode().splitlines()


def devices(value: Platform) -> list[str]:
    argv = lines(value)
    return [argv[n + 1] for n, each in enumerate(argv) if each == "-device"]


def below_port(*found: Device) -> tuple[Device, ...]:
    return (catalogued("qemu:pcie-root-port", 1, key="1", devices=found),)


def test_qemu_has_what_was_described(tmp_path: Path) -> None:
    """Every function at its place with its ids, class, header and type, on both root buses."""
    value = zoo()
    assert [finding.message for finding in arguments(value)[1]] == []
    expected = {
        path: (
            f"{each.vendor:04x}:{each.device:04x}",
            each.class_code,
            each.multifunction,
            each.pcie_type,
            each.acs,
        )
        for path, (_, each) in described(value).items()
    }
    with running(value, tmp_path) as (chip, found):
        shown = {path: facts(chip.page(*at)) for path, at in found.items()}
    assert {
        path: (each.id, each.class_code, each.multifunction, each.pcie_type, each.acs)
        for path, each in shown.items()
    } == expected


def test_the_virt_machine_is_that_of_the_recipe() -> None:
    argv = lines(platform())
    assert argv[:7] == [
        "-nodefaults",
        "-machine",
        "virt,gic-version=3,iommu=smmuv3",
        "-cpu",
        "cortex-a57",
        "-m",
        "1024M",
    ]


def test_without_a_translated_bridge_there_is_no_iommu() -> None:
    assert lines(platform(host_bridge(iommu=None)))[2] == "virt,gic-version=3"


def test_q35_has_its_iommu_before_the_devices() -> None:
    bridge = host_bridge(
        config=config(base=0xB000_0000), intx=None, msi=None, windows=(), devices=below_port()
    )
    value = platform(
        bridge, arch="x86_64", base="qemu-q35", memory=(Memory(base=0, size=1 << 30),),
        interrupt_controllers=(), msi_controllers=(), iommus=(),
    )  # fmt: skip
    argv = lines(value)
    assert "q35,kernel-irqchip=split" in argv
    assert devices(value)[0] == "intel-iommu,intremap=on"
    assert "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off" in argv


def test_disks_have_image_files_by_relative_name() -> None:
    value = platform(host_bridge(devices=below_port(catalogued("qemu:nvme", key="1.0", name="disk"))))
    assert disks(value) == ("disk.img",)
    assert "if=none,id=disk-disk,format=raw,file=disk.img" in lines(value)


def test_an_absent_device_is_not_plugged() -> None:
    value = platform(host_bridge(devices=below_port(catalogued("qemu:nvme", key="1.0", present=False))))
    assert len(devices(value)) == 1


@pytest.mark.parametrize(("name", "id"), [("port", "port.0"), ("slot", "slot.0"), ("rp", "rp")])
def test_a_port_may_be_called_as_a_property_of_qemus(name: str, id: str) -> None:
    """QEMU: "attempt to add duplicate property 'port' to object (type 'pcie-root-port')", for its bus."""
    disk = catalogued("qemu:nvme", 0, key="1.0.0", name="disk")
    port = catalogued("qemu:pcie-root-port", 1, name=name, devices=(disk,))
    first, second = devices(platform(host_bridge(devices=(port,))))
    assert f"id={id}," in f"{first},"
    assert f"bus={id}," in f"{second},"


def test_a_root_port_without_acs_says_so() -> None:
    value = platform(host_bridge(devices=(catalogued("qemu:pcie-root-port", 1, acs=None),)))
    assert devices(value)[0].endswith(",disable-acs=on")


def test_ports_have_chassis_numbers_of_their_own() -> None:
    ports = tuple(catalogued("qemu:pcie-root-port", dev, key=str(dev)) for dev in range(1, 9))
    chassis = [
        part
        for each in devices(platform(host_bridge(devices=ports)))
        for part in each.split(",")
        if "chassis" in part
    ]
    assert len(set(chassis)) == len(ports)


def test_a_newer_qemu_has_newer_devices() -> None:
    value = platform(host_bridge(devices=below_port(catalogued("qemu:igb", key="1.0"))))
    assert [finding.code for finding in arguments(value)[1]] == ["RPX0015"]
    assert arguments(value, Abilities((8, 2)))[1] == ()


def test_a_disk_with_virtual_functions_is_one_of_a_subsystem() -> None:
    """QEMU 7.2, hw/nvme/ctrl.c: SR-IOV asks for a subsystem, which takes its disks as namespaces."""
    made, refused = arguments(
        platform(host_bridge(devices=below_port(catalogued("qemu:nvme-sriov", key="1.0", name="disk"))))
    )
    assert not refused
    lines = made.data.decode().splitlines()
    at = lines.index("nvme-subsys,id=disk-subsystem")
    assert lines[at : at + 5 : 2] == [
        "nvme-subsys,id=disk-subsystem",
        (
            "nvme,id=disk,bus=b0.1,addr=0x0,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,serial=disk,"
            "subsys=disk-subsystem"
        ),
        "nvme-ns,drive=disk-disk,bus=disk",
    ]


@pytest.mark.parametrize(("version", "refused"), [((10, 0), []), ((11, 1), ["RPX0016"])])
def test_a_newer_qemu_cannot_take_the_acs_of_a_port_away(
    version: tuple[int, int], refused: list[str]
) -> None:
    port = replace(catalogued("qemu:pcie-root-port", 1), acs=None)
    _, findings = arguments(platform(host_bridge(devices=(port,))), Abilities(version))
    assert [finding.code for finding in findings] == refused


PORT = {"type": "root-port", "model": "qemu:pcie-root-port"}
AT = "place"


def _bridge(path: str, **values: Any) -> HostBridge:
    return host_bridge(places=places(path), **values)


def _device(path: str, made: Device) -> HostBridge:
    return host_bridge(devices=(replace(made, places=places(path)),))


def _below(path: str, made: Device) -> HostBridge:
    return host_bridge(devices=below_port(replace(made, places=places(path))))


REFUSED: list[tuple[str, HostBridge]] = [
    ("RPX0011", _bridge("config.base", config=config(base=0x30_0000_0000))),
    ("RPX0011", _bridge("config", config=config(kind="cam", base=0x40_1000_0000))),
    ("RPX0011", _bridge("config", config=config(sizes=(4,)))),
    ("RPX0012", _bridge("windows.0", windows=(window("mem32", 0x5000_0000, 1 << 20),))),
    ("RPX0012", _bridge("windows.0", windows=(window("mem32", 0, 1 << 20, cpu=0x1000_0000),))),
    ("RPX0013", _bridge("msi.map.0", msi=msi(entries=(replace(identity("its")[0], id=0x1000),)))),
    ("RPX0013", _bridge("iommu.map.0", iommu=iommu(entries=(replace(identity("smmu")[0], id=0x1000),)))),
    ("RPX0013", _bridge("iommu.mask", iommu=iommu(mask=0xFF00))),
    ("RPX0014", _bridge("intx.irqs", intx=intx(irqs=(7, 8, 9, 10)))),
    ("RPX0014", _bridge("intx", intx=intx(swizzle=False))),
    ("RPX0015", _device("model", device(2, model=None, type="integrated-endpoint"))),
    ("RPX0015", _device("model", catalogued("nvidia:gp106", 2))),
    ("RPX0016", _device("acs", catalogued("qemu:pcie-root-port", 2, acs=("sv",)))),
    ("RPX0016", _device("acs", catalogued("qemu:ioh3420", 2, acs=("sv",)))),
    ("RPX0016", _device("id", catalogued("qemu:pcie-root-port", 2, vendor=0x8086))),
    ("RPX0016", _device("type", catalogued("qemu:pcie-root-port", 2, type="pci-bridge", acs_quirk=None))),
    ("RPX0016", _below("bars", catalogued("qemu:nvme", bars=(bar(0, "mem64", 0x8000),)))),
    ("RPX0016", _below("msix", catalogued("qemu:nvme", msix=2))),
    ("RPX0017", _device("type", catalogued("qemu:nvme", 2))),
    ("RPX0017", _device("model", catalogued("qemu:virtio-net-pci", 2, type="integrated-endpoint"))),
    ("RPX0017", _below("dev", catalogued("qemu:nvme", 1))),
    ("RPX0017", _below("type", catalogued("qemu:pcie-root-port"))),
    ("RPX0017", _device("dev", catalogued("qemu:pcie-root-port", 0))),
    ("RPX0017", _device("model", catalogued("qemu:pxb-pcie", 2))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "bridge"), REFUSED, ids=[f"{code}-{n}" for n, (code, _) in enumerate(REFUSED)]
)
def test_what_qemu_cannot_be_told_is_refused_at_its_place(code: str, bridge: HostBridge) -> None:
    found = arguments(platform(bridge))[1]
    hold(found)
    assert [(finding.code, finding.at) for finding in found] == [(code, Span("x.yaml", 2, 1, 2, 9))]


def test_a_pxb_takes_no_endpoint() -> None:
    second = host_bridge(
        name="second", bus_range=BusRange(0x80, 0xFF), intx=None,
        devices=(catalogued("qemu:nvme", type="integrated-endpoint"),),
    )  # fmt: skip
    first = host_bridge(bus_range=BusRange(0, 0x7F))
    assert [finding.code for finding in arguments(platform(first, second))[1]] == ["RPX0017"]


def test_root_buses_share_one_configuration_space() -> None:
    first = host_bridge(bus_range=BusRange(0, 0x7F))
    second = host_bridge(name="second", bus_range=BusRange(0x40, 0xFF), intx=None)
    assert [finding.code for finding in arguments(platform(first, second))[1]] == ["RPX0011"]
    alone = host_bridge(bus_range=BusRange(0x40, 0xFF), intx=intx(swizzle=False))
    assert [finding.code for finding in arguments(platform(alone))[1]] == ["RPX0011"]


def test_another_smmu_or_memory_is_no_machine_of_qemu() -> None:
    moved = platform(iommus=(replace(smmu(base=0x0A00_0000), places=places("base")),))
    assert [finding.code for finding in arguments(moved)[1]] == ["RPX0010"]
    memory = platform(memory=(Memory(base=0x8000_0000, size=1 << 30),))
    assert [finding.code for finding in arguments(memory)[1]] == ["RPX0010"]


def test_a_platform_that_is_no_qemu_machine_has_no_arguments() -> None:
    artifact, found = arguments(platform(base="none"))
    assert artifact.data == b""
    assert [finding.code for finding in found] == ["RPX0010"]
