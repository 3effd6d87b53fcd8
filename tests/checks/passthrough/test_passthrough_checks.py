"""05 groups and passthrough: what guests meet (linux.md §5-6, §8; xen.md §9-10)."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, marked_line, only

from rootplex.jobs.settings import RunOptions
from rootplex.source.finding import Finding, Level

BASE = """\
rootplex: 1
platform: {{name: guests, arch: {arch}, firmware: [dt]}}
memory: [{{base: 0x8000_0000, size: 2GiB}}]
interrupt_controllers:
  - name: gic
    kind: arm-gic-v3
    distributor: {{base: 0x800_0000, size: 64KiB}}
    redistributors: {{base: 0x80a_0000, size: 0x20_0000}}
msi_controllers: [{{name: its, kind: arm-gic-v3-its, base: 0x808_0000}}]
iommus: [{{name: smmu, kind: arm-smmu-v3, base: 0x905_0000}}]
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x1f]
    config: {{base: 0x40_1000_0000}}
    windows: [{{space: mem32, pci: 0x1000_0000, size: 128MiB}}]
    intx: {{controller: gic, irqs: [3, 4, 5, 6]}}
    msi: {{controller: its}}
    iommu: {{unit: smmu}}
    devices:
{devices}{rest}"""


def platform(devices: str, rest: str = "", *, arch: str = "arm64") -> str:
    """A platform with these devices on its one bridge (indented by six) and what follows."""
    lines = "".join(f"      {line}\n" for line in devices.strip("\n").splitlines())
    return BASE.format(devices=lines, rest=rest, arch=arch)


def port(dev: int, *below: str, acs: str = "true", name: str = "") -> str:
    """A root port with devices below it."""
    head = f"- {{name: {name or f'rp{dev}'}, dev: {dev}, type: root-port, acs: {acs}, devices: ["
    return "\n".join([head, *(f"    {each}," for each in below), "  ]}"])


def guests(*lists: str, mark: bool = True) -> str:
    entries = [f"    - name: g{i}\n      devices: [{names}]" for i, names in enumerate(lists)]
    entries[0] += "  #<" if mark else ""
    return "xen:\n  guests:\n" + "\n".join(entries) + "\n"


def the(text: str, code: str, options: RunOptions | None = None) -> Finding:
    """The one finding of a code, which must be at the marked line."""
    found = only(findings_of(text, options=options), code)
    assert len(found) == 1, [each.message for each in findings_of(text, options=options)]
    assert line_of(found[0].at) == marked_line(text)
    return found[0]


def codes(text: str, options: RunOptions | None = None) -> set[str]:
    return {finding.code for finding in findings_of(text, options=options)}


NIC = "{name: nic, dev: 0, class: ethernet, msix: 4}"
DISK = "{name: disk, dev: 0, class: nvme, msix: 4}"


def switch(*, acs: str, below: str = "true") -> str:
    """A switch with two downstream ports, a card behind each."""
    return port(
        1,
        f"""{{name: usp, dev: 0, type: upstream-port, devices: [
            {{name: d0, dev: 0, type: downstream-port, acs: {acs}, devices: [{NIC}]}},
            {{name: d1, dev: 3, type: downstream-port, acs: {acs}, devices: [{DISK}]}}]}}""",
        acs=below,
    )


def test_a_card_alone_behind_its_port() -> None:
    assert codes(platform(port(1, NIC), guests("nic"))) == set()


def test_a_whole_group_for_one_guest_is_a_note_about_its_port() -> None:
    """V02: a root port without ACS holds both functions and itself."""
    both = ("{name: a, dev: 0, msix: 2}", "{name: b, dev: 0, fn: 1, msix: 2}")
    text = platform(port(1, *both, acs="false"), guests("a, b"))
    found = the(text, "RPX0506")
    assert found.level is Level.NOTE
    assert "rp1 (0000:00:01.0)" in found.message
    assert codes(text) == {"RPX0506"}


def test_half_a_group_names_what_blocks_and_why() -> None:
    both = ("{name: a, dev: 0, msix: 2}", "{name: b, dev: 0, fn: 1, msix: 2}")
    text = platform(port(1, *both, acs="false"), guests("a"))
    found = the(text, "RPX0504")
    assert "b (0000:01:00.1), which stays in Dom0" in found.message
    assert any("0000:00:01.0 is a root port without an ACS capability" in note for note in found.notes)
    assert found.subject == "a"


def test_two_guests_in_one_group() -> None:
    both = ("{name: a, dev: 0, msix: 2}", "{name: b, dev: 0, fn: 1, msix: 2}")
    text = platform(port(1, *both), guests("a", "b", mark=False))
    found = only(findings_of(text), "RPX0504")
    assert [each.subject for each in found] == ["a", "b"]
    assert "which guest g1 is to have" in found[0].message


def test_a_switch_without_acs_is_apart_for_linux_and_not_safe() -> None:
    """V05: 7.2 gives each card a group, the proposed algorithm none; the safe partition joins them."""
    text = platform(switch(acs="false"), guests("nic"))
    found = the(text, "RPX0507")
    assert found.level is Level.WARNING
    assert "disk (0000:04:00.0), which stays in Dom0, is not safely apart" in found.message
    assert "RPX0504" in codes(text, RunOptions(kernel="jgg-v3"))
    assert not codes(platform(switch(acs="true"), guests("nic")))


def test_late_acs_is_told_where_it_matters() -> None:
    """LNX-54: 6.1 on a device tree has not switched ACS on when it scans the first bridge; nor does
    a Xen without an IOMMU (§4.2)."""
    both = ("{name: a, dev: 0, msix: 2}", "{name: b, dev: 0, fn: 1, msix: 2, acs: true}")
    functions = ("{name: a, dev: 0, msix: 2, acs: true}", both[1])
    text = platform(port(1, *functions), guests("a") + "  iommu: false\n")
    assert "RPX0504" not in codes(text)
    found = the(text, "RPX0504", RunOptions(kernel="linux-6.1"))
    assert any("linux-6.1 can switch ACS on too late" in note for note in found.notes)


def test_behind_a_conventional_bridge_all_are_one() -> None:
    """V10, XP-56: one requester id for all. SMMUv3 takes one of them."""
    bridge = """{name: br, dev: 0, type: pcie-to-pci-bridge, devices: [
        {name: p1, dev: 0, type: pci, pin: A}, {name: p2, dev: 1, type: pci, pin: A}]}"""
    v2 = changed(
        platform(port(1, bridge), guests("p1")),
        (
            "kind: arm-smmu-v3, base: 0x905_0000",
            "kind: arm-smmu-v2, base: 0x905_0000, size: 64KiB, interrupts: [9, 9]",
        ),
    )
    assert "p2" in the(v2, "RPX0504").message
    v3 = platform(port(1, bridge), guests("p2"))
    assert "StreamID" in the(v3, "RPX0503").notes[0]


def test_the_boot_device_in_a_guests_group() -> None:
    both = ("{name: a, dev: 0, msix: 2}", "{name: b, dev: 0, fn: 1, msix: 2}")
    text = platform(port(1, *both, acs="false"), guests("a") + "boot: {device: b}\n")
    found = the(text, "RPX0505")
    assert "the boot device, is in the group of a" in found.message
    assert "RPX0504" not in codes(text)
    alone = platform(port(1, NIC) + "\n" + port(2, DISK), guests("nic") + "boot: {device: disk}\n")
    assert not codes(alone)


def test_the_boot_device_for_a_guest() -> None:
    text = platform(port(1, NIC), guests("nic") + "boot: {device: nic}\n")
    assert "the boot device" in the(text, "RPX0505").message


def test_a_console_in_a_guests_group() -> None:
    both = ("{name: a, dev: 0, msix: 2}", "{name: uart, dev: 0, fn: 1, msix: 2, class: 0x070002}")
    assert "a console of Dom0's" in the(platform(port(1, *both, acs="false"), guests("a")), "RPX0505").message


def test_a_port_for_a_guest() -> None:
    text = platform(port(1, NIC), guests("rp1, nic"))
    assert "rp1, a root port" in the(text, "RPX0502").message
    host = platform("- {name: hb, dev: 0, type: host-bridge-function}", guests("hb"))
    assert "a host bridge's function" in the(host, "RPX0502").message


def test_a_guests_device_that_is_not_there() -> None:
    text = platform(port(1, NIC.replace("dev: 0", "dev: 0, present: false")), guests("nic"))
    assert the(text, "RPX0501").notes == ("the slot of nic is empty",)


def test_a_guests_device_that_nothing_translates() -> None:
    text = changed(platform(port(1, NIC), guests("nic")), ("    iommu: {unit: smmu}\n", ""))
    assert "no iommu-map" in the(text, "RPX0503").notes[0]


LEGACY = "{name: card, dev: 0, pin: A}"
OTHER = "{name: other, dev: 0, pin: A}"


def test_a_shared_line_without_messages_is_an_error() -> None:
    """Ports on devices 1 and 5: the swizzle brings both pins A to the same wire."""
    text = platform(port(1, LEGACY) + "\n" + port(5, OTHER), guests("card"))
    found = the(text, "RPX0509")
    assert found.level is Level.ERROR
    assert "other (0000:02:00.0) of Dom0" in found.message
    assert "RPX0510" not in codes(text)


def test_a_shared_line_with_messages_is_a_warning_where_others_have_none() -> None:
    card = LEGACY.replace("pin: A", "pin: A, msix: 2")
    text = platform(port(1, card) + "\n" + port(5, OTHER), guests("card"))
    assert the(text, "RPX0509").level is Level.WARNING


def test_a_shared_line_that_nobody_needs() -> None:
    card, other = (each.replace("pin: A", "pin: A, msix: 2") for each in (LEGACY, OTHER))
    assert not codes(platform(port(1, card) + "\n" + port(5, other), guests("card")))


def test_a_line_of_its_own_is_a_warning_on_pci_express() -> None:
    text = platform(port(1, LEGACY) + "\n" + port(2, OTHER), guests("card"))
    found = the(text, "RPX0510")
    assert (found.level, "neither MSI nor MSI-X" in found.message) == (Level.WARNING, True)


def test_messages_without_a_controller() -> None:
    text = changed(platform(port(1, NIC), guests("nic")), ("    msi: {controller: its}\n", ""))
    assert the(text, "RPX0510").level is Level.ERROR


def test_one_stream_for_two_owners_is_told_by_itself() -> None:
    """XP-33: Xen's SMMUv3 driver hits a BUG (m8, i1, v9 of its known answers)."""
    text = changed(
        platform(port(1, NIC) + "\n" + port(2, DISK), guests("nic")),
        (
            "    iommu: {unit: smmu}\n",
            "    iommu: {unit: smmu, mask: 0xff, map: [{rid: 0, id: 0, count: 0x100}]}\n",
        ),
    )
    assert "RPX0901" in codes(text)
    assert "RPX0507" not in codes(text)


