"""The harness around a real boot, without a description: QEMU's own devices, and configuration space in RAM.

What the kernel shows is held against QEMU's command line and the vectors of the reference on Linux.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.acpica import compiled
from tests.boot.ram_topology import FUNCTIONS, GROUPS, RAM, device_tree, memory, name, tables

from rootplex.capture import script
from rootplex.capture.facts import Snapshot
from rootplex.capture.snapshot import parse_snapshot
from rootplex.tools import boot, initrd, kernels, runner
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError

pytestmark = pytest.mark.boot

Kernels: TypeAlias = Callable[[Arch, str], Kernel]
Programs: TypeAlias = Callable[[str], str]

VIRT = "qemu-system-aarch64 -M virt,gic-version=3,iommu=smmuv3 -cpu cortex-a57"
Q35 = "qemu-system-x86_64 -M q35,kernel-irqchip=split -cpu qemu64,-cx16 -device intel-iommu,intremap=on"
UNHURRIED = "no_timer_check"
"""On a busy machine QEMU's timer ticks too late for a PC kernel, which then says there is none and stops."""
CONSOLE = "-nodefaults -nic none -nographic -serial stdio"
PROFILES = ["linux-6.1", "linux-6.12", "linux-7.2"]


def start(folder: Path, kernel: Kernel, machine: str, append: str, acpi: list[tuple[str, bytes]]) -> str:
    """Boot the kernel with the capture script, and return what the console showed."""
    image = initrd.image(kernel.busybox.read_bytes(), script(), acpi)
    (folder / "initrd").write_bytes(image)
    argv = [
        *machine.split(),
        *CONSOLE.split(),
        "-kernel",
        str(kernel.image),
        "-initrd",
        str(folder / "initrd"),
    ]
    console = "ttyAMA0" if kernel.arch == "arm64" else "ttyS0"
    argv += ["-append", f"console={console} panic=-1 {append}"]
    return boot.run(argv, log=folder / "console.log", until=initrd.MARK, seconds=180)


def uefi(arch: Arch) -> Path:
    try:
        return kernels.uefi(arch)
    except ToolError as error:
        pytest.skip(str(error))


def groups(snapshot: Snapshot) -> set[frozenset[str]]:
    return {frozenset(group.members) for group in snapshot.groups}


@pytest.mark.parametrize(("arch", "firmware"), [("arm64", "dt"), ("arm64", "acpi"), ("x86_64", "acpi")])
def test_disks_are_read_through_the_iommu(
    tmp_path: Path, kernel: Kernels, program: Programs, arch: Arch, firmware: str
) -> None:
    machine = f"{VIRT if arch == 'arm64' else Q35} -m 1G"
    program(machine.split()[0])
    if (arch, firmware) == ("arm64", "acpi"):
        machine += f" -bios {uefi(arch)}"
    for number, place in enumerate(("bus=rp0,addr=0", "bus=pcie.0,addr=3")):
        disk = tmp_path / f"disk{number}"
        disk.write_bytes(f"rootplex marker {number}".encode().ljust(1 << 20, b"\0"))
        if number == 0:
            machine += " -device pcie-root-port,id=rp0,bus=pcie.0,addr=2,chassis=1,slot=1"
        machine += f" -drive id=d{number},if=none,format=raw,file={disk}"
        machine += f" -device nvme,serial=s{number},drive=d{number},{place}"
    append = {("arm64", "acpi"): "acpi=force", ("x86_64", "acpi"): UNHURRIED}.get((arch, firmware), "")
    text = start(tmp_path, kernel(arch, "linux-6.1"), machine, append, [])
    snapshot = parse_snapshot(text, "console.log")
    assert snapshot.firmware == firmware
    assert {sbdf: data.rstrip(b"\0") for sbdf, data in initrd.disks(text).items()} == {
        "0000:01:00.0": b"rootplex marker 0",
        "0000:00:03.0": b"rootplex marker 1",
    }
    disks = [function for function in snapshot.functions if function.class_code == 0x010802]
    assert all(function.unit in snapshot.units and function.msi for function in disks)
    assert all(function.group is not None for function in snapshot.functions)
    assert (snapshot.dtb is not None) if firmware == "dt" else snapshot.tables


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("firmware", ["dt", "acpi"])
def test_a_topology_in_ram_is_scanned_and_grouped(
    tmp_path: Path, kernel: Kernels, program: Programs, profile: str, firmware: str
) -> None:
    machine = f"{VIRT} -m 4G -device loader,file={tmp_path}/ram,addr={RAM:#x},force-raw=on"
    program("qemu-system-aarch64")
    (tmp_path / "ram").write_bytes(memory())
    acpi: list[tuple[str, bytes]] = []
    if firmware == "acpi":
        program("iasl")
        acpi = tables(compiler, "virt")
        machine += f" -bios {uefi('arm64')}"
        append = "mem=1G acpi=force"
    else:
        program("dtc")
        machine += f" -dtb {tree(tmp_path)}"
        append = "mem=1G"
    snapshot = parse_snapshot(start(tmp_path, kernel("arm64", profile), machine, append, acpi), "console.log")
    assert {str(function.sbdf) for function in snapshot.functions} == {name(place) for place in FUNCTIONS}
    assert {(bridge.segment, str(bridge.buses)) for bridge in snapshot.bridges} == {
        (0, "00-0f"),
        (1, "20-2f"),
    }
    expected = set(GROUPS)
    if firmware == "dt" and profile != "linux-7.2":  # ACS is not switched on behind the first host bridge
        alone = {frozenset({"0000:00:01.0"}), frozenset({"0000:01:00.0"})}
        expected = expected - alone | {frozenset.union(*alone)}
    assert groups(snapshot) == expected


def test_a_topology_in_ram_is_grouped_by_vt_d_where_its_one_unit_is(
    tmp_path: Path, kernel: Kernels, program: Programs
) -> None:
    """Segments 0 and 1 of the topology are 1 and 2 here, and the unit serves segment 1 alone."""
    program("qemu-system-x86_64")
    program("iasl")
    (tmp_path / "ram").write_bytes(memory())
    machine = Q35.replace("intremap=on", "intremap=off")
    machine += f" -m 2G -device loader,file={tmp_path}/ram,addr=0x50000000,force-raw=on"
    acpi = tables(compiler, "q35")
    text = start(
        tmp_path, kernel("x86_64", "linux-6.1"), machine, f"memmap=0x20000000$0x50000000 {UNHURRIED}", acpi
    )
    snapshot = parse_snapshot(text, "console.log")
    shifted = {name((segment + 1, bus, devfn)) for segment, bus, devfn in FUNCTIONS}
    found = {str(function.sbdf) for function in snapshot.functions}
    assert shifted == {address for address in found if not address.startswith("0000:")}
    assert groups(snapshot) == {
        frozenset(member.replace("0000:", "0001:", 1) for member in group)
        for group in GROUPS
        if not any(member.startswith("0001:") for member in group)
    }


def compiler(source: Path) -> bytes:
    return compiled(source.read_text()).data


def tree(folder: Path) -> Path:
    """The device tree that QEMU would give, with the topology's host bridges in place of its own."""
    dump = f"{VIRT.replace('smmuv3', 'smmuv3,dumpdtb=qemu.dtb', 1)} -m 4G {CONSOLE}".split()
    assert runner.run(dump, cwd=folder).status == 0
    text = runner.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "qemu.dtb"], cwd=folder).stdout
    (folder / "ram.dts").write_text(device_tree(text))
    assert runner.run(["dtc", "-q", "-o", "ram.dtb", "ram.dts"], cwd=folder).status == 0
    return folder / "ram.dtb"
