"""Every `qemu:` entry of the catalogue against the configuration space of a live, stopped QEMU.

Every QEMU since 7.2 shows the same; the test of a device that the installed one does not have yet (`since`)
skips.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from tests.qtest_machine import Machine, bars, facts, machine

from rootplex.known.reader import model, names
from rootplex.model.device import BRIDGE_TYPES, PCIE_TYPE

VIRT, Q35, RISCV = "qemu-system-aarch64", "qemu-system-x86_64", "qemu-system-riscv64"
RISCV_ECAM = 0x3000_0000
Q35_ECAM = 0xB000_0000

BUILT_IN = {  # what a machine shows by itself: program, dev, fn on bus 0
    "qemu:gpex-root": (VIRT, 0, 0),
    "qemu:pxb-pcie": (VIRT, 31, 0),
    "qemu:q35-mch": (Q35, 0, 0),
    "qemu:amdvi-pci": (Q35, 1, 0),
    "qemu:riscv-iommu-pci": (RISCV, 1, 0),
    "qemu:ich9-lpc": (Q35, 31, 0),
    "qemu:ich9-ahci": (Q35, 31, 2),
    "qemu:ich9-smbus": (Q35, 31, 3),
}
NEEDS = {
    "nvme": "serial=x",
    "virtio-blk-pci": "drive=disk",
    "pci-bridge": "chassis_nr=200",
    "pcie-root-port": "chassis=201",
    "ioh3420": "chassis=202",
    "xio3130-downstream": "chassis=203",
}
ENTRIES: dict[str, dict[str, Any]] = {name: dict(model(name)) for name in names() if name.startswith("qemu:")}
PORT_SLOT, ROOT_SLOT, PORT_BUS, SWITCH_BUS = 1, 6, 0x10, 0x61


@dataclass(frozen=True)
class Spot:
    """One function of a running machine."""

    chip: Machine
    bus: int
    dev: int
    fn: int = 0


class Placed:
    """Where the devices stand that a QEMU of a version has: each in a port, or on bus 0, or in a switch."""

    def __init__(self, version: tuple[int, int]) -> None:
        added = [name for name in ENTRIES if name not in BUILT_IN and since(name) <= version]
        self.on_root = [name for name in added if ENTRIES[name]["type"] in ("root-port", "pci", "pci-bridge")]
        self.in_switch = [name for name in added if ENTRIES[name]["qemu"].get("place") == "switch"]
        self.in_port = [name for name in added if name not in (*self.on_root, *self.in_switch)]


NUMBERED_ANEW = {"qemu:amdvi-pci": "1022:1419"}
"""Entries with another id in newer QEMUs (Debian 13's 10.0 has it so)."""


def since(name: str) -> tuple[int, int]:
    return numbers(ENTRIES[name]["qemu"].get("since", "0.0"))


def numbers(version: str) -> tuple[int, int]:
    major, minor = map(int, version.split("."))
    return major, minor


def arguments(placed: Placed) -> list[str]:
    """One root port for each entry that needs a slot, a switch, the rest on bus 0."""
    devices = ["pxb-pcie,id=pxb,bus=pcie.0,addr=0x1f,bus_nr=0x80"]
    for n in range(len(placed.in_port)):
        slot = f"{PORT_SLOT + n // 8:#x}.{n % 8}"
        devices.append(f"pcie-root-port,id=p{n},bus=pcie.0,addr={slot},multifunction=on,chassis={n + 1}")
    devices.append(f"pcie-root-port,id=ps,bus=pcie.0,addr={ROOT_SLOT - 1:#x},chassis=100")
    devices.append("x3130-upstream,id=switch,bus=ps,addr=0")
    spots = [(name, "pcie.0", ROOT_SLOT + n) for n, name in enumerate(placed.on_root)]
    spots += [(name, f"p{n}", 0) for n, name in enumerate(placed.in_port)]
    spots += [(name, "switch", n) for n, name in enumerate(placed.in_switch)]
    for n, (name, bus, dev) in enumerate(spots):
        qemu = ENTRIES[name]["qemu"]
        parts = [qemu["device"], f"id=d{n}", f"bus={bus}", f"addr={dev:#x}"]
        parts += [f"{key}={value}" for key, value in qemu.get("properties", {}).items()]
        parts += [NEEDS[qemu["device"]]] if qemu["device"] in NEEDS else []
        if "subsystem" in qemu:
            devices.append(f"{qemu['subsystem']},id=s{n}")
            parts.append(f"subsys=s{n}")
        devices.append(",".join(parts))
    argv = ["-m", "256M", "-drive", "if=none,id=disk,file.driver=null-co,format=raw"]
    return argv + [word for device in devices for word in ("-device", device)]


def version(program: str) -> tuple[int, int]:
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+\.\d+)", text)
    assert found, text
    return numbers(found[1])