def test_small_bars_in_one_page() -> None:
    small = "bars: [{index: 0, space: mem32, size: 1KiB}]"
    both = (
        f"{{name: a, dev: 0, msix: 2, acs: true, {small}}}",
        f"{{name: b, dev: 0, fn: 1, msix: 2, acs: true, {small}}}",
    )
    text = platform(port(1, *both), guests("a", mark=False))
    assert [each.subject for each in only(findings_of(text), "RPX0508")] == ["a"]
    large = text.replace("1KiB", "4KiB")
    assert not codes(large)


def test_vfs_beyond_the_bus_range() -> None:
    """11.4: VF64 of a PF with offset 0x80 and stride 2 is on the next bus."""
    vfs = "sriov: {total: 65, offset: 0x80, stride: 2, vf_id: 0x1001, enabled: 65}"
    pf = f"{{name: pf, dev: 0, ari: true, msix: 2, {vfs}}}"
    text = platform(port(1, pf))
    assert "RPX0512" not in codes(text)
    narrow = changed(text, ("[0, 0x1f]", "[0, 1]"))
    found = only(findings_of(narrow), "RPX0512")
    assert len(found) == 1
    assert "beyond 0x01" in found[0].message


def test_what_vpci_cannot_carry() -> None:
    both = ("{name: a, dev: 0, msix: 2, acs: true}", "{name: b, dev: 0, fn: 1, msix: 2, acs: true}")
    text = platform(port(1, *both), guests("b"))
    assert "is not a function 0" in the(text, "RPX0513", RunOptions(vpci=True)).message
    assert not codes(text)


