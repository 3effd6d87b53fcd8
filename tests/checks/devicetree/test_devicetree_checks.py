"""Block 06: each check fires on the sound platform with one thing broken, at the line of that thing."""

from __future__ import annotations

import pytest
from tests.checks.altered import with_cell
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

from rootplex.backends.artifact import Compiled

XEN = ("discovery: dom0", "discovery: xen")
NAME_ONE, NAME_TWO = "- name: one\n", "- name: two\n"
CONFIG_TWO = "config: {base: 0x40_1100_0000}"
LABEL_ONE, LABEL_TWO = "dt: {label: first}", "dt: {label: second}"
SMMU = "{name: smmu, kind: arm-smmu-v3, base: 0x905_0000}"
ITS = "{name: its, kind: arm-gic-v3-its, base: 0x808_0000}"
INTX_TWO = "intx: {controller: gic, irqs: [7, 8, 9, 10]}"
IOMMU_TWO = f"iommu: {{unit: smmu}}\n    {LABEL_TWO}"
END_TWO = f"msi: {{controller: its}}\n    {IOMMU_TWO}"
OWN_MESSAGES = f"msi: {{controller: two}} #<\n    {IOMMU_TWO}"
OFF = (LABEL_TWO, "dt: {properties: {ranges: false}}\n    enabled: false")
SPARE = "{name: spare, kind: arm-smmu-v3, base: 0x907_0000, enabled: false}"
SHORT_RANGES = "0x02000000, 0, 0x20000000, 0, 0x20000000, 0x8000000"
STREAMS_TWICE = """\
iommu:
      unit: smmu
      map:
        - {rid: 0x1000, id: 0x1000, count: 0x800}
        - {rid: 0x1800, id: 0x1400, count: 0x800} #<
"""
FIRST_GIC_CELL = 3 + 1 + 1 + 2
"""Behind the unit address, the pin, the phandle and the GIC's own unit address."""
GUEST = ("  discovery: dom0\n", "  discovery: dom0\n  guests:\n    - {name: guest, devices: [card]} #<\n")
VENDOR_IOMMU = "{name: other, kind: dt-node, compatible: 'v,iommu', base: 0x907_0000, size: 64KiB, cells: 1}"
VENDOR = "config: {kind: windowed, base: 0x40_1100_0000, size: 64KiB, compatible: 'altr,pcie-root-port-2.0'}"
RCAR = (
    "config: {kind: windowed, base: 0x40_1100_0000, size: 64KiB, compatible: 'renesas,r8a779f0-pcie', "
    "registers: [{name: dbi, base: 0x40_1100_0000, size: 64KiB},"
    " {name: config, base: 0x40_1101_0000, size: 64KiB}, {name: app, base: 0x40_1102_0000, size: 4KiB}"
)


def properties(text: str) -> tuple[str, str]:
    """The change that gives the second bridge's node these properties, at the marked line."""
    return (LABEL_TWO, f"dt: {{properties: {{{text}}}}} #<")


CROSSING = ("{pci: 0, cpu: 4GiB, size: 1GiB}", "{pci: 1GiB, cpu: 1GiB, size: 1GiB}")


def dma(*ranges: str) -> tuple[str, str]:
    """The second bridge with inbound ranges."""
    return (CONFIG_TWO, f"{CONFIG_TWO}\n    dma_windows: [{', '.join(ranges)}] #<")


