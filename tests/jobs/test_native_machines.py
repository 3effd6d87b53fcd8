"""QEMU's own machines and firmware: what their kernels saw and grouped, beside the simulation of the
firmware's bytes and beside the imported description."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from rootplex.capture.facts import Snapshot
from rootplex.capture.snapshot import parse_snapshot
from rootplex.frontends.document import Imported
from rootplex.frontends.snapshot import import_snapshot
from rootplex.jobs.boards import Board, Item
from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import description_text
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.validate import validate_board
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding, Level

RECORDED = Path(__file__).resolve().parents[1] / "capture" / "native"
MACHINES = sorted(path.name.removesuffix(".txt.gz") for path in RECORDED.glob("*.gz"))


def text_of(name: str) -> bytes:
    return gzip.decompress((RECORDED / f"{name}.txt.gz").read_bytes())


def snapshot_of(name: str) -> Snapshot:
    return parse_snapshot(text_of(name).decode(), f"{name}.txt")


def imported(name: str) -> Imported:
    return import_snapshot(snapshot_of(name))


def described(name: str) -> Platform:
    platform = read_checked(description_text(imported(name)).encode(), f"{name}.yaml").platform
    assert platform is not None
    return platform


def validated(name: str) -> Result:
    return validate_board(Board((Item(f"{name}.txt", None, text_of(name)),)))


def above_notes(findings: Iterable[Finding]) -> set[str]:
    return {each.code for each in findings if each.level is not Level.NOTE}


# QEMU's IORT counts one id more than there are in each mapping, and names an ITS
# where there is none; a card stands behind a conventional bridge of a virtio-iommu's.
WARNINGS = {
    "virt-dt-virtio-iommu-6.1": {"RPX0768"},
    "virt-acpi-pxb-7.2": {"RPX0743"},
    "virt-acpi-gicv2-6.1": {"RPX0748"},
}


@pytest.mark.parametrize("name", MACHINES)
def test_the_kernel_saw_what_the_simulation_of_its_firmware_says(name: str) -> None:
    result = validated(name)
    assert [] == [each.message for each in result.findings if each.level is Level.ERROR]
    assert WARNINGS.get(name, set()) == above_notes(result.findings)
    assert {str(each.sbdf) for each in snapshot_of(name).functions} == {
        each.sbdf for each in result.machine.devices
    }


ACS_BY_XEN = {"virt-dt-vfs-6.1"}
"""Where this kernel alone leaves ACS off (linux.md §5.2): below Dom0, Xen switches it on (xen.md §4.2)."""


@pytest.mark.parametrize("name", MACHINES)
def test_the_imported_description_is_sound_and_has_the_kernels_groups(name: str) -> None:
    snapshot = snapshot_of(name)
    checked = read_checked(description_text(imported(name)).encode(), f"{name}.yaml")
    result = examine(checked, RunOptions(firmware=snapshot.firmware))
    assert above_notes(result.findings) <= {"RPX0720"} | WARNINGS.get(name, set())
    kernels: dict[int, set[str]] = {}
    for each in snapshot.functions:
        if each.group is not None:
            kernels.setdefault(each.group, set()).add(str(each.sbdf))
    assert result.outcome is not None
    groups = result.outcome.linux.groups
    ours = {frozenset(member.sbdf for member in each.members) for each in groups}
    if kernels:
        assert ({frozenset(each) for each in kernels.values()} == ours) == (name not in ACS_BY_XEN)


def test_a_unit_that_names_every_device_of_a_bus_translates_the_bridge() -> None:
    """QEMU's DMAR names the functions of each root bus but that of the bridge with `bypass_iommu`."""
    platform = described("q35-pxb-bypass-6.1")
    units = {each.bus_range.first: each.iommu and each.iommu.unit for each in platform.host_bridges}
    assert {0: "vtd", 0x40: None} == units


def test_ports_of_an_ide_channel_are_no_bars() -> None:
    """PIIX3: the bus master registers are its one BAR."""
    functions = [each for bridge in described("pc-pxb-6.1").host_bridges for each in bridge.walk()]
    ide = next(each for each in functions if each.class_code >> 8 == 0x0101)
    assert [(4, "io", 16)] == [(bar.index, bar.space, bar.size) for bar in ide.bars]


def test_an_iommu_that_is_a_function_keeps_its_place() -> None:
    (unit,) = described("virt-dt-virtio-iommu-6.1").iommus
    assert (3 << 3, "pcie") == (getattr(unit, "devfn", None), getattr(unit, "parent", None))


def test_of_bridges_in_one_mcfg_entry_one_has_it() -> None:
    bridges = described("virt-acpi-pxb-7.2").host_bridges
    assert [False, False, True] == sorted(each.acpi.mcfg is not False for each in bridges)


def altered(name: str, change: Callable[[list[str]], list[str]]) -> set[tuple[Level, str]]:
    """What is said of the kernel's groups, with the snapshot's lines (without their numbers) changed."""
    lines = [line.partition(" ")[2] for line in text_of(name).decode().splitlines()]
    text = "".join(f"{i}/{len(line)} {line}\n" for i, line in enumerate(change(lines), 1))
    findings = validate_board(Board((Item(f"{name}.txt", None, text.encode()),))).findings
    return {(each.level, each.message) for each in findings if each.code == "RPX0891"}


def test_a_group_that_only_one_of_the_two_has_is_told() -> None:
    def without_group(lines: list[str]) -> list[str]:
        start = lines.index("function 0000:00:1e.0")
        return [
            line for at, line in enumerate(lines) if not (at in range(start, start + 30) and "group" in line)
        ]

    message = "the kernel gives 0000:00:1e.0 no group; simulated it has one"
    assert (Level.WARNING, message) in altered("q35-pci-bridges-7.2", without_group)


def test_an_iommu_that_no_table_we_read_tells_of_is_said_once() -> None:
    """Without DMAR, as with AMD's IVRS."""

    def without_dmar(lines: list[str]) -> list[str]:
        start = next(at for at, line in enumerate(lines) if line.startswith("data DMAR "))
        end = next(at for at in range(start + 1, len(lines)) if lines[at].startswith(("data ", "end")))
        return lines[:start] + lines[end:]

    message = "the kernel groups 5 functions by an IOMMU that the simulation does not know"
    assert {(Level.NOTE, message)} == altered("q35-pxb-bypass-6.1", without_dmar)


def test_messages_go_to_the_frame_that_the_kernel_found() -> None:
    """`GICv2m: range[mem 0x08020000-0x08020fff], SPI[80:143]`; QEMU's IORT names an ITS all the same."""
    platform = described("virt-acpi-gicv2-6.1")
    (frame,) = platform.msi_controllers
    assert (0x0802_0000, 80, 64) == tuple(getattr(frame, key) for key in ("base", "spi_base", "spi_count"))
    assert {frame.name} == {each.msi and each.msi.controller for each in platform.host_bridges}