def test_small_bars_under_vpci() -> None:
    text = platform(
        port(1, NIC[:-1] + ", bars: [{index: 0, space: mem32, size: 256}]}"), guests("nic", mark=False)
    )
    assert "less than a page" in only(findings_of(text, options=RunOptions(vpci=True)), "RPX0513")[0].message


def test_one_device_for_two_guests() -> None:
    text = platform(port(1, NIC), guests("nic", "nic", mark=False))
    found = only(findings_of(text), "RPX0514")
    assert [each.notes for each in found] == [("another guest has it (-EBUSY)",)]


def test_a_device_named_twice_is_told_once_and_shares_no_page_with_itself() -> None:
    nic = NIC[:-1] + ", bars: [{index: 0, space: mem32, size: 4KiB}]}"
    text = platform(port(1, nic), guests("nic", "nic, nic", mark=False))
    assert [each.code for each in findings_of(text)] == ["RPX0514"]


def test_a_place_is_related_once() -> None:
    """Two functions without ACS: the other one is both in the way and a reason."""
    both = ("{name: a, dev: 0, msix: 2}", "{name: b, dev: 0, fn: 1, msix: 2}")
    (found,) = only(findings_of(platform(port(1, *both), guests("a", mark=False))), "RPX0504")
    places = [related.at for related in found.related]
    assert len(places) == len(set(places)) == 2


