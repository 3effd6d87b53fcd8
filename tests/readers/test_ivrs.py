"""IVRS read and written: bytes laid by the specification (AMD I/O Virtualization 3.08 §5.2), ours as iasl
prints them, and what Linux makes of both."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest
from tests.checks.cases import changed, findings_of, only

from rootplex.jobs.check import Examination, examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.ivrs import Ivrs, read_ivrs
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.firmware.routing.ivrs_units import add_aliases

PC = """\
rootplex: 1
platform: {name: amd, arch: x86_64}
memory: [{base: 0x0, size: 2GiB}]
interrupt_controllers: [{name: ioapic, kind: io-apic, base: 0xfec0_0000, gsi_base: 0}]
iommus:
  - {name: one, kind: amd-iommu, base: 0xfeb8_0000}
  - {name: two, kind: amd-iommu, base: 0xfeb0_0000}
host_bridges:
  - name: pci0
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0xe000_0000}
    windows: [{space: mem32, pci: 0xc000_0000, size: 256MiB}]
    iommu: {unit: one}
    devices:
      - {name: unit0, dev: 0, fn: 2, type: pci, class: 0x080600}
      - {dev: 0, type: host-bridge-function}
      - name: bridge
        dev: 4
        type: pcie-to-pci-bridge
        bus: [1, 1]
        devices: [{name: card, dev: 2, type: pci}, {name: other, dev: 3, type: pci}]
  - name: pci1
    segment: 0
    bus_range: [0x40, 0x7f]
    config: {base: 0xe400_0000}
    windows: [{space: mem32, pci: 0xd000_0000, size: 256MiB}]
    iommu: {unit: two}
    devices:
      - {dev: 0, type: host-bridge-function}
      - {name: unit1, dev: 0, fn: 2, type: pci, class: 0x080600}
      - name: port
        dev: 1
        type: root-port
        acs: true
        bus: [0x41, 0x41]
        devices: [{name: nic, dev: 0, msi: 1}]
xen: false
"""


def table(*blocks: bytes) -> Ivrs:
    """A table of these blocks, read."""
    body = struct.pack("<IQ", 0x00203040, 0) + b"".join(blocks)
    head = struct.pack("<4sIBB6s8sI4sI", b"IVRS", 36 + len(body), 2, 0, b"AMD", b"TEST", 1, b"TEST", 1)
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xFF
    return read_ivrs(read_table(bytes(data), "ivrs.dat"))


def ivhd(type: int, entries: bytes, base: int = 0xFEB8_0000, segment: int = 0, device: int = 2) -> bytes:
    """A unit's block."""
    more = b"" if type == 0x10 else bytes(16)
    length = 24 + len(more) + len(entries)
    return struct.pack("<BBHHHQHHI", type, 0xB0, length, device, 0x40, base, segment, 0, 0) + more + entries


def short(type: int, device: int, flags: int = 0) -> bytes:
    return struct.pack("<BHB", type, device, flags)


def wide(type: int, device: int, alias: int) -> bytes:
    return struct.pack("<BHBBHB", type, device, 0, 0, alias, 0)


ENTRIES = (
    short(3, 0x0100) + short(4, 0x01FF)  # a range
    + short(2, 0x0008, 0xD7)  # one
    + wide(0x43, 0x0200, 0x00A5) + short(4, 0x02FF)  # a range with an alias
    + wide(0x42, 0x0300, 0x0301)  # one with an alias
    + struct.pack("<BHBBHB", 0x48, 0, 0xD7, 0x21, 0x00A0, 1)  # the I/O APIC 0x21
    + bytes(4)  # padding
)  # fmt: skip
HID = struct.pack("<BHB8s8sBB", 0xF0, 0x98, 0, b"AMDI0020", bytes(8), 2, 5) + b"\\_SB1"


