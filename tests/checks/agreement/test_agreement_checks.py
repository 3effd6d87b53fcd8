"""Block 08: each difference of device tree and ACPI is found, at the override that makes it."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from tests.checks.altered import with_bytes, with_cell
from tests.checks.cases import changed, findings_of, flat, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts, Joined
from rootplex.formats.devicetree import MapCells
from rootplex.jobs.describe import read_checked
from rootplex.jobs.readback import artifacts_of, read_acpi, read_dt

BOTH = ("firmware: [dt]", "firmware: [dt, acpi]")
LABEL = "dt: {label: second}"
TWO = "pcie@4011000000"

# What it shows, code, level, what stands in place of the label; the mark is where the finding points.
OVERRIDES = [
    ("segment by ACPI", "RPX0801", "error", "acpi: {segment: 4} #<"),
    ("segment by device tree", "RPX0801", "error", "dt: {segment: 4} #<"),
    ("configuration space", "RPX0802", "error", "acpi: {config: {base: 0x40_2100_0000}} #<"),
    ("buses", "RPX0803", "error", "acpi: {bus_range: [0x10, 0x17]} #<"),
    ("window", "RPX0804", "error", "acpi: {windows: [{space: mem32, pci: 0x2000_0000, size: 64MiB}]} #<"),
    (
        "StreamIDs by ACPI",
        "RPX0806",
        "error",
        "acpi: {iommu: {unit: smmu, map: [{rid: 0x1000, id: 0x9000, count: 0x1000}]}} #<",
    ),
    (
        "StreamIDs by device tree",
        "RPX0806",
        "error",
        "dt: {iommu: {unit: smmu, map: [{rid: 0x1000, id: 0x9000, count: 0x1000}]}} #<",
    ),
    ("an IOMMU by device tree alone", "RPX0806", "error", "acpi: {iommu: none} #<"),
    ("an IOMMU by ACPI alone", "RPX0806", "error", "dt: {iommu: none} #<"),
    (
        "DeviceIDs by ACPI",
        "RPX0807",
        "error",
        "acpi: {msi: {controller: its, map: [{rid: 0x1000, id: 0x9000, count: 0x1000}]}} #<",
    ),
    ("messages by device tree alone", "RPX0807", "error", "acpi: {msi: none} #<"),
    ("messages by ACPI alone", "RPX0807", "error", "dt: {msi: none} #<"),
    ("off in ACPI", "RPX0805", "warning", "acpi: {enabled: false} #<"),
    ("off in the tree", "RPX0805", "warning", "dt: {enabled: false} #<"),
    (
        "another kind",
        "RPX0811",
        "note",
        "dt: {config: {kind: windowed, base: 0x5000_0000, size: 4KiB, compatible: 'brcm,bcm2711-pcie'}} #<",
    ),
]


@pytest.mark.parametrize(
    ("code", "level", "line"), [row[1:] for row in OVERRIDES], ids=[row[0] for row in OVERRIDES]
)
def test_fires_on_an_override(code: str, level: str, line: str) -> None:
    text = changed(SOUND, BOTH, (LABEL, line))
    found = only(findings_of(text), code)
    assert [(each.level, each.subject) for each in found] == [(level, "two")]
    assert line_of(found[0].at) == marked_line(text)
    assert found[0].related


# A Raspberry Pi's bridge: its driver takes messages (brcm_pcie_probe, where msi-parent is the bridge itself).
OWN = "config: {kind: windowed, base: 0x40_1100_0000, size: 64KiB, compatible: 'brcm,bcm2711-pcie'}"
INBOUND = "dma_windows: [{pci: 0, cpu: 0x8000_0000, size: 2GiB}]"


def own_messages(acpi: str) -> str:
    """The second bridge takes its messages itself; `acpi` is what that firmware says."""
    whole, _, last = changed(SOUND, BOTH, (LABEL, acpi)).rpartition("msi: {controller: its}")
    return changed(
        f"{whole}msi: {{controller: two}}{last}", ("config: {base: 0x40_1100_0000}", f"{OWN}\n    {INBOUND}")
    )


def test_a_bridge_that_takes_messages_does_so_by_device_tree_alone() -> None:
    text = own_messages("acpi: {uid: 7}")
    found = only(findings_of(text), "RPX0772")
    assert [(str(each.level), each.subject) for each in found] == [("warning", "two")]
    assert line_of(found[0].related[0].at) == line_of_text(text, "msi: {controller: two}")


@pytest.mark.parametrize("acpi", ["acpi: {msi: {controller: its}}", "acpi: {present: false}"])
def test_messages_that_acpi_sends_elsewhere_are_told_otherwise(acpi: str) -> None:
    assert not only(findings_of(own_messages(acpi)), "RPX0772")


def line_of_text(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_bridge_of_one_firmware_only() -> None:
    """Left out on purpose it is no finding."""
    assert not only(findings_of(changed(SOUND, BOTH, (LABEL, "acpi: {present: false}"))), "RPX0812")


def cell(property: str, index: int, value: int) -> Callable[[Compiled], Compiled]:
    return lambda compiled: with_cell(compiled, f"/{TWO}", property, index, value)


def prt(old: int, new: int) -> Callable[[Compiled], Compiled]:
    """The first GSI of that number in the AML."""

    def alter(compiled: Compiled) -> Compiled:
        data = compiled.files["ssdt.aml"]
        at = data.index(bytes((0x0A, old)), data.index(b"_PRT", data.index(b"PC01")))
        return with_bytes(compiled, "ssdt.aml", at + 1, bytes((new,)))

    return alter


def rc_field(offset: int, value: int) -> Callable[[Compiled], Compiled]:
    """A field of the second root complex node."""

    def alter(compiled: Compiled) -> Compiled:
        data = compiled.files["iort.aml"]
        at, seen = 0x30, 0
        while not (data[at] == 2 and seen == 1):
            seen += data[at] == 2
            at += struct.unpack_from("<H", data, at + 1)[0]
        return with_bytes(compiled, "iort.aml", at + offset, struct.pack("<I", value))

    return alter


CHANGED = [
    ("streams", "RPX0806", "error", cell("iommu-map", 2, 0x9000), "iommu: {unit: smmu}"),
    ("device ids", "RPX0807", "error", cell("msi-map", 2, 0x9000), "msi: {controller: its}"),
    ("coherence in IORT", "RPX0808", "error", rc_field(16, 0), ""),
    ("ATS", "RPX0809", "warning", rc_field(24, 1), ""),
    ("a line", "RPX0810", "error", prt(39, 50), "intx: {controller: gic, irqs: [7, 8, 9, 10]}"),
]


@pytest.mark.parametrize(
    ("code", "level", "alter", "line"), [row[1:] for row in CHANGED], ids=[row[0] for row in CHANGED]
)
def test_fires_on_an_altered_artifact(
    code: str, level: str, alter: Callable[[Compiled], Compiled], line: str
) -> None:
    text = changed(SOUND, BOTH)
    found = only(findings_of(text, alter=alter), code)
    assert [(each.level, each.subject) for each in found] == [(level, "two")]
    lines = text.splitlines()
    places = [found[0].at, *(each.at for each in found[0].related)]
    assert any(line in lines[(line_of(place) or 0) - 1] for place in places)


def test_windows_are_matched_by_meaning() -> None:
    """ACPI has no 64-bit flag and may say one window in two pieces."""
    two = "{space: mem32, pci: 0x2000_0000, size: 64MiB}, {space: mem32, pci: 0x2400_0000, size: 64MiB}"
    assert findings_of(changed(SOUND, BOTH, (LABEL, f"acpi: {{windows: [{two}]}}"))) == ()


def test_mcfg_may_be_wider() -> None:
    assert not only(findings_of(changed(SOUND, BOTH, (LABEL, "acpi: {mcfg: [0x10, 0x3f]}"))), "RPX0803")


def test_vendor_bridge_of_one_firmware_only() -> None:
    """A board with more bridges in AML than in its tree (facts.yaml: D05 has 8 and 1)."""
    checked = read_checked(changed(SOUND, BOTH).encode(), "case.yaml")
    assert checked.platform is not None
    artifacts = artifacts_of(compile_platform(checked.platform, simulated_only=True))
    dt, acpi = read_dt(artifacts, MapCells.TARGET), read_acpi(artifacts)
    assert dt is not None
    assert acpi is not None
    first, second = acpi.namespace.bridges
    bridges = (Joined("one", dt.bridges[0], first), Joined(second.path, None, second))
    found = only(flat(run_checks(Facts(dt=dt, acpi=acpi, bridges=bridges), "artifacts")), "RPX0812")
    assert [(each.level, each.at) for each in found] == [("note", second.place)]
