"""What DMA reaches by tables that no description made: `_DMA`, or IORT's address size limit (Linux
`acpi_arch_dma_setup`); where memory is EFI tells, so no finding rests on it."""

from __future__ import annotations

import struct

import pytest
from msgspec.structs import replace
from tests.checks.acpi.test_acpi_checks import arm, bridge, codes, iort, resource, table, template, vendor

from rootplex.checks.facts import Facts
from rootplex.checks.inbound import narrowest_reach
from rootplex.readers.acpi.aml_facts import Namespace, Value
from rootplex.readers.acpi.header import Table
from rootplex.simulator.firmware.facts import AcpiFirmware
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


def limited(*nodes: tuple[str, int, int]) -> Table:
    """IORT of nodes: what each is, its revision, the bits of its address size limit (DEN0049 E.f §3.1.1)."""
    made = b""
    for number, (kind, revision, bits) in enumerate(nodes):
        body = struct.pack("<IBHBIIBHB", 1, 0, 0, 3, 0, number, bits, 0, 0)
        if kind == "named":
            body = struct.pack("<IIBHBB", 0, 1, 0, 0, 3, bits) + b"\\_SB.X\0".ljust(11, b"\0")
        made += struct.pack("<BHBIII", 1 if kind == "named" else 2, 16 + len(body), revision, number, 0, 0)
        made += body
    return table("IORT", struct.pack("<3I", len(nodes), 0x30, 0) + made, 3)


@pytest.mark.parametrize(
    ("nodes", "bits"),
    [
        ([("root", 1, 30)], 30),
        ([("root", 0, 30)], None),
        ([("root", 1, 0)], None),
        ([("root", 1, 64)], None),
        ([("named", 2, 30)], 30),
        ([("root", 1, 32), ("named", 2, 28)], 28),
        ([("root", 0, 20), ("root", 3, 32)], 32),
    ],
)
def test_the_lowest_zone_ends_by_the_narrowest_limit(
    nodes: list[tuple[str, int, int]], bits: int | None
) -> None:
    """As `acpi_iort_dma_get_max_cpu_address` has it: of named components, and of root
    complexes from revision 1."""
    space = Namespace("case", (), (), ())
    facts = Facts(arch="arm64", acpi=AcpiFirmware(tables=(limited(*nodes),), namespace=space))
    assert (None if bits is None else (1 << bits) - 1) == narrowest_reach(facts)
