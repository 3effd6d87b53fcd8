"""Block 01: each check fires on the sound platform with one thing broken, at the line of that thing."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions

XEN = ("discovery: dom0", "discovery: xen")
CONFIG_ONE = "config: {base: 0x40_1000_0000}"
CONFIG_TWO = "config: {base: 0x40_1100_0000}"
LOW = "- {space: mem32, pci: 0x1000_0000, size: 128MiB}"
LOW_TWO = "- {space: mem32, pci: 0x2000_0000, size: 128MiB}"
HIGH = "- {space: mem64, pci: 0x80_0000_0000, size: 1GiB}"
BITS_32 = (("arch: arm64", "arch: arm"), ("kernel: linux-7.2", "bits: 32"))
PLAIN_CELLS = "0x02000000, 0, 0x20000000, 0, 0x20000000, 0, 0x8000000"
WINDOWED = "kind: windowed, base: 0x40_1000_0000, size: 64KiB"

# What it shows, code, level, changes of the sound platform; the mark is where the finding points.
FIRES = [
    ("config in RAM", "RPX0101", "error", [(CONFIG_ONE, "config: {base: 0x9000_0000} #<")]),
    (
        "config in RAM that starts inside it",
        "RPX0101",
        "error",
        [(CONFIG_ONE, "config: {base: 0x7ff0_0000} #<")],
    ),
    ("window in RAM", "RPX0102", "error", [(LOW, "- {space: mem32, pci: 0x8000_0000, size: 1MiB} #<")]),
    ("one configuration space twice", "RPX0103", "error", [(CONFIG_TWO, f"{CONFIG_ONE} #<")]),
    ("the last bus of one is the first of two", "RPX0103", "error",
     [(CONFIG_TWO, "config: {base: 0x40_10f0_0000} #<")]),
    ("windows of two bridges", "RPX0104", "error",
     [(LOW_TWO, "- {space: mem32, pci: 0x17ff_0000, size: 1MiB} #<")]),
    ("windows of one bridge", "RPX0104", "error",
     [(HIGH, "- {space: mem64, pci: 0x80_0000_0000, cpu: 0x1700_0000, size: 64MiB} #<")]),
    ("window over its own configuration space", "RPX0105", "error",
     [(HIGH, "- {space: mem64, pci: 0x40_0000_0000, size: 1GiB} #<")]),
    ("config over the GIC", "RPX0106", "error", [(CONFIG_ONE, "config: {base: 0x780_0000} #<")]),
    ("window over the ITS", "RPX0106", "error", [(LOW, "- {space: mem32, pci: 0x808_0000, size: 1MiB} #<")]),
    ("config too small", "RPX0108", "warning",
     [(CONFIG_ONE, "config: {base: 0x40_1000_0000, size: 8MiB} #<")]),
    ("config too small for Xen", "RPX0108", "error",
     [(CONFIG_ONE, "config: {base: 0x40_1000_0000, size: 8MiB} #<"), XEN]),
    ("config too large", "RPX0108", "note",
     [(CONFIG_TWO, "config: {base: 0x40_1100_0000, size: 32MiB} #<")]),
    ("config too large for Xen", "RPX0108", "warning",
     [(CONFIG_TWO, "config: {base: 0x40_1100_0000, size: 32MiB} #<"), XEN]),
    ("config of no size", "RPX0109", "error",
     [("dt: {label: first}", "dt: {properties: {reg: [0x40, 0x10000000, 0, 0]}} #<")]),
    ("config ends within a bus", "RPX0109", "warning",
     [(CONFIG_TWO, "config: {base: 0x40_1100_0000, size: 0x100_1000} #<")]),
    ("config off a page", "RPX0110", "error", [(CONFIG_ONE, "config: {base: 0x40_0000_0100} #<")]),
    ("config off a bus", "RPX0110", "warning", [(CONFIG_ONE, "config: {base: 0x40_0001_0000} #<")]),
    ("full config off 256 MiB", "RPX0110", "error",
     [(CONFIG_TWO, "config: {base: 0x50_0100_0000} #<"), ("[0x10, 0x1f]", "[0, 0xff]")]),
    ("config beyond Xen", "RPX0111", "error", [(CONFIG_ONE, "config: {base: 0x1_0000_0000_0000} #<"), XEN]),
    ("window beyond Xen", "RPX0111", "error",
     [(HIGH, "- {space: mem64, pci: 0x1_0000_0000_0000, size: 1GiB} #<"), XEN]),
    ("window beyond every Arm", "RPX0111", "error",
     [(HIGH, "- {space: mem64, pci: 0x10_0000_0000_0000, size: 1GiB} #<")]),
    ("no plain window", "RPX0112", "warning",
     [(LOW_TWO, f"{LOW_TWO[:-1]}, prefetchable: true}} #<")]),
    ("mem32 beyond 4 GiB", "RPX0113", "warning",
     [(HIGH, "- {space: mem32, pci: 0x80_0000_0000, size: 1GiB} #<")]),
    ("mem32 across 4 GiB", "RPX0113", "warning",
     [(HIGH, "- {space: mem32, pci: 0xffff_0000, cpu: 0x80_0000_0000, size: 1MiB} #<")]),
    ("configuration space among the windows", "RPX0113", "error",
     [("dt: {label: second}",
       f"dt: {{properties: {{ranges: [{PLAIN_CELLS}, 0, 0, 0, 0x41, 0, 0, 0x1000]}}}} #<")]),
    ("two I/O windows", "RPX0114", "warning",
     [(HIGH, "- {space: io, pci: 0x1_0000, cpu: 0x3efe_0000, size: 64KiB} #<")]),
    ("window of no size", "RPX0115", "warning",
     [("dt: {label: second}",
       "dt: {properties: {ranges: [0x02000000, 0, 0x20000000, 0, 0x20000000, 0, 0]}} #<")]),
    ("a window that begins within a page", "RPX0130", "warning",
     [(HIGH, "- {space: mem64, pci: 0xa0_0000_0010, size: 1GiB} #<")]),
    ("one that ends within a page", "RPX0130", "warning",
     [(HIGH, "- {space: mem64, pci: 0xa0_0000_0000, size: 0x3fff_fff1} #<")]),
    ("a 32-bit Dom0 without LPAE", "RPX0116", "error",
     [(CONFIG_ONE, "config: {base: 0x40_1000_0000} #<"),
      (CONFIG_TWO, "config: {base: 0x4100_0000}"), *BITS_32]),
    ("more buses than a 32-bit Dom0 might map", "RPX0116", "warning",
     [(CONFIG_ONE, "config: {base: 0x4000_0000}"), ("bus_range: [0, 0x0f]", "bus_range: [0, 0x0f] #<"),
      (CONFIG_TWO, "config: {base: 0x4100_0000}"), BITS_32[0],
      ("kernel: linux-7.2", "bits: 32, vmalloc: 20MiB")]),
    ("more buses than a 32-bit Dom0 maps", "RPX0116", "error",
     [(CONFIG_ONE, "config: {base: 0x4000_0000}"), ("bus_range: [0, 0x0f]", "bus_range: [0, 0x0f] #<"),
      (CONFIG_TWO, "config: {base: 0x4100_0000}"), BITS_32[0],
      ("kernel: linux-7.2", "bits: 32, vmalloc: 2MiB")]),
    ("a driver that is none for 32 bits", "RPX0117", "error",
     [(CONFIG_ONE, "config: {base: 0x4000_0000, compatible: 'snps,dw-pcie-ecam'}"),
      ("  - name: one", "  - name: one #<"), (CONFIG_TWO, "config: {base: 0x4100_0000}"), *BITS_32]),
    ("windowed as ECAM", "RPX0118", "error",
     [(CONFIG_ONE, f"config: {{{WINDOWED}, compatible: pci-host-ecam-generic}} #<")]),
    ("ECAM by a driver of CAM", "RPX0118", "error",
     [(CONFIG_ONE, "config: {base: 0x40_1000_0000, compatible: pci-host-cam-generic} #<")]),
    ("ECAM by a driver of registers", "RPX0118", "error",
     [(CONFIG_ONE, 'config: {base: 0x40_1000_0000, compatible: "cdns,cdns-pcie-host"} #<')]),
    ("restricted sizes as ECAM", "RPX0118", "error",
     [(CONFIG_ONE, "config: {base: 0x40_1000_0000, sizes: [4], compatible: pci-host-ecam-generic} #<")]),
    ("a BAR that fits nowhere", "RPX0120", "error",
     [("bars: [{index: 0, space: mem64, size: 16KiB}]",
       "bars: [{index: 0, space: mem32, size: 256MiB}] #<")]),
    ("an I/O BAR without I/O", "RPX0120", "note",
     [("pin: A, msix: 2}", "pin: A, msix: 2, bars: [{index: 0, space: io, size: 32}]} #<")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "level", "changes"), [case[1:] for case in FIRES], ids=[c[0] for c in FIRES]
)
def test_fires_at_the_line(code: str, level: str, changes: list[tuple[str, str]]) -> None:
    """The check finds what is broken, once, and points at the marked line."""
    text = changed(SOUND, *changes)
    found = only(findings_of(text), code)
    assert [(str(each.level), line_of(each.at)) for each in found] == [(level, marked_line(text))]


# What is right although it is close to the above: block 01 says nothing of it.
SILENT = [
    ("the sound platform", []),
    ("the sound platform under Xen", [XEN]),
    ("a disabled bridge in RAM", [(CONFIG_TWO, "config: {base: 0x9000_0000}\n    enabled: false")]),
    ("a disabled twin", [(CONFIG_TWO, f"{CONFIG_ONE}\n    enabled: false"),
                         (LOW_TWO, LOW), ("segment: 1", "segment: 2")]),
    ("neighbours that touch", [
        (CONFIG_TWO, "config: {base: 0x40_1100_0000}"), (LOW_TWO, LOW_TWO.replace("2000", "1800"))]),
    ("mem32 up to 4 GiB", [
        (HIGH, "- {space: mem32, pci: 0xfff0_0000, cpu: 0x80_0000_0000, size: 1MiB}"),
        ("base: 0x8000_0000, size: 2GiB", "base: 0x8000_0000, size: 1GiB")]),
    ("mem64 below 4 GiB", [(HIGH, "- {space: mem64, pci: 0x3000_0000, size: 1MiB}")]),
    ("a full aligned bridge", [
        (CONFIG_TWO, "config: {base: 0x50_0000_0000}"), ("[0x10, 0x1f]", "[0, 0xff]")]),
    ("CAM, 64 KiB a bus", [(CONFIG_TWO, "config: {kind: cam, base: 0x40_1100_0000}")]),
    ("a vendor's windowed bridge", [(CONFIG_TWO,
        "config: {kind: windowed, base: 0x40_1100_0000, size: 64KiB, compatible: 'brcm,bcm2711-pcie'}")]),
    ("a DesignWare bridge", [(CONFIG_TWO,
        "config: {kind: windowed, base: 0x40_1100_0000, size: 64KiB, compatible: 'marvell,armada8k-pcie'}")]),
    ("LPAE", [BITS_32[0],
      ("kernel: linux-7.2", "bits: 32, lpae: true")]),
    ("the last addresses of Xen", [(HIGH, "- {space: mem64, pci: 0xffff_c000_0000, size: 1GiB}"), XEN]),
]  # fmt: skip


@pytest.mark.parametrize("changes", [case[1] for case in SILENT], ids=[case[0] for case in SILENT])
def test_stays_silent(changes: list[tuple[str, str]]) -> None:
    """Nothing of this block."""
    found = findings_of(changed(SOUND, *changes))
    assert [each for each in found if each.code.startswith("RPX01")] == []


def test_one_finding_tells_of_all_areas_in_memory() -> None:
    """Memory that covers a whole bridge is one fault of registers and one of windows."""
    found = findings_of(
        changed(SOUND, ("{base: 0x8000_0000, size: 2GiB}", "{base: 0x1000_0000, size: 272GiB}"))
    )
    told = [(each.code, each.subject) for each in found if each.code in ("RPX0101", "RPX0102")]
    assert sorted(told) == [
        ("RPX0101", "one"),
        ("RPX0101", "two"),
        ("RPX0102", "one"),
        ("RPX0102", "two"),
    ]
    first = only(found, "RPX0102")[0]
    assert first.notes == ("so does the mem32 window of 'one' at 0x10000000-0x17ffffff",)


RAM_OVER_ALL = """\
rootplex: 1
platform: {name: board, arch: arm64, firmware: [dt]}
memory: [{base: 0x4000_0000, size: 1GiB}]
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0xf]
    config: {base: 0x4000_0000}
    windows: [{space: mem32, pci: 0x5000_0000, size: 256MiB}]
"""


def test_what_else_lies_in_the_same_memory_follows() -> None:
    found = examine(read_checked(RAM_OVER_ALL.encode(), "case.yaml"), RunOptions()).findings
    errors = [each for each in found if str(each.level) == "error"]
    assert [(each.code, [below.code for below in each.follows]) for each in errors] == [
        ("RPX0101", ["RPX0102"])
    ]


def test_a_string_of_another_layout_is_the_cause_of_the_size() -> None:
    text = """rootplex: 1
platform: {name: a, arch: arm64, base: none, firmware: [dt]}
xen: false
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0]
    config: {base: 0x40_1000_0000, kind: cam, compatible: [pci-host-ecam-generic]}
    windows: [{space: mem32, pci: 0x1000_0000, size: 1MiB}]
"""
    (cause,) = only(findings_of(text), "RPX0118")
    assert "RPX0108" in [each.code for each in cause.follows]
