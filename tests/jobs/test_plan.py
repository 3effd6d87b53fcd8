"""`plan`: what goes to a guest, and above all what does not (xen.md §10, linux.md §6)."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.checks.altered import with_bytes
from tests.checks.passthrough.test_passthrough_checks import guests, platform, port
from tests.checks.plants import PLANTS, Plant
from tests.jobs.planned import plan, plan_for
from tests.simulator.xen.test_vtd_units import rmrr, scope
from tests.topologies.bundled import CHECKOUT, FILES, rootplex

from rootplex.backends.artifact import Compiled
from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.plan.job import plan_of
from rootplex.jobs.plan.result import GuestPlan
from rootplex.jobs.settings import RunOptions
from rootplex.readers.acpi.header import read_table

KVM = RunOptions(bare_metal=True)
NIC = "{name: nic, dev: 0, msix: 4}"
DISK = "{name: disk, dev: 0, fn: 1, msix: 4}"


def kinds(guest: GuestPlan) -> list[str]:
    return [each.kind for each in guest.obstacles]


@pytest.mark.parametrize("options", [RunOptions(), KVM])
def test_a_device_below_a_port_that_isolates_goes_alone(options: RunOptions) -> None:
    (guest,) = plan(platform(port(1, NIC), guests("nic")), options).guests
    assert [] == kinds(guest)
    (group,) = guest.together
    assert [("0000:01:00.0", "nic")] == [(each.sbdf, each.name) for each in group.members]
    assert (
        "0000:00:01.0 is a root port with ACS SV, RR, CR, UF on: 0000:01:00.0 stands alone below it"
        in group.why
    )


@pytest.mark.parametrize("options", [RunOptions(), KVM])
def test_a_hop_without_acs_is_named_with_who_is_beside(options: RunOptions) -> None:
    (guest,) = plan(platform(port(1, NIC, DISK, acs="false"), guests("nic")), options).guests
    (obstacle,) = guest.obstacles
    assert ("group", "RPX0504") == (obstacle.kind, obstacle.code)
    assert ["disk"] == [each.function.name for each in obstacle.others]
    assert "0000:00:01.0 is a root port without an ACS capability" in obstacle.why[0]


def test_a_whole_group_goes_together_and_its_port_stays() -> None:
    (guest,) = plan(platform(port(1, NIC, DISK, acs="false"), guests("nic, disk"))).guests
    assert [] == kinds(guest)
    assert [["nic", "disk"]] == [[each.name for each in group.members] for group in guest.together]
    assert ["rp1"] == [each.name for each in guest.staying]


def test_two_guests_may_not_share_a_group() -> None:
    one, other = plan(platform(port(1, NIC, DISK, acs="false"), guests("nic", "disk"))).guests
    assert (["g1"], ["g0"]) == tuple(
        [each.owner for each in guest.obstacles[0].others] for guest in (one, other)
    )


def test_what_the_host_boots_from_is_in_the_way() -> None:
    text = platform(port(1, NIC, DISK, acs="false"), guests("nic") + "boot: {device: disk}\n")
    (guest,) = plan(text).guests
    assert ["the boot device"] == [each.needed for each in guest.obstacles[0].others]
    assert ["needed"] == kinds(
        plan(platform(port(1, NIC), guests("nic") + "boot: {device: nic}\n")).guests[0]
    )


def test_a_switch_that_lets_requests_through_is_not_safe_though_the_kernel_parts_its_ports() -> None:
    """The safe partition is stricter than Linux's up to 7.2 (PCIe 6.0 §6.12)."""
    down = [
        f"{{name: down{i}, dev: {i}, type: downstream-port, devices: [{dev}]}}"
        for i, dev in enumerate((NIC, DISK.replace("fn: 1, ", "")))
    ]
    text = platform(
        port(1, f"{{name: up, dev: 0, type: upstream-port, devices: [{', '.join(down)}]}}"), guests("nic")
    )
    obstacles = plan(text).guests[0].obstacles
    assert ["unsafe"] == [each.kind for each in obstacles]
    assert ["disk"] == [each.function.name for each in obstacles[0].others]


@pytest.mark.parametrize(
    ("device", "kind"),
    [("rp1", "bridge"), ("nic", "no-group")],
)
def test_what_is_no_device_or_not_translated(device: str, kind: str) -> None:
    text = platform(port(1, NIC), guests(device))
    if kind == "no-group":
        text = text.replace("    iommu: {unit: smmu}\n", "")
    assert kind == kinds(plan(text).guests[0])[0]


