"""The SSDT as ACPICA's interpreter evaluates it: every object of a host bridge to its described value."""

from __future__ import annotations

import struct

import pytest
from msgspec.structs import replace
from tests.acpica import evaluate, names
from tests.backends import platforms
from tests.backends.platforms import GIB, KIB, MIB, device, window

from rootplex.backends.acpi.asl import AslError, Complaint, compile_asl, compile_with_complaints
from rootplex.backends.acpi.names import bridge_name
from rootplex.backends.acpi.ssdt import ssdt, ssdt_source
from rootplex.backends.artifact import Artifact
from rootplex.backends.refusal import CannotCompile
from rootplex.model.bridge import AcpiView, DmaWindow, HostBridge, IntxEntry
from rootplex.model.controllers import IoApic
from rootplex.model.numbers import BusRange
from rootplex.model.platform import Platform
from rootplex.source.place import TablePlace

PNP0A08, PNP0A03, PNP0C02 = 0x080AD041, 0x030AD041, 0x020CD041
OSC = "(5B 4D DB 33 F7 1F 1C 40 96 57 74 41 C0 3D D7 66)"  # 33DB4D5B-1FF7-401C-9657-7441C03DD766
DSM = "(D0 37 C9 E5 53 35 7A 4D 91 17 EA 4D 19 C3 43 4D)"  # E5C937D0-3553-4D7A-9117-EA4D19C3434D


def table_of(platform: Platform) -> bytes:
    return ssdt(platform)[1].data


def of_bridge(bridge: HostBridge, *objects: str, **overrides: object) -> list[object]:
    """The objects of a platform's only bridge."""
    aml = table_of(platforms.platform(bridge, **overrides))
    return evaluate(aml, *(f"\\_SB.PC00.{name}" for name in objects))


def descriptors(data: object) -> list[tuple[int, ...]]:
    """(offset, tag, resource type, general flags, type flags, minimum, maximum, translation, length) of each.

    Word, DWord and QWord address descriptors, by ACPI 6.5 §6.4.3.5; the end tag closes the list.
    """
    assert isinstance(data, bytes)
    found, offset = [], 0
    while data[offset] != 0x79:
        tag, length = data[offset], struct.unpack_from("<H", data, offset + 1)[0]
        kind, general, special = data[offset + 3 : offset + 6]
        numbers = struct.unpack_from({0x88: "<5H", 0x87: "<5I", 0x8A: "<5Q"}[tag], data, offset + 6)
        found.append((offset, tag, kind, general, special, *numbers[1:]))
        offset += 3 + length
    assert offset == len(data) - 2
    return found


@pytest.fixture(scope="module")
def three() -> Platform:
    """QEMU's bridge, one with everything said, one disabled without a segment."""
    full = platforms.host_bridge(
        name="full",
        segment=0x1234,
        bus_range=BusRange(0x10, 0x1F),
        config=platforms.config(base=0x40_1000_0000, buses=16),
        proximity=3,
        dma_coherent=False,
        hot_pluggable=True,
        preserve_boot_config=True,
        acpi=AcpiView(cba=True, mcfg=False, uid='P"\\', cid=("PNP0A03", "ACPI0016"), osc=("hotplug", "dpc")),
    )
    last = platforms.host_bridge(
        name="last", segment=None, enabled=False, config=platforms.config("windowed"), intx=None
    )
    return platforms.platform(platforms.host_bridge(), full, last)


def test_objects_have_the_described_values(three: Platform) -> None:
    aml = table_of(three)
    expected: dict[str, dict[str, object]] = {
        "_HID": {"ECAM": PNP0C02, "PC00": PNP0A08, "PC01": PNP0A08, "PC02": PNP0A08},
        "_CID": {"PC00": PNP0A03, "PC01": [PNP0A03, "ACPI0016"], "PC02": PNP0A03},
        "_SEG": {"PC00": 0, "PC01": 0x1234},
        "_BBN": {"PC00": 0, "PC01": 0x10, "PC02": 0},
        "_UID": {"ECAM": "ECAM", "PC00": 0, "PC01": 'P"\\', "PC02": 2},
        "_STA": {"PC00": 15, "PC01": 15, "PC02": 0},
        "_CCA": {"PC00": 1, "PC01": 0, "PC02": 1},
        "_PXM": {"PC01": 3},
        "_CBA": {"PC01": 0x40_0F00_0000},
    }
    for name, values in expected.items():
        assert names(aml, name) == {f"\\_SB.{device}.{name}": value for device, value in values.items()}


