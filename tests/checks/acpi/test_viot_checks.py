"""Findings about VIOT: tables made by hand on a PC with one host bridge; a description on both firmwares."""

from __future__ import annotations

import struct

import pytest
from tests.checks.acpi.test_acpi_checks import E0, ECAM, entry, mcfg, table, vendor
from tests.checks.altered import with_bytes
from tests.checks.cases import changed, findings_of, only
from tests.readers.test_viot import TEXT, UNIT, ranged

from rootplex.readers.acpi.header import Table
from rootplex.source.place import TablePlace

ALONE = struct.pack("<BBHHH8x", 3, 0, 16, 0, 0x0010)
"""The unit 0000:00:02.0."""
ALL = ranged(0, 0xFFFF, 0, 48)


def viot(*nodes: bytes, offset: int = 48) -> Table:
    return table("VIOT", struct.pack("<HHQ", len(nodes), offset, 0) + b"".join(nodes))


@pytest.mark.parametrize(
    ("nodes", "code", "level", "offset"),
    [
        ((ALONE, ALL[:-4]), "RPX0764", "error", 64),
        ((ALONE, ranged(0, 0xFFFF, 0, 49)), "RPX0764", "error", 64),
        ((ALONE, ranged(0, 0xFFFF, 0, 48, (1, 3))), "RPX0765", "warning", 64 + 8),
        ((UNIT, ranged(0, 0xFFFF, 0, 48)), "RPX0765", "error", 48 + 4),
        ((ALONE, ALL, ranged(0x300, 0x3FF, 0x8000, 48)), "RPX0767", "warning", 64 + 24),
    ],
)
def test_fires(nodes: tuple[bytes, ...], code: str, level: str, offset: int) -> None:
    found = vendor(mcfg(entry(E0)), viot(*nodes), reserved=ECAM)
    assert [(each.code, each.level) for each in found] == [(code, level)]
    assert isinstance(found[0].at, TablePlace)
    assert (found[0].at.table, found[0].at.offset) == ("VIOT", offset)


@pytest.mark.parametrize(
    "nodes",
    [
        (ALONE, ALL),  # as QEMU has it: its own function too
        (ALONE, ranged(0, 0xFFFF, 0, 48, (0, 3))),  # segments that are not there as well
        (ALONE, ALL, ranged(0x300, 0x3FF, 0x300, 48)),  # the same ids twice
        (ALONE, ranged(0, 0xF, 0, 48), ranged(0x11, 0xFFFF, 0x11, 48)),
    ],
)
def test_is_silent(nodes: tuple[bytes, ...]) -> None:
    assert not vendor(mcfg(entry(E0)), viot(*nodes), reserved=ECAM)


def test_a_virtio_iommu_that_is_not_there() -> None:
    """`viot_get_pci_iommu_fwnode`: Linux drops what leads to it."""
    text = changed(TEXT, ('      - {name: vio, dev: 2, type: pci, id: "1af4:1057", class: 0x00ff00}\n', ""))
    found = only(findings_of(changed(text, ("arch: arm64,", "arch: arm64, firmware: [acpi],"))), "RPX0766")
    assert [each.message for each in found] == [
        "VIOT names the virtio-iommu 0000:00:02.0, where no function is"
    ]
    assert not only(findings_of(TEXT), "RPX0766")


@pytest.mark.parametrize(
    ("offset", "data", "words"),
    [
        (64 + 4, b"\x00\x20", "StreamID 0x2000 of the virtio-iommu 0000:00:02.0 by VIOT"),
        (64 + 8, b"\x01\x00\x01\x00", "no StreamID by VIOT"),
    ],
)
def test_a_range_that_differs_from_the_device_tree(offset: int, data: bytes, words: str) -> None:
    """The endpoint id of the first range; its segments."""
    found = findings_of(TEXT, alter=lambda compiled: with_bytes(compiled, "viot.aml", offset, data))
    (each,) = only(found, "RPX0806")
    assert each.message == (
        "requesters 0x0000-0x000f of main have StreamID 0x1000 of the virtio-iommu 0000:00:02.0 "
        f"by device tree and {words}"
    )
    assert not only(findings_of(TEXT), "RPX0806")