def test_a_device_that_is_not_there() -> None:
    (obstacle,) = (
        plan(platform(port(1, NIC.replace("}", ", present: false}")), guests("nic"))).guests[0].obstacles
    )
    assert ("unseen", "nic", ("the slot of nic is empty",)) == (obstacle.kind, obstacle.text, obstacle.why)


def test_messages_of_a_gicv2m_are_not_told_apart_by_vfio() -> None:
    """Linux drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_attach_group: isolated messages or none."""
    text = platform(port(1, NIC), guests("nic")).replace(
        "{name: its, kind: arm-gic-v3-its, base: 0x808_0000}",
        "{name: its, kind: arm-gic-v2m, base: 0x808_0000, size: 4KiB, spi_base: 80, spi_count: 32}",
    )
    assert ["messages"] == kinds(plan(text, KVM).guests[0])
    wired = platform(port(1, "{name: nic, dev: 0, pin: A}"), guests("nic")).replace(
        "    msi: {controller: its}\n", ""
    )
    assert ["messages"] == kinds(plan(wired, KVM).guests[0])
    assert [] == kinds(plan(text).guests[0])


@pytest.mark.parametrize(
    ("device", "stride", "obstacles"),
    [
        ("{name: nic, dev: 0, msix: 4, aliases: [{dev: 0, fn: 1}]}", 1, []),
        ("{name: nic, dev: 0, msix: 4, aliases: [{dev: 0, fn: 4}]}", 4, []),
        ("{name: nic, dev: 0, msix: 4, aliases: [{dev: 0, fn: 2}, {dev: 0, fn: 4}]}", 2, []),
        ("{name: nic, dev: 0, msix: 4, aliases: [{dev: 4, fn: 0}]}", None, ["alias"]),
    ],
)
def test_ids_beside_its_own_are_told_to_xen(device: str, stride: int | None, obstacles: list[str]) -> None:
    """Xen xen/drivers/passthrough/pci.c: parse_phantom_dev takes 1, 2 and 4; alloc_pdev stays in the slot."""
    (guest,) = plan(platform(port(1, device), guests("nic"))).guests
    assert (stride, obstacles) == (guest.devices[0].phantom, kinds(guest))
    (bare,) = plan(platform(port(1, device), guests("nic")), KVM).guests
    assert (None, []) == (bare.devices[0].phantom, kinds(bare))


def with_reserved_memory(compiled: Compiled, *scopes: bytes) -> Compiled:
    """The compilation with an RMRR behind what its DMAR has."""
    table = bytearray(compiled.files["dmar.aml"] + rmrr(*scopes))
    struct.pack_into("<I", table, 4, len(table))
    return with_bytes(
        replace(compiled, files={**compiled.files, "dmar.aml": bytes(table)}),
        "dmar.aml",
        4,
        bytes(table[4:8]),
    )


@pytest.mark.parametrize(
    ("device", "named", "kept"),
    [
        ("net", scope(1, 0x18), True),  # 00:03.0 itself
        ("net", scope(1, 0x10), False),  # another's
        ("disk", scope(2, 0x10), True),  # the port above it
    ],
)
def test_memory_that_firmware_keeps_mapped_for_a_device(device: str, named: bytes, *, kept: bool) -> None:
    """Linux drivers/iommu/intel/iommu.c, device_rmrr_is_relaxable: VFIO is refused; Xen maps it."""
    text = (
        (CHECKOUT / "topologies" / "q35.yaml").read_text().replace("devices: [net]", f"devices: [{device}]")
    )
    made = []
    for options in (KVM, RunOptions()):
        checked = read_checked(text.encode(), "x.yaml")
        examination = examine(checked, options, lambda compiled: with_reserved_memory(compiled, named))
        made.append(plan_of(examination.facts, "q35", examination.findings).guests[0])
    assert kept is ("reserved" in kinds(made[0]))
    assert kept is made[1].devices[0].reserved
    assert "reserved" not in kinds(made[1])


def test_what_an_unread_iommu_does_is_not_known() -> None:
    """A RIMT says what RISC-V's IOMMU translates."""
    text = platform(port(1, NIC), guests("nic")).replace("firmware: [dt]", "firmware: [acpi]")
    text = text.replace("    iommu: {unit: smmu}\n", "")
    body = bytes(12)
    rimt = (
        struct.pack("<4sIBB6s8sI4sI", b"RIMT", 36 + len(body), 0, 0, b"BOCHS ", b"BXPC", 1, b"BXPC", 1) + body
    )

    examination = examine(read_checked(text.encode(), "x.yaml"), KVM)
    acpi = examination.facts.acpi
    assert acpi is not None
    acpi = replace(acpi, tables=(*acpi.tables, read_table(rimt, "rimt.aml")))
    obstacles = plan_of(replace(examination.facts, acpi=acpi), "x", examination.findings).guests[0].obstacles
    assert ("unknown", ("the table RIMT is not read",)) == (obstacles[0].kind, obstacles[0].why)