def is_of_the_unknown_uuid(complaint: Complaint) -> bool:
    """Later iasls than 20200925 look UUIDs up, and do not know the one of external facing ports."""
    kind, number, words = complaint.kind, complaint.number, complaint.words
    return (kind, number) == ("remark", 2184) and "efcc06cc-73ac-4bc3-bff0-76143807c389" in words


def test_iasl_has_nothing_to_say(three: Platform) -> None:
    deep = device(1, type="root-port", devices=(device(0, type="downstream-port", external_facing=True),))
    platform = platforms.platform(
        *three.host_bridges,
        platforms.host_bridge(
            devices=(deep, device(2, type="root-port", external_facing=True)),
            dma_windows=(DmaWindow(pci=0, cpu=0x8000_0000, size=GIB),),
            acpi=AcpiView(osc=(), cid=()),
        ),
    )
    aml, complaints = compile_with_complaints(ssdt_source(platform).data.decode(), "ssdt")
    assert [each for each in complaints if not is_of_the_unknown_uuid(each)] == []
    assert sum(aml) & 0xFF == 0
    assert aml[28:36] == b"RPLX\x01\0\0\0"


def test_the_reservation_is_exactly_the_ecam_of_the_buses(three: Platform) -> None:
    wide = platforms.host_bridge(
        bus_range=BusRange(0x20, 0x20), config=platforms.config(base=0x9000_0000, buses=256)
    )
    aml = table_of(platforms.platform(*three.host_bridges, wide))
    (data,) = evaluate(aml, "\\_SB.ECAM._CRS")
    consumer = 0x0D  # consumed, minimum and maximum fixed
    assert [(each[3], *each[5:]) for each in descriptors(data)] == [
        (consumer, 0x40_1000_0000, 0x40_1FFF_FFFF, 0, 0x1000_0000),
        (consumer, 0x40_1000_0000, 0x40_10FF_FFFF, 0, 0x100_0000),
        (consumer, 0x9000_0000, 0x900F_FFFF, 0, 0x10_0000),
    ]


def test_without_ecam_nothing_is_reserved() -> None:
    bridge = platforms.host_bridge(config=platforms.config("cam"), acpi=AcpiView(cba=True))
    aml = table_of(platforms.platform(bridge))
    assert evaluate(aml, "\\_SB.ECAM._CRS", "\\_SB.PC00._CBA", "\\_SB.PC00._BBN") == [None, None, 0]


PRODUCER = 0x0C
ENTIRE, TYPE_TRANSLATION = 0x03, 0x10
WRITABLE, PREFETCHABLE = 0x01, 0x06


@pytest.mark.parametrize(
    ("described", "arch", "expected"),
    [
        # tag, type, type flags, minimum, maximum, translation, length
        (
            window("io", 0, 64 * KIB, cpu=0x3EFF_0000),
            "arm64",
            (0x87, 1, ENTIRE | TYPE_TRANSLATION, 0, 0xFFFF, 0x3EFF_0000, 0x1_0000),
        ),
        (
            window("io", 0, 64 * KIB, cpu=0x8_ABFF_0000),
            "arm64",
            (0x8A, 1, ENTIRE | TYPE_TRANSLATION, 0, 0xFFFF, 0x8_ABFF_0000, 0x1_0000),
        ),
        (
            window("io", 0x1000, 0x1000),
            "arm64",
            (0x88, 1, ENTIRE | TYPE_TRANSLATION, 0x1000, 0x1FFF, 0, 0x1000),
        ),
        (window("io", 0x1000, 0xF000), "x86_64", (0x88, 1, ENTIRE, 0x1000, 0xFFFF, 0, 0xF000)),
        (window("io", 0, 64 * KIB), "x86_64", (0x87, 1, ENTIRE, 0, 0xFFFF, 0, 0x1_0000)),
        (
            window("mem32", 0x1000_0000, 256 * MIB),
            "arm64",
            (0x87, 0, WRITABLE, 0x1000_0000, 0x1FFF_FFFF, 0, 0x1000_0000),
        ),
        (
            window("mem32", 0xC000_0000, GIB, prefetchable=True),
            "arm64",
            (0x87, 0, WRITABLE | PREFETCHABLE, 0xC000_0000, 0xFFFF_FFFF, 0, 0x4000_0000),
        ),
        (
            window("mem32", 0x4000_0000, 0xB000_0000, cpu=0x650_4000_0000),
            "arm64",
            (0x8A, 0, WRITABLE, 0x4000_0000, 0xEFFF_FFFF, 0x650_0000_0000, 0xB000_0000),
        ),
        (
            window("mem32", 0x8000_0000, MIB, cpu=0x1000_0000),
            "arm64",
            (0x8A, 0, WRITABLE, 0x8000_0000, 0x800F_FFFF, (1 << 64) - 0x7000_0000, 0x10_0000),
        ),
        (
            window("mem64", 0x80_0000_0000, 512 * GIB),
            "arm64",
            (0x8A, 0, WRITABLE, 0x80_0000_0000, 0xFF_FFFF_FFFF, 0, 0x80_0000_0000),
        ),
    ],
)
def test_windows(described: object, arch: str, expected: tuple[int, ...]) -> None:
    bridge = platforms.host_bridge(windows=(described,), intx=None, bus_range=BusRange(2, 5))
    (data,) = of_bridge(bridge, "_CRS", arch=arch)
    bus, (_, tag, kind, general, special, *numbers) = descriptors(data)
    assert bus == (0, 0x88, 2, PRODUCER, 0, 2, 5, 0, 4)
    assert general == PRODUCER
    assert (tag, kind, special, *numbers) == expected