def test_every_kind_of_entry() -> None:
    read = table(ivhd(0x10, ENTRIES), ivhd(0x40, ENTRIES + HID))
    assert read.problems == ()
    assert (read.info, [unit.type for unit in read.ivhds]) == (0x00203040, [0x10, 0x40])
    (used,) = read.used
    assert (used.type, used.base, used.device_id, used.capability) == (0x40, 0xFEB8_0000, 2, 0x40)
    assert [(each.first, each.last, each.alias, each.special, each.name) for each in used.ids] == [
        (0x0100, 0x01FF, None, None, None),
        (0x0008, 0x0008, None, None, None),
        (0x0200, 0x02FF, 0x00A5, None, None),
        (0x0300, 0x0300, 0x0301, None, None),
        (0x00A0, 0x00A0, None, (0x21, 1), None),
        (0x0098, 0x0098, None, None, ("AMDI0020", "\\_SB1")),
    ]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (ivhd(0x10, short(4, 0x1FF)), "the end of a range that has no beginning"),
        (ivhd(0x10, short(3, 0x100)), "a range that has no end"),
        (ivhd(0x10, short(3, 0x100) + short(3, 0x200) + short(4, 0x2FF)), "a range that has no end"),
        (ivhd(0x10, b"\x42\x00\x01\x00"), "entry of type 0x42, 4 bytes are left"),
        (ivhd(0x11, b"")[:-4], "block of 40 bytes, 36 are left"),
        (struct.pack("<BBHH", 0x10, 0, 6, 2), "block of type 0x10 has 6 bytes, not 24"),
    ],
)
def test_what_does_not_fit_is_told(block: bytes, text: str) -> None:
    assert [problem.text for problem in table(block).problems] == [text]


def examined(text: str = PC) -> Examination:
    checked = read_checked(text.encode(), "amd.yaml")
    assert checked.is_sound, checked.findings
    return examine(checked, RunOptions())


def booted(examination: Examination) -> Outcome:
    assert examination.outcome is not None
    return examination.outcome


def test_two_units_share_a_segment_by_their_buses() -> None:
    """`rlookup_table`: each id has the unit that names it; a unit's own function is taken out."""
    examination = examined()
    assert not [each for each in examination.findings if each.level.value == "error"]
    outcome = booted(examination)
    names = {each.sbdf: outcome.streams[each].unit for each in outcome.dom0.functions}
    bases = {sbdf: None if unit is None else unit.base for sbdf, unit in names.items()}
    assert bases["0000:00:00.0"] == bases["0000:01:02.0"] == 0xFEB8_0000
    assert bases["0000:41:00.0"] == 0xFEB0_0000
    assert bases["0000:00:00.2"] is bases["0000:40:00.2"] is None
    groups = {each.sbdf: each.group for each in outcome.dom0.functions}
    assert groups["0000:01:02.0"] == groups["0000:01:03.0"] == groups["0000:00:04.0"]


def test_an_alias_on_the_own_bus_binds_two_functions() -> None:
    """`setup_aliases`: the table may know what the kernel does not."""
    entries = short(3, 0) + short(4, 0xFFFF) + wide(0x42, 0x0009, 0x0008)
    more = "- {dev: 1, type: pci}\n      - {dev: 1, fn: 1, type: pci}\n      - name: bridge"
    text = changed(PC, ("- {dev: 0, type: host-bridge-function}\n      - name: bridge", more))
    functions = booted(examined(text)).dom0.functions
    add_aliases(table(ivhd(0x10, entries)), functions)
    (user,) = (each for each in functions if each.sbdf == "0000:00:01.1")
    assert user.aliases == (0x08,)


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ((("{name: unit0, dev: 0, fn: 2,", "{name: unit0, dev: 0, fn: 3,"),), "RPX0762", "error"),
        ((("segment: 0\n    bus_range: [0x40", "segment: 1\n    bus_range: [0x40"),
          ("unit: two", "unit: one")), "RPX0759", "error"),
        ((("base: 0xfeb0_0000}", "base: 0xfeb0_0000, scopes: [nic, port]}"),), None, None),
        ((("base: 0xfeb0_0000}", "base: 0xfeb0_0000, scopes: [nicc]}"),), "RPX0007", "error"),
        ((("base: 0xfeb0_0000}", "base: 0xfeb0_0000, scopes: [port]}"),
          ("        bus: [0x41, 0x41]\n", "")), "RPX0024", "error"),
    ],
)  # fmt: skip
def test_findings_about_units(
    changes: tuple[tuple[str, str], ...], code: str | None, level: str | None
) -> None:
    found = findings_of(changed(PC, *changes))
    assert [(each.code, str(each.level)) for each in found if str(each.level) in ("error", "warning")] == (
        [] if code is None else [(code, level)]
    )


