"""What `check` and `groups` print: the whole text, for platforms small enough to judge by eye."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.checks.two_bridges import SOUND
from tests.topologies.bundled import rootplex

from rootplex.capture.snapshot import parse_snapshot
from rootplex.jobs.check import Examination, check_text, examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.groups import groups_of
from rootplex.jobs.requester import requester_of
from rootplex.jobs.result import Message
from rootplex.jobs.settings import RunOptions
from rootplex.report import groups, requester
from rootplex.report.text import Sources, Style, render

BOTH = SOUND.replace("  firmware: [dt]\n", "  firmware: [dt, acpi]\n")
REST = "  guests: [{name: g, devices: [disk]}]\nboot: {device: card}\n"


def text_of(description: str, **options: str) -> str:
    result = check_text(description.encode(), "two.yaml", RunOptions(**options))  # type: ignore[arg-type]
    return render((result,), Sources({}), Style())


def examined(description: str) -> Examination:
    return examine(read_checked(description.encode(), "two.yaml"), RunOptions())


def test_a_consistent_platform() -> None:
    # Segments and buses as the description has them; disk is below the first port on bus 0, so on bus
    # 1, and card on the first bus of its bridge.
    assert text_of(BOTH + REST) == (
        "two-bridges: consistent (linux-7.2, dt)\n"
        "  bridge  buses  DT    MCFG  _SEG  IORT  Xen   Dom0\n"
        "  one     00-0f  0000  0000  0000  0000  0000  0000\n"
        "  two     10-1f  0001  0001  0001  0001  0001  0001\n"
        "  boot: card at 0001:10:01.0, reachable by mcfg, dt\n"
        "  groups: 3 for 3 functions\n"
        "  guest g: whole groups (disk 0000:01:00.0)\n"
    )


def test_without_acpi_there_are_no_numbers_of_its_tables() -> None:
    lines = text_of(SOUND).splitlines()
    assert lines[2] == "  one     00-0f  0000  -     -     -     0000  0000"


def test_a_disabled_bridge_is_said_to_be() -> None:
    text = text_of(SOUND.replace("  - name: two\n", "  - name: two\n    enabled: false\n"))
    assert "  two (disabled)  10-1f  0001  -" in text


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("        acs: true\n", "        acs: false\n", "whole groups"),
        ("            dev: 0\n", "            dev: 0\n            present: false\n", "devices missing"),
        ("    iommu: {unit: smmu}\n    dt: {label: first}\n", "", "not translated"),
    ],
)
def test_a_guests_verdict(old: str, new: str, verdict: str) -> None:
    assert SOUND.count(old) == 1
    assert f"guest g: {verdict} (" in text_of(SOUND.replace(old, new) + REST)


def test_groups_with_reasons_and_guests() -> None:
    examination = examined(SOUND + REST)
    assert examination.outcome is not None
    assert list(groups.lines(groups_of(examination.facts, examination.outcome))) == [
        "groups of linux-7.2, booted by device tree",
        "group 0: 0000:00:01.0 (port)",
        "    0000:00:01.0 is on the root bus and shares nothing with another function there",
        "group 1 (guest g): 0000:01:00.0 (disk)",
        "    0000:00:01.0 is a root port with ACS SV, RR, CR, UF on: 0000:01:00.0 stands alone below it",
        "group 2: 0001:10:01.0 (card)",
        "    0001:10:01.0 is on the root bus and shares nothing with another function there",
        "the safe partition is the same",
        "Xen has no groups on Arm: to it every function is alone",
        "guest g: whole groups (disk 0000:01:00.0)",
    ]


def test_no_address_without_its_segment() -> None:
    """Two bridges have a 00.0 each; a bare bus:dev.fn would be ambiguous."""
    examination = examined(BOTH + REST)
    assert examination.outcome is not None
    lines = [*groups.lines(groups_of(examination.facts, examination.outcome))]
    for function in examination.outcome.dom0.functions:
        lines += requester.lines(requester_of(examination.facts, examination.outcome, function.sbdf))
    bare = re.compile(r"(?<![0-9a-f]{4}:)\b[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b")
    assert [line for line in lines if bare.search(line)] == []


def test_one_requesters_way_by_both_firmwares() -> None:
    examination = examined(BOTH)
    assert examination.outcome is not None
    lines = list(requester.lines(requester_of(examination.facts, examination.outcome, "0001:10:01.0")))
    assert lines[0] == "0001:10:01.0 (card): requester id 0x1008 in segment 0001"
    assert [line for line in lines if line.startswith("by ")] == ["by device tree:", "by ACPI:"]
    # Identity maps: StreamID and DeviceID are the RID; INTA of device 1 is the second of 7, 8, 9, 10.
    assert sum("StreamID 0x1008 at smmu (" in line for line in lines) == 2
    assert sum("DeviceID 0x1008 at " in line for line in lines) == 2
    assert sum("pin: INTA -> interrupt 8" in line for line in lines) == 2
    assert "both firmwares say the same" in lines


def test_no_function_at_an_address() -> None:
    examination = examined(SOUND)
    assert examination.outcome is not None
    with pytest.raises(KeyError):
        requester.lines(requester_of(examination.facts, examination.outcome, "0000:1f:00.0"))


def test_x86_messages_go_to_the_local_apic() -> None:
    pc = """\