def test_an_empty_window_is_left_out() -> None:
    (data,) = of_bridge(platforms.host_bridge(windows=(window("mem32", 0, 0),)), "_CRS")
    assert len(descriptors(data)) == 1


def test_dma_windows() -> None:
    windows = (DmaWindow(pci=0xC000_0000, cpu=0, size=GIB), DmaWindow(pci=0, cpu=0, size=8 * GIB))
    (data,) = of_bridge(platforms.host_bridge(dma_windows=windows), "_DMA")
    assert [(each[3], *each[5:]) for each in descriptors(data)] == [
        (PRODUCER, 0xC000_0000, 0xFFFF_FFFF, (1 << 64) - 0xC000_0000, GIB),
        (PRODUCER, 0, 8 * GIB - 1, 0, 8 * GIB),
    ]
    assert of_bridge(platforms.host_bridge(), "_DMA") == [None]


def test_routing_is_the_standard_swizzle() -> None:
    """linux.md §11.5: INTB at device 1 is INTC's line; a GIC's number n is SPI n, 32 + n."""
    (table,) = of_bridge(platforms.host_bridge(), "_PRT")
    assert isinstance(table, list)
    assert len(table) == 128
    lines = [32 + 3, 32 + 4, 32 + 5, 32 + 6]
    assert table[0:4] == [[0x0000_FFFF, pin, 0, lines[pin]] for pin in range(4)]
    assert table[5] == [0x0001_FFFF, 1, 0, lines[2]]
    assert table[31 * 4 : 32 * 4] == [[0x001F_FFFF, pin, 0, lines[(pin + 31) % 4]] for pin in range(4)]


def test_routing_without_swizzle_and_on_an_io_apic() -> None:
    intx = platforms.intx("ioapic", irqs=(16, 17, 18, 19), swizzle=False, trigger="level-low")
    apic = IoApic(name="ioapic", base=0xFEC0_0000, gsi_base=0)
    bridge = platforms.host_bridge(intx=intx)
    (table,) = of_bridge(bridge, "_PRT", arch="x86_64", interrupt_controllers=(apic,))
    assert table == [[dev << 16 | 0xFFFF, pin, 0, 16 + pin] for dev in range(32) for pin in range(4)]


def test_routing_by_a_map() -> None:
    wires = (
        IntxEntry(dev=2, pin="B", irq=7),
        IntxEntry(dev=None, pin="B", irq=8),
        IntxEntry(dev=0, pin="A", irq=9),
    )
    (table,) = of_bridge(platforms.host_bridge(intx=platforms.intx(irqs=(), map=wires)), "_PRT")
    assert isinstance(table, list)
    assert table[:4] == [
        [0x0000_FFFF, 0, 0, 41],
        [0x0000_FFFF, 1, 0, 40],
        [0x0001_FFFF, 1, 0, 40],
        [0x0002_FFFF, 1, 0, 39],
    ]
    assert len(table) == 33


def test_no_routing_without_intx_and_for_controllers_that_acpi_does_not_have() -> None:
    assert of_bridge(platforms.host_bridge(intx=None), "_PRT") == [None]
    assert of_bridge(platforms.host_bridge(intx=platforms.intx("elsewhere")), "_PRT") == [None]