def test_scopes_name_functions_and_what_is_below() -> None:
    text = changed(PC, ("base: 0xfeb0_0000}", "base: 0xfeb0_0000, scopes: [port]}"))
    outcome = booted(examined(text))
    unit = {each.sbdf: outcome.streams[each].unit for each in outcome.dom0.functions}
    assert unit["0000:41:00.0"] is not None
    assert unit["0000:40:01.0"] is not None
    assert unit["0000:40:00.0"] is None


def test_an_id_with_an_alias_is_not_told_of_as_its_own() -> None:
    """Xen takes the id of a device whose mapping is valid for its requests' (`get_dma_requestor_id`); the
    functions below the conventional bridge are known to it by that bridge's."""
    examination = examined(PC.replace("xen: false\n", ""))
    first = read_ivrs(read_table(examination.compiled.files["ivrs.aml"], "ivrs.aml")).ivhds[0]
    assert [(each.first, each.last, each.alias) for each in first.ids] == [
        (0x0000, 0x00FF, None),
        (0x0200, 0x3FFF, None),
        (0x0100, 0x01FF, 0x0100),
    ]
    assert "RPX0915" not in [finding.code for finding in examination.findings]
    xen = booted(examination).xen
    assert xen is not None
    together = next(group for group in xen.groups() if len(group) > 1)
    assert [record.sbdf for record in together] == ["0000:01:02.0", "0000:01:03.0"]


def test_a_segment_without_a_unit() -> None:
    """Xen's query for a group would end it there; nobody asks, and what is told goes on without it."""
    text = changed(
        PC.replace("xen: false\n", ""),
        ("segment: 0\n    bus_range: [0x40", "segment: 1\n    bus_range: [0x40"),
        ("    iommu: {unit: two}\n", ""),
        ("  - {name: two, kind: amd-iommu, base: 0xfeb0_0000}\n", ""),
    )
    xen = booted(examined(text)).xen
    assert xen is not None
    assert "0001:41:00.0" in [record.sbdf for group in xen.groups() for record in group]


def test_iasl_reads_what_we_write(tmp_path: Path, program: object) -> None:
    """Its own disassembly names each field's value as ours."""
    assert callable(program)
    data = examined().compiled.files["ivrs.aml"]
    (tmp_path / "ivrs.aml").write_bytes(data)
    subprocess.run([program("iasl"), "-d", "ivrs.aml"], cwd=tmp_path, check=True, capture_output=True)
    text = (tmp_path / "ivrs.dsl").read_text(encoding="utf-8")
    shown = [int(each, 16) for each in re.findall(r"(?<!Used )Device ?I[dD] : ([0-9A-F]{4})\n", text)]
    ours = read_ivrs(read_table(data, "ivrs.aml"))
    listed: list[int] = []
    for unit in ours.ivhds:
        listed.append(unit.device_id)
        for ids in unit.ids:
            listed += [ids.first] if ids.first == ids.last else [ids.first, ids.last]
    assert shown == listed
    bases = [int(each, 16) for each in re.findall(r"Base Address : ([0-9A-F]+)\n", text)]
    assert bases == [unit.base for unit in ours.ivhds]
    assert not only(findings_of(PC), "RPX0758")
