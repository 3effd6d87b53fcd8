"""What DMA reaches, by both firmwares: memory behind windows, doorbells, none of memory, ranges on each
other, and ranges that a bus above does not pass. The rules are the kernel's (`of_dma_get_range`,
`acpi_dma_get_range`); no kernel looks at what these findings tell of, so trees of boards that work are held
to silence elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.cases import changed, findings_of, given_causes, given_tree, line_of, marked_line
from tests.checks.two_bridges import SOUND

from rootplex.checks.facts import Facts
from rootplex.source.place import DtPlace

TWO = "    intx: {controller: gic, irqs: [7, 8, 9, 10]}\n"
WINDOW_TWO = "      - {space: mem32, pci: 0x2000_0000, size: 128MiB}"
XEN = "xen:\n  dom0: {kernel: linux-7.2}\n  discovery: dom0\n"
BARE = (XEN, "xen: false\n")
UNITS = "    msi: {controller: its}\n    iommu: {unit: smmu}\n    dt: {label: second}\n"
NO_UNIT = (UNITS, "    msi: {controller: its}\n    dt: {label: second}\n")
DOORBELL = "{pci: 0x800_0000, size: 1MiB}"
RAM = "{pci: 0x8000_0000, size: 2GiB}"


def dma(*ranges: str, mark: str = " #<") -> tuple[str, str]:
    """What devices of the second bridge reach."""
    return TWO, f"{TWO}    dma_windows: [{', '.join(ranges)}]{mark}\n"


def window(text: str) -> tuple[str, str]:
    """Its window."""
    return WINDOW_TWO, f"      - {{{text}}} #<"


FIRES: list[tuple[str, str, str, list[tuple[str, str]]]] = [
    ("memory in a window, by an inbound range", "RPX0125", "warning",
     [window("space: mem32, pci: 0x2000_0000, size: 128MiB"),
      dma("{pci: 0x1000_0000, cpu: 0x8000_0000, size: 1GiB}", DOORBELL, mark="")]),
    ("memory in a window, 1:1", "RPX0125", "note",
     [window("space: mem32, pci: 0x9000_0000, cpu: 0x30_0000_0000, size: 128MiB")]),
    ("at its last page", "RPX0125", "note",
     [window("space: mem64, pci: 0xffff_f000, cpu: 0x30_ffff_f000, size: 1GiB")]),
    ("no memory told, a range with another meaning", "RPX0125", "warning",
     [("memory:\n  - {base: 0x8000_0000, size: 2GiB}\n", ""),
      window("space: mem32, pci: 0x2000_0000, cpu: 0x30_2000_0000, size: 128MiB"), NO_UNIT,
      dma("{pci: 0, size: 4GiB}", mark="")]),
    ("the doorbell is in no range", "RPX0126", "warning", [dma(RAM)]),
    ("it is just behind one", "RPX0126", "warning", [dma(RAM, "{pci: 0x800_0000, size: 0x9_0000}")]),
    ("it is another's address", "RPX0126", "warning", [dma("{pci: 0, cpu: 0x8000_0000, size: 256MiB}")]),
    ("without Xen and an IOMMU", "RPX0126", "warning", [BARE, NO_UNIT, dma(RAM)]),
    ("no memory there", "RPX0127", "error", [dma("{pci: 0, size: 256MiB}")]),
    ("memory only for the bus", "RPX0127", "error",
     [dma("{pci: 0x8000_0000, cpu: 0x10_0000_0000, size: 256MiB}", DOORBELL)]),
    ("ranges on each other", "RPX0129", "warning",
     [dma(RAM, "{pci: 0xc000_0000, cpu: 0x1_0000_0000, size: 2GiB}", DOORBELL)]),
]  # fmt: skip

SILENT: list[tuple[str, list[tuple[str, str]]]] = [
    ("all that is wanted", [dma(RAM, DOORBELL, mark="")]),
    ("an IOMMU maps the doorbell", [BARE, dma(RAM, mark="")]),
    ("and chooses addresses beside the windows",
     [BARE, (WINDOW_TWO, "      - {space: mem32, pci: 0x9000_0000, cpu: 0x30_0000_0000, size: 128MiB}")]),
    ("a range ends where the window begins",
     [dma("{pci: 0x1000_0000, cpu: 0x8000_0000, size: 256MiB}", DOORBELL, mark="")]),
    ("all addresses, and no memory at the window's", [dma("{pci: 0, size: 512GiB}", mark="")]),
    ("two ways to one memory", [dma(RAM, DOORBELL, "{pci: 0x9000_0000, size: 1GiB}", mark="")]),
]  # fmt: skip

EACH = ["[dt]", "[acpi]", "[dt, acpi]"]
OURS = ("RPX0125", "RPX0126", "RPX0127", "RPX0129", "RPX0630")


@pytest.mark.parametrize("firmware", EACH)
@pytest.mark.parametrize(("code", "level", "changes"), [c[1:] for c in FIRES], ids=[c[0] for c in FIRES])
def test_fires_at_the_line(code: str, level: str, changes: list[tuple[str, str]], firmware: str) -> None:
    """Once, whichever firmware says it, and nothing else of these."""
    text = changed(SOUND, ("firmware: [dt]", f"firmware: {firmware}"), *changes)
    found = [each for each in findings_of(text) if each.code in OURS]
    assert [(each.code, str(each.level), line_of(each.at)) for each in found] == [
        (code, level, marked_line(text))
    ]


@pytest.mark.parametrize("firmware", EACH)
@pytest.mark.parametrize("changes", [c[1] for c in SILENT], ids=[c[0] for c in SILENT])
def test_stays_silent(changes: list[tuple[str, str]], firmware: str) -> None:
    text = changed(SOUND, ("firmware: [dt]", f"firmware: {firmware}"), *changes)
    assert [each.code for each in findings_of(text) if each.code in OURS] == []


@pytest.fixture
def dtc(program: Callable[[str], str]) -> str:
    return program("dtc")


Told = tuple[str, str, str, str | None]
CM4 = "reports/dt/cm4-inbound-over-outbound-64.dts"
RAM_ALONE = "reports/dt/msi-doorbell-outside-dma-ranges.dts"
SCB, PCIE = "/scb/pcie@7d500000", "/pcie@30000000"
OWN = "dma-ranges = <0x02000000 0 0x80000000 0 0x80000000 0 0x40000000>"
UPPER = "dma-ranges = <0 0 0 0 4 0>;"
CM4_OWN = "dma-ranges = <0x03000000 0x1 0x0 0x0 0x0 0x1 0x0>;"
GENERIC = ('"brcm,bcm2711-pcie"', '"example,pcie"')
REFUSED: Told = ("RPX0631", "error", SCB, "dma-ranges")


def view(pci: str, size: str) -> str:
    return f"dma-ranges = <0x03000000 {pci} 0x0 0x0 {size}>;"


CLASH: Told = ("RPX0125", "warning", SCB, "ranges")
DEAF: Told = ("RPX0126", "warning", PCIE, "dma-ranges")

TREES: list[tuple[str, str, list[tuple[str, str]], list[Told]]] = [
    ("memory behind the window", CM4, [], [CLASH]),
    ("the window moved", CM4, [("0x0 0xc0000000 0x6", "0x2 0x00000000 0x6")],
     [("RPX0112", "warning", SCB, "ranges")]),
    ("the memory moved", CM4, [(CM4_OWN, CM4_OWN.replace("0x1 0x0 0x0 0x0 0x1", "0x4 0x0 0x0 0x0 0x1"))], []),
    ("nothing says where memory is: a note", CM4, [(CM4_OWN, ""), (UPPER, ""), GENERIC], []),
    ("the bus above says it", CM4, [(CM4_OWN, ""), GENERIC], [CLASH]),
    ("an empty one passes to it", CM4, [(CM4_OWN, "dma-ranges;"), GENERIC], [CLASH]),
    ("the driver wants its own", CM4, [(CM4_OWN, "")], [("RPX0631", "error", SCB, None)]),
    ("an empty one is none", CM4, [(CM4_OWN, "dma-ranges;")], [("RPX0631", "error", SCB, "dma-ranges")]),
    ("a view of 4 GiB at 2 GiB", CM4, [(CM4_OWN, view("0x0 0x80000000", "0x1 0x0"))], [REFUSED]),
    ("a view of 3 GiB, which takes 4", CM4, [(CM4_OWN, view("0x4 0xc0000000", "0x0 0xc0000000"))], [REFUSED]),
    ("a view of 256 MiB at 3 GiB", CM4, [(CM4_OWN, view("0x0 0xe0000000", "0x0 0x10000000"))], [REFUSED]),
    ("which a BCM2712 takes", CM4, [(CM4_OWN, view("0x4 0xc0000000", "0x0 0xc0000000")),
     ("brcm,bcm2711-pcie", "brcm,bcm2712-pcie")], []),
    ("sizes of memory controllers count", CM4,
     [(CM4_OWN, f"{view('0x4 0x80000000', '0x0 0x40000000')} brcm,scb-sizes = <1 0>;")], [REFUSED]),
    ("and where they are small", CM4,
     [(CM4_OWN, f"{view('0x4 0x80000000', '0x1 0x0')} brcm,scb-sizes = <0 0x40000000>;")], []),
    ("of which the bus above has less", CM4, [(UPPER, "dma-ranges = <0 0 0 0 0 0x80000000>;")],
     [("RPX0630", "warning", SCB, "dma-ranges")]),
    ("or nothing", CM4, [(UPPER, "dma-ranges = <8 0 8 0 4 0>;")],
     [("RPX0630", "error", SCB, "dma-ranges")]),
    ("in two that follow each other", CM4,
     [(UPPER, UPPER.replace("4 0>", "0 0x80000000>, <0 0x80000000 0 0x80000000 0 0x80000000>"))], [CLASH]),
    ("two levels that add up", CM4, [(UPPER, "dma-ranges = <0 0 8 0 1 0>;")],
     [("RPX0127", "error", SCB, "dma-ranges")]),
    ("no way in for messages", RAM_ALONE, [], [DEAF]),
    ("one for the translater alone", RAM_ALONE,
     [(OWN, f"{OWN}, <0x02000000 0 0x06030000 0 0x06030000 0 0x1000>")], []),
    ("one for the other frame", RAM_ALONE,
     [(OWN, f"{OWN}, <0x02000000 0 0x06020000 0 0x06020000 0 0x10000>")], [DEAF]),
    ("at another address of the bus", RAM_ALONE,
     [(OWN, f"{OWN}, <0x02000000 0 0x16030000 0 0x06030000 0 0x1000>")], [DEAF]),
    ("by msi-parent", RAM_ALONE, [("msi-map = <0 &its 0 0x1000>", "msi-parent = <&its 0>")], [DEAF]),
    ("a frame of a GICv2m", RAM_ALONE, [("arm,gic-v3-its", "arm,gic-v2m-frame")], [DEAF]),
    ("a distributor itself", RAM_ALONE, [("arm,gic-v3-its", "arm,gic-v3")], [DEAF]),
    ("which has a name for it that devices reach", RAM_ALONE,
     [("arm,gic-v3-its\";", "arm,gic-v3\"; mbi-alias = <0 0x8fff0000>;")], []),
    ("no limit at all", RAM_ALONE, [(f" {OWN};", "")], []),
    ("an empty one", RAM_ALONE, [(OWN, "dma-ranges")], []),
    ("the GIC of a Juno, which has a window for them", RAM_ALONE,
     [('"pci-host-ecam-generic"', '"arm,juno-r1-pcie", "pci-host-ecam-generic"')], []),
    ("by the root's memory elsewhere", RAM_ALONE, [("reg = <0 0x80000000 0 0x40000000>",
     "reg = <8 0x80000000 0 0x40000000>")], [("RPX0127", "error", PCIE, "dma-ranges")]),
]  # fmt: skip


@pytest.mark.parametrize(("file", "changes", "told"), [c[1:] for c in TREES], ids=[c[0] for c in TREES])
def test_given_trees(
    checkout: Path, dtc: str, file: str, changes: list[tuple[str, str]], told: list[Told]
) -> None:
    text = (checkout / "tests" / "cases" / file).read_text(encoding="utf-8")
    found: list[Told] = []
    for each in given_causes(Facts(dt=given_tree(changed(text, *changes), dtc))):
        if str(each.level) != "note":
            assert isinstance(each.at, DtPlace)
            found.append((each.code, str(each.level), each.at.node, each.at.property))
    assert sorted(found, key=str) == sorted(told, key=str)


def test_a_window_behind_many_others_is_looked_at() -> None:
    many = "".join(
        f"      - {{space: mem32, pci: {0x2000_0000 + (index << 20):#x}, size: 1MiB}}\n"
        for index in range(99)
    )
    clash = "      - {space: mem32, pci: 0x9000_0000, cpu: 0x30_0000_0000, size: 1MiB} #<"
    text = changed(SOUND, ("firmware: [dt]", "firmware: [dt, acpi]"), (WINDOW_TWO, many + clash))
    (found,) = [each for each in findings_of(text) if each.code == "RPX0125"]
    assert line_of(found.at) == marked_line(text)


def test_what_is_not_looked_at_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    three = dma(RAM, DOORBELL, "{pci: 0x1_0000_0000, size: 1GiB}")
    memory = ("  - {base: 0x8000_0000, size: 2GiB}\n", "".join(
        f"  - {{base: {0x8000_0000 + (index << 29):#x}, size: 512MiB}}\n" for index in range(4)))  # fmt: skip
    text = changed(SOUND, three, memory)
    assert not [each for each in findings_of(text) if each.code == "RPX0521"]
    monkeypatch.setattr("rootplex.checks.windows.inbound.MANY", 2)
    found = [each for each in findings_of(text) if each.code == "RPX0521"]
    assert [(each.level, each.message) for each in found] == [
        ("note", "there are 4 stretches of memory, of which the first 2 are looked at"),
        ("note", "'two' has 3 inbound ranges, of which the first 2 are looked at"),
    ]