# What it shows, code, level, changes of the sound platform; the mark is where the finding points.
FIRES = [
    ("ranges cut off", "RPX0601", "error", [properties("ranges: [0x02000000, 0, 0x20000000]")]),
    ("reg cut off", "RPX0601", "error", [properties("reg: [0x40, 0x11000000, 0]")]),
    ("a number of no cell", "RPX0601", "error", [properties("'linux,pci-domain': true")]),
    ("a mask of two cells", "RPX0601", "warning", [properties("iommu-map-mask: [0xffff, 0]")]),
    ("sizes of one cell", "RPX0601", "error", [properties(f"'#size-cells': 1, ranges: [{SHORT_RANGES}]")]),
    ("no device_type on a node called pcie", "RPX0602", "warning",
     [(NAME_TWO, "- name: two #<\n"), (LABEL_TWO, "dt: {properties: {device_type: false}}")]),
    ("no device_type under Xen", "RPX0602", "error",
     [XEN, (NAME_TWO, "- name: two #<\n"), (LABEL_TWO, "dt: {properties: {device_type: false}}")]),
    ("another device_type", "RPX0602", "warning", [properties("device_type: pciex")]),
    ("no ranges", "RPX0603", "warning",
     [(NAME_TWO, "- name: two #<\n"), (LABEL_TWO, "dt: {properties: {ranges: false}}")]),
    ("no ranges under Xen, disabled", "RPX0603", "error",
     [XEN, (NAME_TWO, "- name: two #<\n"), OFF]),
    ("no reg", "RPX0604", "error",
     [(NAME_TWO, "- name: two #<\n"), (LABEL_TWO, "dt: {properties: {reg: false}}")]),
    ("R-Car without atu under Xen", "RPX0604", "error", [XEN, (CONFIG_TWO, f"{RCAR}]}} #<")]),
    ("no driver in Xen", "RPX0605", "error", [XEN, (CONFIG_TWO, f"{VENDOR} #<")]),
    ("a guest's device on a disabled bridge", "RPX0606", "error",
     [GUEST, (LABEL_TWO, f"{LABEL_TWO}\n    enabled: false")]),
    ("a guest's device on a bridge taken from Dom0", "RPX0606", "error",
     [GUEST, (LABEL_TWO, "dt: {properties: {'xen,passthrough': true}}")]),
    ("an iommu-map of three cells", "RPX0608", "error", [properties("iommu-map: [0, 1, 0]")]),
    ("an empty msi-map", "RPX0608", "error", [properties("msi-map: true")]),
    ("a RID outside the mask", "RPX0609", "error",
     [(END_TWO,
       "msi: {controller: its, mask: 0xff, map: [{rid: 0x100, id: 0, count: 1}]} #<")]),
    ("a map to nothing", "RPX0610", "error", [properties("iommu-map: [0, 0x999, 0, 0x10000]")]),
    ("an msi-parent that is nothing", "RPX0610", "error", [properties("msi-map: false, msi-parent: 0x999")]),
    ("a bridge that takes no messages", "RPX0610", "error", [(END_TWO, OWN_MESSAGES)]),
    ("an IOMMU that Xen does not drive", "RPX0611", "error",
     [XEN, ("iommus:\n  - ", f"iommus:\n  - {VENDOR_IOMMU}\n  - "),
      (IOMMU_TWO, "iommu: {unit: other} #<")]),
    ("streams folded by a mask", "RPX0612", "warning",
     [XEN, (IOMMU_TWO,
            "iommu: {unit: smmu, mask: 0xff, map: [{rid: 0, id: 0x1000, count: 256}]} #<")]),
    ("streams twice", "RPX0612", "warning",
     [XEN, (IOMMU_TWO,
            STREAMS_TWICE)]),
    ("a stream beyond the table", "RPX0613", "error",
     [(SMMU, SMMU.replace("}", ", stream_id_bits: 13}")),
      (IOMMU_TWO,
       "iommu: {unit: smmu, map: [{rid: 0x1000, id: 0x3000, count: 0x1000}]} #<")]),
    ("an identity beyond the table", "RPX0613", "warning",
     [(SMMU, SMMU.replace("}", ", stream_id_bits: 12}")),
      (IOMMU_TWO, "iommu: {unit: smmu} #<")]),
    ("empty ranges under Xen", "RPX0603", "warning",
     [XEN, (LABEL_TWO, "dt: {properties: {ranges: true}} #<")]),
    ("MSI and nobody who takes it", "RPX0614", "warning",
     [(NAME_TWO, "- name: two #<\n"),
      (END_TWO, "iommu: {unit: smmu}")]),
    ("an interrupt-map to nothing", "RPX0615", "error",
     [properties("interrupt-map: [0, 0, 0, 1, 0x999, 0, 7, 4]")]),
    ("an interrupt-map cut off", "RPX0615", "error", [properties("interrupt-map: [0, 0, 0]")]),
    ("a pin without an entry", "RPX0616", "warning",
     [(INTX_TWO, "intx: {controller: gic, map: [{dev: 2, pin: A, irq: 7}]} #<")]),
    ("a mask of bus bits", "RPX0617", "note", [properties("interrupt-map-mask: [0xff1800, 0, 0, 7]")]),
    ("inbound ranges that cross", "RPX0623", "error",
     [dma(*CROSSING)]),
    ("inbound ranges on each other", "RPX0623", "error",
     [dma("{pci: 0, cpu: 1GiB, size: 2GiB}", "{pci: 1GiB, cpu: 4GiB, size: 1GiB}")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "level", "changes"), [case[1:] for case in FIRES], ids=[c[0] for c in FIRES]
)
def test_fires_at_the_line(code: str, level: str, changes: list[tuple[str, str]]) -> None:
    """The check finds what is broken, once, and points at the marked line."""
    text = changed(SOUND, *changes)
    found = only(findings_of(text), code)
    assert [(str(each.level), line_of(each.at)) for each in found] == [(level, marked_line(text))]


# What is right although it is close to the above: block 06 says nothing of it.
SILENT = [
    ("the sound platform", []),
    ("inbound ranges that rise", [dma("{pci: 0, cpu: 0, size: 1GiB}", "{pci: 2GiB, cpu: 4GiB, size: 1GiB}")]),
    ("inbound ranges written the other way round",
     [dma("{pci: 2GiB, cpu: 4GiB, size: 1GiB}", "{pci: 0, cpu: 0, size: 1GiB}")]),
    ("inbound ranges that cross, without an IOMMU",
     [(IOMMU_TWO, LABEL_TWO), dma(*CROSSING)]),
    ("under Xen", [XEN]),
    ("no ranges on a disabled bridge", [OFF]),
    ("a vendor's bridge without today's Xen", [(CONFIG_TWO, VENDOR)]),
    ("R-Car with all its registers",
     [XEN, (CONFIG_TWO, f"{RCAR}, {{name: atu, base: 0x40_1103_0000, size: 4KiB}}]}}")]),
    ("a disabled IOMMU that nobody names", [
     ("iommus:\n  - ", f"iommus:\n  - {SPARE}\n  - ")]),
    ("masks fold RIDs without today's Xen", [(IOMMU_TWO,
      "iommu: {unit: smmu, mask: 0, map: [{rid: 0, id: 0, count: 1}]}")]),
    ("streams just within the table", [(SMMU, SMMU.replace("}", ", stream_id_bits: 13}"))]),
    ("a bridge that takes its messages itself", [
        (CONFIG_TWO, "config: {base: 0x40_1100_0000, compatible: 'microchip,pcie-host-1.0', kind: quirk}"),
        (END_TWO, OWN_MESSAGES)]),
    ("msi-parent", [(END_TWO,
                     "msi: {controller: its, parent: true}\n    iommu: {unit: smmu}")]),
    ("no MSI for devices that have none",
     [(END_TWO, "iommu: {unit: smmu}"),
      (", msix: 2", "")]),
    ("pins matched alone", [(INTX_TWO, "intx: {controller: gic, irqs: [7, 8, 9, 10], swizzle: false}")]),
    ("no interrupts at all", [(INTX_TWO, "dma_coherent: true")]),
]  # fmt: skip


@pytest.mark.parametrize("changes", [case[1] for case in SILENT], ids=[case[0] for case in SILENT])
def test_stays_silent(changes: list[tuple[str, str]]) -> None:
    """Nothing of this block."""
    found = findings_of(changed(SOUND, *changes))
    assert [each for each in found if each.code.startswith("RPX06")] == []


def test_a_disabled_target_is_a_warning_at_the_map() -> None:
    """A bridge's own map names a disabled SMMU; each of the two bridges says so."""
    found = only(findings_of(changed(SOUND, (SMMU, SMMU.replace("}", ", enabled: false}")))), "RPX0610")
    assert [(str(each.level), each.subject) for each in found] == [("warning", "one"), ("warning", "two")]
    assert all("disabled" in each.message for each in found)


def test_an_interrupt_below_the_spis_stops_xen() -> None:
    """The first interrupt cell of an entry, altered from SPI to PPI; Linux has no use for it either."""

    def as_ppi(compiled: Compiled) -> Compiled:
        node = next(each.node for each in compiled.bridges if each.name == "two")
        assert node is not None
        return with_cell(compiled, node, "interrupt-map", FIRST_GIC_CELL, 1)

    text = changed(SOUND, XEN)
    (found,) = only(findings_of(text, alter=as_ppi), "RPX0618")
    assert (str(found.level), found.subject) == ("error", "two")
    assert line_of(found.at) == 1 + text[: text.index(INTX_TWO)].count("\n")
    assert any("Xen panics" in note for note in found.notes)
    (linux,) = only(findings_of(SOUND, alter=as_ppi), "RPX0618")
    assert not any("Xen" in note for note in linux.notes)
