"""Block 02: each check fires on the sound platform with one thing broken, at the line of that thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

HERE = Path(__file__).parent
XEN = ("discovery: dom0", "discovery: xen")
ONE, TWO = "    segment: 0\n", "    segment: 1\n"
NAME_ONE, NAME_TWO = "- name: one\n", "- name: two\n"
CONFIG_TWO = "config: {base: 0x40_1100_0000}"
VENDOR = "config: {kind: windowed, base: 0x40_1100_0000, size: 64KiB, compatible: 'brcm,bcm2711-pcie'}"
CONFIG_ONE = "config: {base: 0x40_1000_0000}"
VENDOR_ONE = "config: {kind: windowed, base: 0x40_1000_0000, size: 64KiB, compatible: 'brcm,bcm2711-pcie'}"
LABEL_ONE, LABEL_TWO = "dt: {label: first}", "dt: {label: second}"
THIRD = """\
  - name: three
    segment: 0
    enabled: false
    bus_range: [0, 0]
    config: {base: 0x60_0000_0000}
    windows: []
xen:
"""

LAST_PORT = """\
    preserve_boot_config: true
    devices:
      - {name: last, dev: 2, type: root-port} #<
"""

# What it shows, code, level, changes of the sound platform; the mark is where the finding points.
FIRES = [
    ("on some", "RPX0201", "error", [(ONE, ""), (NAME_ONE, "- name: one #<\n")]),
    ("the same twice", "RPX0202", "error", [(TWO, "    segment: 0 #<\n")]),
    (
        "the same after the cut",
        "RPX0202",
        "error",
        [(LABEL_TWO, "dt: {properties: {'linux,pci-domain': 0x10000}} #<")],
    ),
    ("one of the two disabled", "RPX0202", "warning", [(TWO, "    segment: 0 #<\n    enabled: false\n")]),
    (
        "more than 16 bits",
        "RPX0204",
        "error",
        [(LABEL_TWO, "dt: {properties: {'linux,pci-domain': 0x10007}} #<")],
    ),
    ("on none", "RPX0205", "warning", [(ONE, ""), (TWO, ""), (NAME_ONE, "- name: one #<\n")]),
    (
        "a disabled one in the way",
        "RPX0206",
        "warning",
        [(ONE, ""), (TWO, ""), ("xen:\n", THIRD.replace("segment: 0", "segment: 0 #<"))],
    ),
    ("Xen: on some", "RPX0201", "error", [XEN, (TWO, ""), (NAME_TWO, "- name: two #<\n")]),
    (
        "Xen: a disabled bridge without one",
        "RPX0207",
        "error",
        [XEN, (TWO, "    enabled: false\n"), (NAME_TWO, "- name: two #<\n")],
    ),
    (
        "Xen drives none, and none has one",
        "RPX0207",
        "error",
        [
            XEN,
            (ONE, ""),
            (TWO, ""),
            (NAME_ONE, "- name: one #<\n"),
            (CONFIG_TWO, VENDOR),
            (CONFIG_ONE, VENDOR_ONE),
        ],
    ),
    (
        "Xen numbers in another order",
        "RPX0208",
        "warning",
        [XEN, (ONE, ""), (TWO, ""), (CONFIG_ONE, VENDOR_ONE), (NAME_ONE, "- name: one #<\n")],
    ),
    (
        "Xen gives a number that is taken",
        "RPX0208",
        "error",
        [XEN, (ONE, ""), (TWO, "    segment: 0 #<\n"), (CONFIG_TWO, VENDOR)],
    ),
    (
        "a number that was not reserved",
        "RPX0209",
        "error",
        [
            (ONE, ""),
            (TWO, "    segment: 0 #<\n"),
            (LABEL_TWO, "dt: {properties: {device_type: false}}"),
            ("[0x10, 0x1f]", "[0, 0x0f]"),
        ],
    ),
    (
        "a bus range that runs backwards",
        "RPX0210",
        "error",
        [(LABEL_TWO, "dt: {properties: {bus-range: [0x1f, 0x10]}} #<")],
    ),
    (
        "a bus range beyond 0xff",
        "RPX0210",
        "error",
        [(LABEL_TWO, "dt: {properties: {bus-range: [0x10, 0x1ff]}} #<")],
    ),
    ("a bus range of one cell", "RPX0210", "error", [(LABEL_TWO, "dt: {properties: {bus-range: 0x10}} #<")]),
    (
        "a bus range of three cells",
        "RPX0210",
        "warning",
        [(LABEL_TWO, "dt: {properties: {bus-range: [0x10, 0x1f, 0]}} #<")],
    ),
    (
        "no bus range",
        "RPX0211",
        "note",
        [(NAME_TWO, "- name: two #<\n"), (LABEL_TWO, "dt: {properties: {bus-range: false}}")],
    ),
    ("too few buses", "RPX0212", "error", [("[0, 0x0f]", "[0, 0]"), ("- name: port\n", "- name: port #<\n")]),
    (
        "buses whose configuration space is not mapped",
        "RPX0212",
        "error",
        [
            (CONFIG_ONE, "config: {base: 0x40_1000_0000, size: 1MiB}"),
            ("- name: port\n", "- name: port #<\n"),
        ],
    ),
    (
        "bus 0x100",
        "RPX0212",
        "error",
        [
            ("[0, 0x0f]", "[0, 0xff]"),
            (CONFIG_TWO, "config: {base: 0x50_0000_0000}"),
            (LABEL_TWO, "preserve_boot_config: true"),
            ("acs: true", "acs: true\n        bus: [1, 0xff]"),
            ("    dt: {label: first}\n    devices:\n", LAST_PORT),
        ],
    ),
    ("firmware's bus numbers", "RPX0213", "warning", [("acs: true", "acs: true\n        bus: [8, 8] #<")]),
    (
        "probe-only in a node",
        "RPX0214",
        "warning",
        [(LABEL_TWO, f"preserve_boot_config: true #<\n    {LABEL_TWO}")],
    ),
    (
        "probe-only without a value",
        "RPX0214",
        "warning",
        [(LABEL_TWO, "dt: {properties: {'linux,pci-probe-only': true}} #<")],
    ),
]


@pytest.mark.parametrize(
    ("code", "level", "changes"), [case[1:] for case in FIRES], ids=[c[0] for c in FIRES]
)
def test_fires_at_the_line(code: str, level: str, changes: list[tuple[str, str]]) -> None:
    """The check finds what is broken, once, and points at the marked line."""
    text = changed(SOUND, *changes)
    found = only(findings_of(text), code)
    assert [(str(each.level), line_of(each.at)) for each in found] == [(level, marked_line(text))]


# What is right although it is close to the above: block 02 says nothing of it.
SILENT = [
    ("the sound platform", []),
    ("under Xen", [XEN]),
    ("the largest number", [(TWO, "    segment: 0xffff\n")]),
    ("one bridge without a number", [(ONE, ""),
        (TWO, "    enabled: false\n"), (LABEL_TWO, "dt: {segment: none}")]),
    ("disabled without a number", [(TWO, "    enabled: false\n")]),
    ("the same segment, one firmware each", [(TWO, "    segment: 0\n"), (LABEL_TWO, "dt: {present: false}")]),
    ("a disabled one that is not in the way", [("xen:\n", THIRD.replace("segment: 0", "segment: 9"))]),
    ("a bus range of one bus", [("[0x10, 0x1f]", "[0x10, 0x10]")]),
    ("every bus", [("[0x10, 0x1f]", "[0, 0xff]"), (CONFIG_TWO, "config: {base: 0x50_0000_0000}")]),
    ("just enough buses", [("[0, 0x0f]", "[0, 1]")]),
    ("firmware's numbers are Dom0's", [("acs: true", "acs: true\n        bus: [1, 1]")]),
    ("probe-only everywhere", [
        (LABEL_ONE, "preserve_boot_config: true"), (LABEL_TWO, "preserve_boot_config: true")]),
    ("Xen drives the first of two without a number", [XEN, (ONE, ""), (TWO, ""), (CONFIG_TWO, VENDOR)]),
]  # fmt: skip


@pytest.mark.parametrize("changes", [case[1] for case in SILENT], ids=[case[0] for case in SILENT])
def test_stays_silent(changes: list[tuple[str, str]]) -> None:
    """Nothing of this block, but for what the case itself says beside."""
    found = findings_of(changed(SOUND, *changes))
    beside = {"RPX0205"}
    assert [each for each in found if each.code.startswith("RPX02") and each.code not in beside] == []


def test_the_notes_of_a_number_taken_twice_tell_of_the_buses() -> None:
    """Disjoint buses do not help; shared ones are named."""
    text = SOUND.replace(TWO, ONE)
    assert "disjoint" in only(findings_of(text), "RPX0202")[0].notes[0]
    shared = text.replace("[0x10, 0x1f]", "[0x08, 0x17]")
    assert only(findings_of(shared), "RPX0202")[0].notes == ("both have buses 0x8-0xf",)


def test_what_a_scan_without_end_says() -> None:
    """Booted with 7.2 (tests/simulator/boots/real_boots): the kernel dies; nothing else is told beside it."""
    text = (HERE.parents[1] / "simulator" / "boots" / "real_boots" / "h078.yaml").read_text()
    (found,) = findings_of(text)
    assert (found.code, found.message) == (
        "RPX0212",
        "'rp2' needs bus 0x100, the last one of 'host1' is 0xff",
    )
    assert found.notes == (
        "Linux takes bus 0x100 for bus 0x0 and scans that one without end: its stack overflows and it dies",
    )
    assert found.help == "take fewer buses: firmware's numbers in 'bus', VFs and hot-plug ports reserve them"
