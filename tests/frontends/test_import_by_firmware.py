"""Maps that the two firmwares say differently, and a bridge that takes its messages itself: each comes back
out of the firmware that says it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tests.checks.agreement.test_agreement_checks import BOTH, INBOUND, LABEL, OWN
from tests.checks.cases import changed
from tests.checks.two_bridges import SOUND

from rootplex.backends.compilation import compile_platform
from rootplex.frontends.acpi.controllers import AcpiControllers
from rootplex.frontends.acpi.source import AcpiSource
from rootplex.frontends.document import Missing, Names
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.sources import read_source
from rootplex.model.bridge import Firmware, HostBridge
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.header import Table, read_table

ELSEWHERE = "map: [{rid: 0x1000, id: 0x9000, count: 0x1000}]"
VIEWS = [
    ("acpi", f"acpi: {{iommu: {{unit: smmu, {ELSEWHERE}}}, msi: {{controller: its, {ELSEWHERE}}}}}"),
    ("dt", f"dt: {{iommu: {{unit: smmu, {ELSEWHERE}}}, msi: {{controller: its, {ELSEWHERE}}}}}"),
]


def imported(text: str, firmware: Firmware, folder: Path) -> HostBridge:
    """The second bridge of what is compiled, by one firmware alone."""
    platform = read_checked(text.encode(), "x.yaml").platform
    assert platform is not None
    for name, data in compile_platform(platform).files.items():
        if name.endswith(".aml" if firmware == "acpi" else ".dtb"):
            (folder / name).write_bytes(data)
    source = read_source(folder if firmware == "acpi" else folder / f"{platform.name}.dtb", "given")
    again = read_checked(to_yaml(import_source(source).document).encode(), "again.yaml").platform
    assert again is not None
    return again.host_bridges[1]


def ids(bridge: HostBridge) -> list[list[tuple[int, int, int]]]:
    maps = (bridge.iommu, bridge.msi)
    return [[] if each is None else [(e.rid, e.id, e.count) for e in each.entries] for each in maps]


@pytest.mark.parametrize("firmware", ["dt", "acpi"])
@pytest.mark.parametrize(("said", "view"), VIEWS, ids=["by ACPI", "by device tree"])
def test_each_firmware_gives_its_own_map(said: str, view: str, firmware: Firmware, tmp_path: Path) -> None:
    base = 0x9000 if said == firmware else 0x1000
    found = ids(imported(changed(SOUND, BOTH, (LABEL, view)), firmware, tmp_path))
    # MADT is the firmware's: without it ACPI names no ITS.
    assert found == [[(0x1000, base, 0x1000)], [(0x1000, base, 0x1000)] if firmware == "dt" else []]


@pytest.mark.parametrize(("view", "firmware"), [("acpi", "acpi"), ("dt", "dt")])
def test_what_a_firmware_does_not_say_is_not_imported(view: str, firmware: Firmware, tmp_path: Path) -> None:
    text = changed(SOUND, BOTH, (LABEL, f"{view}: {{iommu: none, msi: none}}"))
    bridge = imported(text, firmware, tmp_path)
    assert (bridge.iommu, bridge.msi) == (None, None)


def test_a_bridge_that_takes_messages_itself_is_its_own_controller(tmp_path: Path) -> None:
    whole, _, last = SOUND.rpartition("msi: {controller: its}")
    text = changed(
        f"{whole}msi: {{controller: two}}{last}", ("config: {base: 0x40_1100_0000}", f"{OWN}\n    {INBOUND}")
    )
    bridge = imported(text, "dt", tmp_path)
    assert bridge.msi is not None
    assert (bridge.msi.controller, bridge.msi.parent) == (bridge.name, True)
    assert dict(bridge.dt.properties) == {}


def table(signature: str, body: bytes) -> Table:
    head = struct.pack("<4sIBB6s8sI4sI", signature.encode(), 36 + len(body), 1, 0, b"", b"", 1, b"", 1)
    return read_table(head + body, f"{signature}.aml")


def aplic(number: int, gsi_base: int) -> bytes:
    """ACPI 6.6 §5.2.12.26."""
    return struct.pack("<BBBBI8sHHIQI", 26, 36, 1, number, 0, b"", 2, 96, gsi_base, 0xD00_0000, 0x8000)


WIRED = struct.pack("<BBHHH8sQIIHHHHII", 0, 1, 48, 0, 0, b"RSCV0004", 0x301_0000, 0, 0, 0, 0, 1, 40, 100, 0)


def controllers(*aplics: bytes) -> tuple[AcpiControllers, list[Missing]]:
    """By MADT with these, and RIMT with one unit that has the global system interrupt 100."""
    missing: list[Missing] = []
    tables = (
        table("APIC", struct.pack("<II", 0, 0) + b"".join(aplics)),
        table("RIMT", struct.pack("<III", 1, 48, 0) + WIRED),
    )
    source = AcpiSource(tables=tables, namespace=Namespace("x", (), (), ()), file="x")
    return AcpiControllers(source, Names(), missing, ()), missing


def test_each_aplic_has_the_interrupts_from_its_first_on() -> None:
    """By `gsi_base`: the number at the controller is what is left."""
    alone, missing = controllers(aplic(0, 0))
    assert ("aplic", 100) == alone.controller_of(100)
    assert [] == missing
    two, missing = controllers(aplic(0, 0), aplic(1, 96))
    assert (("aplic0", 95), ("aplic1", 4)) == (two.controller_of(95), two.controller_of(100))
    assert [] == missing


def test_interrupts_of_an_iommu_that_no_controller_has_are_told() -> None:
    _, missing = controllers(aplic(0, 128))
    assert ["interrupts of the IOMMU at 0x3010000"] == [each.what for each in missing]