def test_an_error_of_the_bridge_is_in_the_way_though_its_author_expects_it() -> None:
    text = platform(port(1, NIC), guests("nic"))
    beside = text.replace("firmware: [dt]", "firmware: [dt, acpi]").replace(
        "    iommu: {unit: smmu}\n", "    iommu: {unit: smmu}\n    acpi: {segment: 2}\n"
    )
    (obstacle,) = plan(beside + "expect: {findings: [RPX0801]}\n").guests[0].obstacles
    assert ("finding", "RPX0801") == (obstacle.kind, obstacle.code)


def test_guests_that_are_named_beside_take_the_place_of_the_descriptions_own() -> None:
    text = platform(port(1, NIC, DISK, acs="false"))
    assert ["group"] == kinds(plan_for(text, "nic"))
    assert [] == kinds(plan_for(text, "nic", "0000:01:00.1"))


@pytest.mark.parametrize(
    "file", [each for each in FILES if "guests:" in each.read_text()], ids=lambda file: file.stem
)
def test_the_guests_of_the_bundled_boards_get_what_they_are_to_have(file: Path) -> None:
    found = plan(file.read_text())
    assert [] == [each.name for each in found.refused]


@pytest.mark.parametrize(
    "plant",
    [each for each in PLANTS if each.code.startswith("RPX05")],
    ids=lambda each: f"{each.code}-{each.what}",
)
def test_every_planted_fault_of_passthrough_is_refused(plant: Plant) -> None:
    text = (CHECKOUT / "topologies" / f"{plant.board}.yaml").read_text()
    for old, new in plant.changes:
        text = text.replace(old, new)
    examination = examine(read_checked((text + plant.tail).encode(), "x.yaml"), plant.options, plant.alter)
    found = plan_of(examination.facts, examination.platform.name, examination.findings)
    assert found.refused or not found.guests or found.elsewhere
    errors = {each.subject for each in examination.findings if each.code == plant.code}
    mine = {each.function.name for guest in found.guests for each in guest.devices} | {
        each.name for each in found.guests
    }
    assert found.refused or errors.isdisjoint(mine)


def test_the_command_says_what_to_write(tmp_path: Path) -> None:
    board = tmp_path / "board.yaml"
    board.write_text(platform(port(1, NIC)))
    done = rootplex("plan", board.name, cwd=tmp_path)
    line = "xen: {guests: [{name: guest, devices: [nic]}]}"
    assert (
        2,
        f"rootplex: board.yaml has no guest; write '{line}' into it, or name one with --guest guest=nic\n",
    ) == (
        done.returncode,
        done.stderr,
    )
    board.write_text(board.read_text() + "xen: {pci_passthrough: true}\n")
    told = rootplex("plan", board.name, cwd=tmp_path).stderr
    assert "write 'guests: [{name: guest, devices: [nic]}]' below its xen, or" in told
    board.write_text(board.read_text().replace("xen: {pci_passthrough: true}", line))
    assert 0 == rootplex("plan", board.name, cwd=tmp_path).returncode
    done = rootplex("plan", board.name, "--guest", "g=rp1", "--format", "json", cwd=tmp_path)
    answer = json.loads(done.stdout)
    assert (1, "bridge", []) == (
        done.returncode,
        answer["guests"][0]["obstacles"][0]["kind"],
        answer["guests"][0]["forms"],
    )
    done = rootplex("plan", board.name, "--guest", "g=nix", cwd=tmp_path)
    assert (2, "rootplex: Dom0 sees no function 'nix'; did you mean 'nic'?\n") == (
        done.returncode,
        done.stderr,
    )


def test_a_snapshot_is_planned_by_its_addresses(checkout: Path) -> None:
    """The machine ran without Xen: the forms are KVM's. Its kernel's groups are in it."""
    snapshot = str(checkout / "tests" / "capture" / "recorded" / "arm64-dt-7.2.txt")
    done = rootplex("plan", snapshot, "--guest", "g=0000:01:00.0", cwd=checkout)
    assert 0 == done.returncode
    assert "-device vfio-pci,host=0000:01:00.0" in done.stdout
    done = rootplex("plan", snapshot, "--guest", "g=0000:02:00.0", cwd=checkout)
    assert 1 == done.returncode
    assert "a PCIe-to-PCI bridge" in done.stdout
    assert 2 == rootplex("plan", snapshot, cwd=checkout).returncode
