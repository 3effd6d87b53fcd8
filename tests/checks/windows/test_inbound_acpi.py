"""What DMA reaches by tables that no description made: `_DMA`, or IORT's address size limit (Linux
`acpi_arch_dma_setup`); where memory is EFI tells, so no finding rests on it."""

from __future__ import annotations

import struct

import pytest
from msgspec.structs import replace
from tests.checks.acpi.test_acpi_checks import arm, bridge, codes, iort, resource, table, template, vendor

from rootplex.readers.acpi.aml_facts import Value
from rootplex.readers.acpi.header import Table
from rootplex.source.place import TablePlace

ITS = 0x808_0000
MADT = table("APIC", struct.pack("<II", 0, 0) + struct.pack("<BBHIQI", 15, 20, 0, 0, ITS, 0), 4)
FRAME = table("APIC", struct.pack("<II", 0, 0) + struct.pack("<BBHIQIHH", 13, 24, 0, 0, ITS, 0, 32, 64), 4)
NO_SMMU = (0, 0xFFFF, 0, 0x30, 0)
DEAF = [("RPX0126", "warning")]
BEHIND = [("RPX0125", "warning")]
RAM = resource("memory", 0x8000_0000, 1 << 31)
ALL = resource("memory", 0, 1 << 40)
DOORBELL = resource("memory", ITS, 0x20000)
WINDOW = resource("memory", 0x2000_0000, 0x1000_0000)
BUSES = resource("bus", 0, 256, "Word")


def no_smmu(limit: int = 64) -> Table:
    return iort(rc=NO_SMMU, limit=limit)


MOVED = replace(resource("memory", 0x1000_0000, 1 << 30), translation=0x7000_0000)
FAR = template(BUSES, replace(WINDOW, translation=0x30_0000_0000))


@pytest.mark.parametrize(
    ("tables", "fields", "told"),
    [
        ((MADT, no_smmu()), {"dma": template(RAM)}, DEAF),
        ((MADT, no_smmu()), {"dma": template(RAM, DOORBELL)}, []),
        ((MADT, no_smmu()), {"dma": template(RAM, replace(DOORBELL, translation=1 << 36))}, DEAF),
        ((MADT, no_smmu()), {"dma": template()}, []),
        ((MADT, no_smmu()), {}, []),
        ((MADT, iort()), {"dma": template(RAM)}, []),
        ((FRAME,), {"dma": template(RAM)}, DEAF),
        ((FRAME,), {"dma": template(RAM, DOORBELL)}, []),
        ((MADT, no_smmu(27)), {}, DEAF),
        ((MADT, no_smmu(28)), {}, []),
        ((MADT, no_smmu(27)), {"dma": template(RAM, DOORBELL)}, []),
        ((MADT, no_smmu()), {"dma": template(MOVED, DOORBELL)}, BEHIND),
        ((MADT, no_smmu()), {"dma": template(ALL), "crs": FAR}, BEHIND),
        ((MADT, no_smmu()), {"dma": template(ALL)}, []),
        ((MADT, no_smmu()), {"dma": template(RAM, DOORBELL), "crs": FAR}, []),
        (
            (MADT, no_smmu()),
            {"dma": template(RAM, replace(resource("memory", 0xC000_0000, 1 << 30), translation=1 << 36))},
            [("RPX0129", "warning"), *DEAF],
        ),
    ],
)
def test_what_is_told(
    tables: tuple[Table, ...], fields: dict[str, object], told: list[tuple[str, str]]
) -> None:
    assert sorted(codes(arm(*tables, **fields))) == sorted(told)


def test_what_cannot_be_known_is_not_told() -> None:
    unknown: Value[object] = Value("unknown", None, "it reads memory", TablePlace("case", "DSDT"))
    assert codes(arm(MADT, no_smmu(), dma=unknown)) == []


def test_linux_on_x86_asks_no_limits() -> None:
    found = vendor(bridges=(bridge(dma=template(MOVED)),))
    assert not {"RPX0125", "RPX0126"} & {code for code, _ in codes(found)}