def dwords(*values: int) -> str:
    return "(" + struct.pack(f"<{len(values)}I", *values).hex(" ") + ")"


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (f"{OSC} 1 3 {dwords(0, 0x1F, 0x1FF)}", (0x10, 0x1F, 0x3C)),  # asked for everything
        (f"{OSC} 1 3 {dwords(1, 0x1F, 0x1FF)}", (0x11, 0x1F, 0x3C)),  # as a query
        (f"{OSC} 1 3 {dwords(0, 0x1F, 0x3C)}", (0, 0x1F, 0x3C)),
        (f"{OSC} 1 3 {dwords(0, 0x1F, 0)}", (0, 0x1F, 0)),
        (f"{OSC} 1 1 {dwords(0)}", (0x02,)),
        (f"{OSC} 2 3 {dwords(0, 0x1F, 0x3C)}", (0x08, 0x1F, 0x3C)),
        (f"{DSM} 1 3 {dwords(0, 0x1F, 0x3C)}", (0x04, 0x1F, 0x3C)),
    ],
)
def test_osc_grants_pme_aer_capability_ltr_by_default(arguments: str, answer: tuple[int, ...]) -> None:
    (data,) = of_bridge(platforms.host_bridge(), f"_OSC {arguments}")
    assert isinstance(data, bytes)
    assert struct.unpack(f"<{len(data) // 4}I", data) == answer


@pytest.mark.parametrize(
    ("name", "bit"),
    [
        ("hotplug", 0x1), ("shpc", 0x2), ("pme", 0x4), ("aer", 0x8),
        ("capability", 0x10), ("ltr", 0x20), ("dpc", 0x80),
    ],
)  # fmt: skip
def test_osc_bits(name: str, bit: int) -> None:
    """linux.md §2.1."""
    bridge = platforms.host_bridge(acpi=AcpiView(osc=(name,)))
    (data,) = of_bridge(bridge, f"_OSC {OSC} 1 3 {dwords(0, 0x1F, 0x1FF)}")
    assert data == struct.pack("<3I", 0x10, 0x1F, bit)


@pytest.mark.parametrize(("preserve", "answer"), [(True, 0), (False, 1)])
def test_dsm_function_5(preserve: bool, answer: int) -> None:
    bridge = platforms.host_bridge(preserve_boot_config=preserve)
    calls = (f"{DSM} 1 5 [ ]", f"{DSM} 1 0 [ ]", f"{DSM} 1 6 [ ]", f"{OSC} 1 5 [ ]")
    values = of_bridge(bridge, *(f"_DSM {call}" for call in calls))
    assert values == [answer, b"\x21", b"\0", b"\0"]


def test_external_facing_ports_are_named_with_the_bridges_above() -> None:
    switch = device(
        0,
        type="upstream-port",
        devices=(
            device(2, 1, type="downstream-port", external_facing=True),
            device(3, type="downstream-port"),
        ),
    )
    bridge = platforms.host_bridge(devices=(device(1, type="root-port", devices=(switch,)), device(5)))
    aml = table_of(platforms.platform(bridge))
    assert names(aml, "_ADR") == {
        "\\_SB.PC00.S008._ADR": 0x1_0000,
        "\\_SB.PC00.S008.S000._ADR": 0,
        "\\_SB.PC00.S008.S000.S011._ADR": 0x2_0001,
    }
    (data,) = evaluate(aml, "\\_SB.PC00.S008.S000.S011._DSD")
    guid = bytes.fromhex("cc06ccef ac73 c34b bff0 76143807c389")
    assert data == [guid, [["ExternalFacingPort", 1], ["UID", 0]]]


def test_names_of_many_bridges_are_unique_and_valid() -> None:
    bridge = platforms.host_bridge()
    made = [bridge_name(replace(bridge, index=index)) for index in range(70_000)]
    assert len(set(made)) == len(made)
    assert made[0] == "PC00"
    assert all(len(name) == 4 and name.isalnum() and name[0].isalpha() and name.isupper() for name in made)


def test_more_than_256_bridges_compile() -> None:
    small = [
        platforms.host_bridge(name=f"b{n}", segment=n, windows=(), intx=None, bus_range=BusRange(0, 0))
        for n in range(300)
    ]
    segments = names(table_of(platforms.platform(*small)), "_SEG")
    assert sorted(value for value in segments.values() if isinstance(value, int)) == list(range(300))


def test_twice_the_same_bytes(three: Platform) -> None:
    assert ssdt(three) == ssdt(three)