rootplex: 1
platform: {name: pc, arch: x86_64}
memory: [{base: 0, size: 2GiB}]
interrupt_controllers: [{name: apic, kind: io-apic, base: 0xfec0_0000}]
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0xb000_0000}
    windows: [{space: mem32, pci: 0xc000_0000, size: 256MiB}]
    intx: {controller: apic, irqs: [16, 17, 18, 19]}
    devices: [{name: card, dev: 1, type: integrated-endpoint, msi: 1}]
"""
    result = check_text(pc.encode(), "pc.yaml", RunOptions())
    assert [each.msi for each in result.machine.devices] == [Message(controller="lapic", id=8)]


@pytest.mark.parametrize(
    ("file", "kind"),
    [("qemu-virt.dtb", "device tree"), ("qemu-virt.dts", "device tree source"), ("mcfg.aml", "ACPI tables")],
)
def test_a_firmware_file_is_told_by_its_kind(file: str, kind: str, checkout: Path) -> None:
    """Who hands `check` what `import` takes is told so, and not where its bytes are no UTF-8."""
    data = (checkout / "generated" / "qemu-virt" / file).read_bytes()
    result = check_text(data, file, RunOptions())
    assert result.unreadable
    (finding,) = result.findings
    assert (finding.code, finding.message) == ("RPX0001", f"expected a platform description, found: {kind}")
    assert finding.help is not None
    assert "rootplex import" in finding.help


def test_a_faulty_description_is_no_firmware_file() -> None:
    result = check_text(b"rootplex: 1\n/ {\n", "x.yaml", RunOptions())
    assert "does not parse" in result.findings[0].message


def test_a_function_is_explained_by_its_name_as_by_its_sbdf(checkout: Path) -> None:
    board = str(checkout / "topologies" / "qemu-virt.yaml")
    by_name = rootplex("explain", "disk", board, cwd=checkout)
    assert by_name.stdout.startswith("0000:01:00.0 (disk): requester id 0x0100 in segment 0000\n")
    assert by_name.stdout == rootplex("explain", "0000:01:00.0", board, cwd=checkout).stdout
    unknown = rootplex("explain", "dsik", board, cwd=checkout)
    assert unknown.returncode == 2
    assert unknown.stderr == (
        "rootplex: Dom0 sees no function dsik; it sees: root, net, rp, disk, 0000:00:00.0, 0000:00:01.0, "
        "0000:00:02.0, 0000:01:00.0\n"
    )


def test_groups_and_ways_of_a_snapshot(checkout: Path) -> None:
    """The groups that this kernel had: /sys/kernel/iommu_groups is in the snapshot."""
    snapshot = checkout / "tests" / "capture" / "recorded" / "arm64-dt-7.2.txt"
    kernels: dict[int, set[str]] = {}
    for each in parse_snapshot(snapshot.read_text(), "x").functions:
        if each.group is not None:
            kernels.setdefault(each.group, set()).add(str(each.sbdf))
    answer = json.loads(rootplex("groups", str(snapshot), "--format", "json", cwd=checkout).stdout)
    assert sorted(map(sorted, kernels.values())) == sorted(
        sorted(each["members"]) for each in answer["groups"]
    )
    assert answer["xen"] is None
    shown = rootplex("explain", "0000:00:02.0", str(snapshot), cwd=checkout).stdout
    assert shown.startswith("0000:00:02.0: requester id 0x0010 in segment 0000\n")


def test_a_tree_without_functions_has_no_groups(checkout: Path) -> None:
    done = rootplex("groups", str(checkout / "generated" / "qemu-virt" / "qemu-virt.dtb"), cwd=checkout)
    assert 2 == done.returncode
    assert "alone: take a snapshot (`rootplex capture`), or describe them" in done.stderr
