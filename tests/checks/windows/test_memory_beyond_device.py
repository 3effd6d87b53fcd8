"""A device's address bits against memory on the PCI side (Linux `dma_direct_supported`, `dma_coherent_ok`,
`max_zone_phys`, read for each case)."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.two_bridges import SOUND
from tests.checks.windows.test_inbound import BARE, DOORBELL, NO_UNIT, dma

from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.readers.inbound import narrowest

CARD = "      - {name: card, dev: 1, type: integrated-endpoint, pin: A, msix: 2}"
DISCOVERY = "  discovery: dom0\n"
GUEST = "  guests: [{name: guest, devices: [card]}]\n"
MEMORY = "  - {base: 0x8000_0000, size: 2GiB}\n"


def bits(count: int) -> tuple[str, str]:
    """The second bridge's card with so many."""
    return CARD, CARD.replace("pin: A", f"pin: A, dma_bits: {count}") + " #<"


def memory(*areas: str) -> tuple[str, str]:
    return MEMORY, "".join(f"  - {{{area}}}\n" for area in areas)


HIGH = memory("base: 0x80_0000_0000, size: 4GiB")
BOTH = memory("base: 0x8000_0000, size: 2GiB", "base: 0x80_0000_0000, size: 4GiB")
LOW = memory("base: 0, size: 1GiB")

FIRES: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("memory begins beyond", "error", [bits(32), HIGH]),
    ("at the bit behind", "error", [bits(39), HIGH]),
    ("by a range, at a higher address", "error",
     [bits(32), dma("{pci: 0x10_0000_0000, cpu: 0x8000_0000, size: 2GiB}", DOORBELL, mark="")]),
    ("memory begins at the bit behind", "error", [bits(31)]),
    ("some is beyond", "note", [bits(32), BOTH]),
    ("some is beyond by its address on the bus", "note",
     [bits(32), dma("{pci: 0xc000_0000, cpu: 0x8000_0000, size: 2GiB}", DOORBELL, mark="")]),
    ("the kernel's zone is beyond", "error", [bits(28), LOW]),
    ("the kernel's zone is not on the bus", "error",
     [bits(31), dma("{pci: 0, cpu: 0x8000_0000, size: 1GiB}", "{pci: 0x800_0000_0000, cpu: 0, size: 4TiB}",
                    mark="")]),
    ("behind an IOMMU, all ranges beyond", "error",
     [bits(32), BARE, dma("{pci: 0x10_0000_0000, cpu: 0x8000_0000, size: 2GiB}", mark="")]),
]  # fmt: skip

SILENT: list[tuple[str, list[tuple[str, str]]]] = [
    ("all that there is", [bits(32)]),
    ("memory at a high address, bits enough", [bits(40), HIGH]),
    ("by a range, at a lower address",
     [bits(32), HIGH, dma("{pci: 0x9000_0000, cpu: 0x80_0000_0000, size: 1GiB}", DOORBELL, mark="")]),
    ("an IOMMU", [bits(32), HIGH, BARE]),
    ("an IOMMU, and one range in reach",
     [bits(32), HIGH, BARE, dma("{pci: 0x80_0000_0000, size: 4GiB}", "{pci: 0, size: 1GiB}", mark="")]),
    ("as many as the zone has", [bits(30), LOW]),
    ("all of it is a guest's", [bits(32), HIGH, (DISCOVERY, f"{DISCOVERY}{GUEST}")]),
]  # fmt: skip


@pytest.mark.parametrize("firmware", ["[dt]", "[acpi]", "[dt, acpi]"])
@pytest.mark.parametrize(("level", "changes"), [c[1:] for c in FIRES], ids=[c[0] for c in FIRES])
def test_fires_at_the_device(level: str, changes: list[tuple[str, str]], firmware: str) -> None:
    text = changed(SOUND, ("firmware: [dt]", f"firmware: {firmware}"), *changes)
    found = only(findings_of(text), "RPX0128")
    assert [(str(each.level), line_of(each.at)) for each in found] == [(level, marked_line(text))]


@pytest.mark.parametrize("firmware", ["[dt]", "[acpi]", "[dt, acpi]"])
@pytest.mark.parametrize("changes", [c[1] for c in SILENT], ids=[c[0] for c in SILENT])
def test_stays_silent(changes: list[tuple[str, str]], firmware: str) -> None:
    text = changed(SOUND, ("firmware: [dt]", f"firmware: {firmware}"), *changes)
    assert only(findings_of(text), "RPX0128") == ()


def test_the_catalogue_knows_some() -> None:
    """QEMU's teaching device has 28 bits (hw/misc/edu.c)."""
    edu = CARD.replace("type: integrated-endpoint, pin: A, msix: 2", 'model: "qemu:edu"')
    text = changed(SOUND, BARE, NO_UNIT, (CARD, f"{edu} #<"))
    (found,) = only(findings_of(text), "RPX0128")
    assert line_of(found.at) == marked_line(text)
    assert "28 bits" in found.message


@pytest.mark.parametrize(("firmware", "levels"), [("[dt]", []), ("[acpi]", ["error"])])
def test_the_lowest_zone_ends_by_dma_ranges_and_not_by_dma_objects(firmware: str, levels: list[str]) -> None:
    """Seen on 7.2.13 (bench/dma_boots.md): `zone_sizes_init` runs before AML is read."""
    text = changed(
        SOUND,
        ("firmware: [dt]", f"firmware: {firmware}"),
        bits(30),
        memory("base: 0, size: 1GiB", "base: 0x1_0000_0000, size: 4GiB"),
        NO_UNIT,
        dma("{pci: 0, cpu: 0, size: 1GiB}", DOORBELL, mark=""),
    )
    assert [str(each.level) for each in only(findings_of(text), "RPX0128")] == levels


def test_a_limit_of_another_device_ends_the_zone() -> None:
    """`of_dma_get_max_cpu_address` goes over every node that is on."""
    bus = """
        / { #address-cells = <2>; #size-cells = <2>;
            usb { dma-ranges = <0x0 0x0 0x0 0x0 0x0 0x20000000>; #address-cells = <2>; #size-cells = <2>; };
            off { status = "disabled";
                dma-ranges = <0x0 0x0 0x0 0x0 0x0 0x1000>; #address-cells = <2>; #size-cells = <2>; };
            wide { dma-ranges = <0x0 0x0 0x0 0x0 0x1 0x0>; #address-cells = <2>; #size-cells = <2>; }; };
    """
    tree = read_dtb(compile_dts(f"/dts-v1/;{bus}", "x.dts"), "x.dtb")
    assert narrowest(tree) == 0x1FFF_FFFF