def test_places_of_objects_and_of_descriptors_at_the_offsets_of_the_evaluated_buffer() -> None:
    at = platforms.places("segment", "bus_range", "config.base", "windows", "enabled", "intx")
    windows = tuple(
        replace(each, places=platforms.places(whole=20 + line))
        for line, each in enumerate(platforms.QEMU_WINDOWS)
    )
    view = AcpiView(places=platforms.places("uid", "segment", whole=40), uid=9, segment=4)
    bridge = replace(platforms.host_bridge(), places=at, windows=windows, acpi=view)
    table: Artifact = ssdt(platforms.platform(platforms.host_bridge(), bridge))[1]

    def source(path: str, offset: int | None = None) -> object:
        return table.places.source(TablePlace("ssdt.aml", "SSDT", offset, None, path))

    assert source("\\_SB.PC01._SEG") == view.at("segment")
    assert source("\\_SB.PC01._UID") == view.at("uid")
    assert source("\\_SB.PC01._STA") == at.fields["enabled"]
    assert source("\\_SB.PC01._PRT") == at.fields["intx"]
    assert source("\\_SB.PC01._HID") == at.whole
    assert source("\\_SB.PC01") == at.whole
    crs, reserved = evaluate(table.data, "\\_SB.PC01._CRS", "\\_SB.ECAM._CRS")
    bus, *ranges = (each[0] for each in descriptors(crs))
    assert source("\\_SB.PC01._CRS", bus) == at.fields["bus_range"]
    assert [source("\\_SB.PC01._CRS", offset) for offset in ranges] == [each.at() for each in windows]
    second = [each[0] for each in descriptors(reserved)][1]
    assert source("\\_SB.ECAM._CRS", second) == at.fields["config.base"]


def test_what_acpi_cannot_say_is_refused_all_at_once() -> None:
    intx = replace(platforms.intx(trigger="edge-rising"), places=platforms.places("trigger", whole=5))
    far = replace(window("mem64", 0, 2 * MIB, cpu=(1 << 64) - MIB), places=platforms.places("cpu", whole=9))
    bridge = platforms.host_bridge(
        intx=intx,
        windows=(far,),
        bus_range=BusRange(1, 1),
        config=platforms.config(base=0, buses=1),
        acpi=AcpiView(cba=True),
    )
    with pytest.raises(CannotCompile) as refusal:
        ssdt(platforms.platform(bridge))
    found = {finding.code: finding for finding in refusal.value.findings}
    assert sorted(found) == ["RPX0701", "RPX0702", "RPX0703"]
    assert found["RPX0702"].at == far.at("cpu")
    assert found["RPX0703"].at == intx.at("trigger")


@pytest.mark.parametrize(("base", "fits"), [((1 << 64) - MIB, True), ((1 << 64) - 1, False), (1 << 63, True)])
def test_configuration_space_ends_within_64_bits(base: int, fits: bool) -> None:
    bridge = platforms.host_bridge(bus_range=BusRange(0, 0), config=platforms.config(base=base, buses=1))
    if fits:
        assert ssdt(platforms.platform(bridge))
        return
    with pytest.raises(CannotCompile) as refusal:
        ssdt(platforms.platform(bridge))
    assert [each.code for each in refusal.value.findings] == ["RPX0702"]


@pytest.mark.parametrize(("trigger", "arch"), [("level-high", "arm64"), ("level-low", "x86_64")])
def test_the_implied_triggers_are_taken(trigger: str, arch: str) -> None:
    apic = IoApic(name="ioapic", base=0xFEC0_0000, gsi_base=0)
    controller = "gic" if arch == "arm64" else "ioapic"
    bridge = platforms.host_bridge(intx=platforms.intx(controller, trigger=trigger))
    platform = platforms.platform(bridge, arch=arch, interrupt_controllers=(platforms.gic(), apic))
    assert ssdt_source(platform).file == "ssdt.asl"


def test_a_text_that_iasl_refuses_is_kept_with_the_line() -> None:
    text = 'DefinitionBlock ("", "SSDT", 2, "A", "B", 1)\n{\n    Name (_SEG, )\n}\n'
    with pytest.raises(AslError, match=r"cannot compile mine\.asl: line 3: .* in `Name \(_SEG, \)`") as error:
        compile_asl(text, "mine")
    assert error.value.asl == text
    assert {(each.kind, each.number) for each in error.value.complaints} == {("error", 6126)}


def test_remarks_are_told_and_do_not_hinder() -> None:
    text = 'DefinitionBlock ("", "SSDT", 2, "A", "B", 1) { Method (A001) { Name (X001, 1) } }'
    aml, complaints = compile_with_complaints(text, "mine")
    assert aml[:4] == b"SSDT"
    assert {each.kind for each in complaints} == {"remark"}
