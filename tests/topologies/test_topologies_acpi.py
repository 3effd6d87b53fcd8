"""The ACPI tables of the bundled topologies, held against iasl and acpiexec."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.acpica import evaluate, names
from tests.topologies.bundled import platform_of, with_firmware

from rootplex.backends.acpi.names import RESERVATION, SYSTEM_BUS, bridge_path
from rootplex.model.bridge import HostBridge
from rootplex.readers.acpi.resources import Resource, read_resources
from rootplex.tools.runner import run

BOARDS = with_firmware("acpi")
TOO_NEW = {"viot.aml"}
"""What the iasl of Debian 12 knows by its header alone; that of 13 reads ours in
tests/readers/test_tables_of_qemu.py."""


@pytest.fixture(autouse=True)
def _acpica(program: Callable[[str], str]) -> None:
    program("iasl")
    program("acpiexec")


@pytest.mark.parametrize("name", BOARDS)
def test_iasl_compiles_the_text_without_a_word(compiled: Path, tmp_path: Path, name: str) -> None:
    for text in (compiled / name).glob("*.asl"):
        done = run(["iasl", "-p", "made", str(text)], cwd=tmp_path)
        assert done.status == 0, done.stdout
        assert re.search(r"\b0 Errors, 0 Warnings\b", done.stdout), done.stdout


@pytest.mark.parametrize("name", BOARDS)
def test_iasl_disassembles_every_table(compiled: Path, tmp_path: Path, name: str) -> None:
    tables = sorted((compiled / name).glob("*.aml"))
    assert {"mcfg.aml", "ssdt.aml"} - {table.name for table in tables} <= {"mcfg.aml"}
    for table in tables:
        (tmp_path / table.name).write_bytes(table.read_bytes())
        done = run(["iasl", "-d", table.name], cwd=tmp_path)
        assert done.status == 0, done.stderr
        text = (tmp_path / table.with_suffix(".dsl").name).read_text()
        said = text + done.stderr
        if table.name in TOO_NEW:
            said = re.sub(r"Unknown ACPI table signature \[VIOT\]", "", said)
        assert not re.search(r"invalid|unknown|error|incorrect checksum", said, re.IGNORECASE)


@cache
def _values(aml: bytes, name: str) -> dict[str, object]:
    return names(aml, name)


@pytest.mark.parametrize("name", BOARDS)
def test_acpiexec_evaluates_the_described_numbers(compiled: Path, name: str) -> None:
    aml = (compiled / name / "ssdt.aml").read_bytes()
    bridges = platform_of(name).bridges_in("acpi")

    def shown(object_: str) -> dict[str, object]:
        return {
            bridge.name: _values(aml, object_).get(f"{bridge_path(bridge)}.{object_}") for bridge in bridges
        }

    assert shown("_SEG") == {bridge.name: bridge.segment for bridge in bridges}
    assert shown("_BBN") == {bridge.name: bridge.bus_range.first for bridge in bridges}
    assert shown("_CCA") == {bridge.name: int(bridge.dma_coherent) for bridge in bridges}
    assert shown("_STA") == {bridge.name: 0xF if bridge.enabled else 0 for bridge in bridges}
    assert shown("_CBA") == {
        bridge.name: bridge.config.base - (bridge.bus_range.first << 20)
        if bridge.hot_pluggable or bridge.acpi.cba
        else None
        for bridge in bridges
    }


@pytest.mark.parametrize("name", BOARDS)
def test_acpiexec_evaluates_the_described_resources(compiled: Path, name: str) -> None:
    aml = (compiled / name / "ssdt.aml").read_bytes()
    bridges = platform_of(name).bridges_in("acpi")
    values = evaluate(aml, *(f"{bridge_path(bridge)}._CRS" for bridge in bridges))
    for bridge, value in zip(bridges, values, strict=True):
        assert isinstance(value, bytes)
        listed = read_resources(value)
        assert listed.fault is None
        assert all(item.producer for item in listed.items)
        assert [_shown(item) for item in listed.items] == list(_described(bridge))


def _described(bridge: HostBridge) -> Iterator[tuple[str, int, int, int, bool]]:
    yield "bus", bridge.bus_range.first, bridge.bus_range.last, 0, False
    for window in bridge.windows:
        space = "io" if window.space == "io" else "memory"
        last = window.pci + window.size - 1
        yield space, window.pci, last, window.cpu - window.pci, window.prefetchable


def _shown(item: Resource) -> tuple[str, int, int, int, bool]:
    assert item.length == item.maximum - item.minimum + 1
    return item.type, item.minimum, item.maximum, item.translation, item.prefetchable


@pytest.mark.parametrize("name", BOARDS)
def test_the_reserved_addresses_are_the_ecam_of_the_described_buses(compiled: Path, name: str) -> None:
    aml = (compiled / name / "ssdt.aml").read_bytes()
    described = [
        (bridge.config.base, bridge.bus_range.count << 20)
        for bridge in platform_of(name).bridges_in("acpi")
        if bridge.config.is_ecam
    ]
    (value,) = evaluate(aml, f"{SYSTEM_BUS}.{RESERVATION}._CRS")
    items = read_resources(value).items if isinstance(value, bytes) else ()
    found = [(item.minimum, item.length) for item in items]
    assert found == described
