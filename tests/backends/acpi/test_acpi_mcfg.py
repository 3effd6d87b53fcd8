"""MCFG as `iasl -d` reads it, and the base of bus 0 by the reference's vector (linux.md §11.7)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.acpica import Field, fields, structures
from tests.backends import platforms

from rootplex.backends.acpi.header import with_fixed_creator
from rootplex.backends.acpi.mcfg import mcfg
from rootplex.backends.artifact import Artifact
from rootplex.backends.refusal import CannotCompile
from rootplex.model.bridge import AcpiView, HostBridge
from rootplex.model.numbers import BusRange
from rootplex.model.platform import Platform
from rootplex.source.place import TablePlace


def table_of(platform: Platform) -> Artifact:
    table = mcfg(platform)
    assert table is not None
    return table


def entries(platform: Platform) -> list[tuple[int, int, int, int]]:
    """(base, segment, first bus, last bus) of every entry, as iasl prints them."""
    keys = ("Base Address", "Segment Group Number", "Start Bus Number", "End Bus Number")
    listed = structures(fields(table_of(platform).data), "Base Address")
    return [tuple(entry[key].number for key in keys) for entry in listed]  # type: ignore[misc]


def sixteen_buses(**overrides: object) -> HostBridge:
    return platforms.host_bridge(
        name="second",
        segment=1,
        bus_range=BusRange(0x10, 0x1F),
        config=platforms.config(base=0x40_1000_0000, buses=16),
        **overrides,
    )


def test_base_is_that_of_bus_0() -> None:
    assert entries(platforms.platform(sixteen_buses())) == [(0x40_0F00_0000, 1, 0x10, 0x1F)]


def test_one_entry_a_bridge_in_file_order() -> None:
    platform = platforms.platform(sixteen_buses(), platforms.host_bridge(segment=7))
    assert entries(platform) == [(0x40_0F00_0000, 1, 0x10, 0x1F), (0x40_1000_0000, 7, 0, 0xFF)]


@pytest.mark.parametrize("own", [BusRange(0, 0xFF), BusRange(0x12, 0x13)])
def test_mcfg_key_changes_the_buses_and_not_the_base(own: BusRange) -> None:
    platform = platforms.platform(sixteen_buses(acpi=AcpiView(mcfg=own)))
    assert entries(platform) == [(0x40_0F00_0000, 1, own.first, own.last)]


@pytest.mark.parametrize(
    "left_out",
    [
        {"enabled": False},
        {"hot_pluggable": True},
        {"acpi": AcpiView(mcfg=False)},
        {"acpi": AcpiView(present=False)},
        {"config": platforms.config("cam")},
        {"config": platforms.config("windowed")},
    ],
)
def test_bridges_that_are_left_out(left_out: dict[str, object]) -> None:
    gone = platforms.host_bridge(**left_out)
    assert mcfg(platforms.platform(gone)) is None
    assert len(entries(platforms.platform(gone, sixteen_buses()))) == 1


def test_no_segment_is_segment_0() -> None:
    assert entries(platforms.platform(platforms.host_bridge(segment=None)))[0][1] == 0


def test_overrides_of_acpi_are_what_is_written() -> None:
    view = AcpiView(segment=5, config=platforms.config(base=0x8000_0000))
    platform = platforms.platform(platforms.host_bridge(acpi=view))
    assert entries(platform) == [(0x8000_0000, 5, 0, 0xFF)]


def test_header() -> None:
    by_name: dict[str, Field] = {}
    for field in fields(table_of(platforms.platform()).data):
        by_name.setdefault(field.name, field)
    assert by_name["Revision"].number == 1
    assert by_name["Oem ID"].text == '"BOCHS "'
    assert by_name["Oem Table ID"].text == '"BXPC    "'
    assert by_name["Oem Revision"].number > 1  # QEMU's own is 1, and only a greater one replaces it
    assert by_name["Asl Compiler ID"].text == '"RPLX"'


def test_short_oem_ids_are_filled_with_spaces() -> None:
    platform = replace(platforms.platform(), oem_id="HISI", oem_table_id="HIP07")
    assert table_of(platform).data[10:24] == b"HISI  HIP07   "


def test_a_base_below_zero_is_refused_at_its_line() -> None:
    places = platforms.places("bus_range", "config.base")
    config = platforms.config(base=0x0080_0000, buses=16)
    bad = replace(sixteen_buses(), config=config, places=places)
    with pytest.raises(CannotCompile) as refusal:
        mcfg(platforms.platform(bad, replace(bad, name="third")))
    assert [finding.code for finding in refusal.value.findings] == ["RPX0701", "RPX0701"]
    first = refusal.value.findings[0]
    assert first.at == places.fields["config.base"]
    assert first.related[0].at == places.fields["bus_range"]


def test_places_of_the_fields_by_the_offsets_that_iasl_prints() -> None:
    places = platforms.places("segment", "bus_range", "config.base")
    platform = platforms.platform(platforms.host_bridge(), replace(sixteen_buses(), places=places))
    table = table_of(platform)
    second = list(structures(fields(table.data), "Base Address"))[1]
    for name, path in (
        ("Base Address", "config.base"),
        ("Segment Group Number", "segment"),
        ("Start Bus Number", "bus_range"),
        ("End Bus Number", "bus_range"),
    ):
        at = TablePlace("mcfg.aml", "MCFG", second[name].offset, second[name].size)
        assert table.places.source(at) == places.fields[path]
    reserved = second["Reserved"]
    assert table.places.source(TablePlace("", "MCFG", reserved.offset, 4)) == places.whole


def test_twice_the_same_bytes() -> None:
    assert mcfg(platforms.platform()) == mcfg(platforms.platform())


def test_checksum_is_renewed_with_the_creator() -> None:
    table = bytearray(table_of(platforms.platform()).data)
    table[28:36] = b"INTL\x25\x09\x20\x20"
    fixed = with_fixed_creator(bytes(table))
    assert fixed == table_of(platforms.platform()).data
    assert sum(fixed) & 0xFF == 0