@pytest.fixture(scope="module")
def live() -> Iterator[dict[str, Spot]]:
    found: dict[str, Spot] = {}
    with ExitStack() as stack:
        chips: dict[str, Machine] = {}
        if shutil.which(VIRT):
            placed = Placed(version(VIRT))
            virt = chips[VIRT] = stack.enter_context(machine([VIRT, "-M", "virt", *arguments(placed)]))
            for n, name in enumerate(placed.in_port):
                virt.set_buses(0, PORT_SLOT + n // 8, n % 8, PORT_BUS + n, PORT_BUS + n)
                found[name] = Spot(virt, PORT_BUS + n, 0)
            virt.set_buses(0, ROOT_SLOT - 1, 0, SWITCH_BUS - 1, SWITCH_BUS)
            virt.set_buses(SWITCH_BUS - 1, 0, 0, SWITCH_BUS, SWITCH_BUS)
            found |= {name: Spot(virt, SWITCH_BUS, n) for n, name in enumerate(placed.in_switch)}
            found |= {name: Spot(virt, 0, ROOT_SLOT + n) for n, name in enumerate(placed.on_root)}
        if shutil.which(Q35):
            q35 = chips[Q35] = stack.enter_context(
                machine([Q35, "-M", "q35", "-m", "256M", "-device", "amd-iommu"], Q35_ECAM)
            )
            for port, value in ((0xCF8, 0x8000_0060), (0xCFC, Q35_ECAM | 1)):  # PCIEXBAR of the MCH
                q35.ask(f"outl {port:#x} {value:#x}")
        if shutil.which(RISCV) and version(RISCV) >= since("qemu:riscv-iommu-pci"):
            device = "riscv-iommu-pci,addr=1"
            chips[RISCV] = stack.enter_context(machine([RISCV, "-M", "virt", "-device", device], RISCV_ECAM))
        for name, (program, dev, fn) in BUILT_IN.items():
            if program in chips:
                found[name] = Spot(chips[program], 0, dev, fn)
        yield found


@pytest.fixture
def spot(request: pytest.FixtureRequest, live: dict[str, Spot]) -> Spot:
    name: str = request.param
    program = BUILT_IN.get(name, (VIRT,))[0]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    if name not in live:
        pytest.skip(f"this {program} has no {ENTRIES[name]['qemu']['device']} yet")
    return live[name]


@pytest.mark.parametrize(("name", "spot"), [(name, name) for name in ENTRIES], indirect=["spot"])
def test_an_entry_says_what_qemu_shows(name: str, spot: Spot) -> None:
    entry = ENTRIES[name]
    seen = facts(spot.chip.page(spot.bus, spot.dev, spot.fn))
    assert seen.id in (entry["id"], NUMBERED_ANEW.get(name))
    assert seen.class_code == entry["class"]
    assert seen.pcie_type == PCIE_TYPE.get(entry["type"])
    assert (seen.header == 1) == (entry["type"] in BRIDGE_TYPES)
    assert seen.acs == (None if "acs" not in entry else tuple(entry["acs"]))
    assert seen.subsystem == entry.get("subsystem")
    for key in ("pm", "flr", "ats", "ari"):
        assert getattr(seen, key) == entry.get(key, False), key
    for key in ("revision", "msi", "msix"):
        assert getattr(seen, key) == entry.get(key, 0), key
    assert seen.pin == entry.get("pin")
    virtual = entry.get("sriov")
    assert seen.sriov == (virtual and {key: virtual[key] for key in ("total", "offset", "stride", "vf_id")})


@pytest.mark.parametrize(("name", "spot"), [(name, name) for name in ENTRIES], indirect=["spot"])
def test_an_entry_says_what_qemu_lets_be_written(name: str, spot: Spot) -> None:
    entry = ENTRIES[name]
    found, rom = bars(spot.chip, spot.bus, spot.dev, spot.fn)
    assert found == entry.get("bars", [])
    if rom is not None:  # the ROM files are a package of their own
        assert rom == entry.get("rom")
    command = spot.chip.writable(spot.bus, spot.dev, spot.fn, 4)
    assert bool(command & 0x400) == entry.get("disintx", False)


@pytest.mark.parametrize(
    ("name", "spot"), [(name, name) for name in ENTRIES if "sriov" in ENTRIES[name]], indirect=["spot"]
)
def test_virtual_functions_are_as_qemu_shows_them(name: str, spot: Spot) -> None:
    """Switched on: the first one's page, and the VF BARs of the capability."""
    entry, chip = ENTRIES[name], spot.chip
    at = facts(chip.page(spot.bus, spot.dev, spot.fn)).extended[0x10]
    here = chip.address(spot.bus, spot.dev, spot.fn) + at
    found = []
    for bar in entry["sriov"]["bars"]:
        register = at + 0x24 + 4 * bar["index"]
        flags = chip.read32(here - at + register) & 0xF
        size = -(chip.writable(spot.bus, spot.dev, spot.fn, register) & ~0xF) & 0xFFFF_FFFF
        shape = {"index": bar["index"], "space": "mem64" if flags & 4 else "mem32", "size": size}
        found.append({**shape, "prefetchable": True} if flags & 8 else shape)
    assert found == entry["sriov"]["bars"]
    chip.write32(here + 0x10, 2)  # NumVFs
    chip.write32(here + 8, 1)  # VF Enable
    rid = (spot.bus << 8 | spot.dev << 3 | spot.fn) + entry["sriov"]["offset"]
    seen = facts(chip.page(rid >> 8, rid >> 3 & 31, rid & 7))
    chip.write32(here + 8, 0)
    assert seen.id == "ffff:ffff"
    assert seen.msix == entry["sriov"]["msix"]
    assert seen.acs is None
    assert seen.class_code == entry["class"]


@pytest.mark.parametrize(
    "name", [name for name in ENTRIES if ENTRIES[name]["type"] in ("root-port", "downstream-port")]
)
def test_a_port_is_hot_pluggable_as_qemu_has_it(name: str, live: dict[str, Spot]) -> None:
    if name not in live:
        pytest.skip(f"{VIRT} is not installed")
    page = live[name].chip.page(live[name].bus, live[name].dev)
    at = facts(page).capabilities[0x10]
    slot_implemented, hot_plug_capable = page[at + 3] & 1, page[at + 0x14] >> 6 & 1
    assert bool(slot_implemented and hot_plug_capable) == ENTRIES[name].get("hotplug", False)