@pytest.mark.parametrize("kernel", ["linux-7.2", "linux-6.12", "linux-6.1", "jgg-v3"])
def test_cards_behind_ports_of_their_own_are_sound_on_every_kernel(kernel: str) -> None:
    text = platform(port(1, NIC) + "\n" + port(2, DISK), guests("nic", "disk", mark=False))
    assert codes(text, RunOptions(kernel=kernel)) <= {"RPX0506"}


DISKS = port(
    1,
    "{name: br, dev: 0, type: pcie-to-pci-bridge, devices: ["
    "{name: one, dev: 1, type: pci, class: nvme}, {name: two, dev: 2, type: pci, class: nvme}]}",
)


def test_which_disk_has_a_group_is_left_to_chance() -> None:
    """6.x probes NVMe functions all at once; 7.2 groups before."""
    text = platform(DISKS)
    (found,) = only(findings_of(text, options=RunOptions(kernel="linux-6.12")), "RPX0515")
    assert (found.message, found.level) == (
        "which of these has a group is left to chance: one, two",
        Level.NOTE,
    )
    assert found.notes == ("linux-6.12 probes them all at once, and one gets the StreamID that they share",)
    assert (
        found.help == "put them behind ports of their own, or take a kernel that groups as devices are found"
    )
    assert only(findings_of(text), "RPX0515") == ()
    wanted = text + guests("one", mark=False)
    (found,) = only(findings_of(wanted, options=RunOptions(kernel="linux-6.12")), "RPX0515")
    assert found.level is Level.WARNING
