"""Block 01 on ACPI tables: the same faults without a device tree, told once with both, and real dumps."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, given_findings, line_of, marked_line, only
from tests.checks.two_bridges import SOUND
from tests.corpus.board_corpus import Corpus

from rootplex.checks.facts import Facts
from rootplex.readers.acpi.acpidump import read_tables
from rootplex.simulator.firmware.facts import acpi_firmware

CONFIG_ONE = "config: {base: 0x40_1000_0000}"
CONFIG_TWO = "config: {base: 0x40_1100_0000}"
LOW = "- {space: mem32, pci: 0x1000_0000, size: 128MiB}"
LOW_TWO = "- {space: mem32, pci: 0x2000_0000, size: 128MiB}"

FIRES = [
    ("config in RAM", "RPX0101", "error", [(CONFIG_ONE, "config: {base: 0x9000_0000} #<")]),
    ("window in RAM", "RPX0102", "error", [(LOW, "- {space: mem32, pci: 0x8000_0000, size: 1MiB} #<")]),
    (
        "one configuration space twice",
        "RPX0103",
        "error",
        [(CONFIG_TWO, "config: {base: 0x40_1000_0000} #<")],
    ),
    (
        "windows of two bridges",
        "RPX0104",
        "error",
        [(LOW_TWO, "- {space: mem32, pci: 0x17ff_0000, size: 1MiB} #<")],
    ),
    ("config off a bus", "RPX0110", "warning", [(CONFIG_ONE, "config: {base: 0x40_0001_0000} #<")]),
    (
        "no plain window",
        "RPX0112",
        "warning",
        [(LOW_TWO, f"{LOW_TWO[:-1]}, prefetchable: true}} #<")],
    ),
]


@pytest.mark.parametrize("firmware", ["[acpi]", "[dt, acpi]"])
@pytest.mark.parametrize(
    ("code", "level", "changes"), [case[1:] for case in FIRES], ids=[case[0] for case in FIRES]
)
def test_fires_once_at_the_line(code: str, level: str, changes: list[tuple[str, str]], firmware: str) -> None:
    """MCFG and `_CRS` show the fault as `reg` and `ranges` do, and both together show one fault."""
    text = changed(SOUND, ("firmware: [dt]", f"firmware: {firmware}"), *changes)
    found = only(findings_of(text), code)
    assert [(str(each.level), line_of(each.at)) for each in found] == [(level, marked_line(text))]


@pytest.mark.parametrize("firmware", ["[acpi]", "[dt, acpi]"])
def test_the_sound_platform_has_no_findings(firmware: str) -> None:
    """Neither of these blocks nor of any other."""
    assert findings_of(changed(SOUND, ("firmware: [dt]", f"firmware: {firmware}"))) == ()


def test_segments_that_share_the_base_of_bus_0_are_no_overlap() -> None:
    """MCFG's base is that of bus 0: two segments with disjoint buses have the same one."""
    text = changed(SOUND, ("firmware: [dt]", "firmware: [dt, acpi]"))
    assert "0x40_1100_0000" in text  # 16 buses behind 0x40_1000_0000, which is bus 0 of both
    assert only(findings_of(text), "RPX0103") == ()


# What these blocks find in the machines of the corpus.
DUMPS: dict[str, list[tuple[str, str, int]]] = {
    "proliant-dl165-g7": [],
    "prime-z690-p": [],
    "imac11-3": [],
    "precision-t3600": [],
    "ideapad-z470": [("RPX0106", "error", 44), ("RPX0110", "warning", 44)],
    "poweredge-r820": [],
}


@pytest.mark.parametrize("name", DUMPS)
def test_real_dumps(corpus: Corpus, name: str) -> None:
    """IdeaPad Z470: buses up to 255 run past 4 GiB, over I/O APIC, local APIC and flash. VGA's window,
    which both bridges of the Precision T3600 list, is no overlap."""
    tables = read_tables(corpus(name), name)
    acpi = acpi_firmware(tables.tables)
    found = [
        (each.code, str(each.level), each.at.at()["offset"])
        for each in given_findings(Facts(acpi=acpi, arch="x86_64"))
        if each.code.startswith(("RPX01", "RPX02", "RPX06"))
    ]
    assert found == DUMPS[name]


PC = """\
rootplex: 1
platform: {name: pc, arch: x86_64}
interrupt_controllers: [{name: ioapic, kind: io-apic, base: 0xfec0_0000}]
iommus: [{name: vtd, kind: intel-vtd, base: 0xfed9_0000}]
host_bridges:
  - name: a
    segment: 0
    config: {base: 0xe000_0000}
    windows: [{space: mem32, pci: 0xc000_0000, size: 256MiB}]
    iommu: {unit: vtd}
"""


@pytest.mark.parametrize(
    ("change", "level"),
    [
        (("base: 0xfed9_0000", "base: 0xe010_0000"), "error"),
        (("base: 0xfec0_0000", "base: 0xe010_0000"), "error"),
        (("pci: 0xc000_0000", "pci: 0xf000_0000"), "warning"),
    ],
)
def test_a_description_s_own_io_apics_and_vtd_units_are_in_the_way(
    change: tuple[str, str], level: str
) -> None:
    """No MADT is made of a description, and no device tree of an x86 one: it knows them itself."""
    assert [str(each.level) for each in only(findings_of(changed(PC, change)), "RPX0106")] == [level]
    assert not only(findings_of(PC), "RPX0106")
