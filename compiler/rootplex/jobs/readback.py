"""Artifact bytes back to facts, and which of them speak of the same host bridge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from msgspec import Struct

from rootplex.backends.artifact import BridgeNames, Compiled
from rootplex.checks.facts import Joined
from rootplex.formats.acpi import TABLES as FIXED_TABLES
from rootplex.formats.devicetree import MapCells
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.buses import ALL_BUSES, Buses
from rootplex.readers.dtb import read_dtb
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware, acpi_firmware, dt_firmware
from rootplex.simulator.inputs import Artifacts, Blob

# What the simulator is given of a compiled platform, in the order a firmware lists it. The stub
# DSDT stands for the machine's own and is not read: it says nothing of host bridges.
TABLES = (*(f"{name.lower()}.aml" for name in FIXED_TABLES), "ssdt.aml")


def artifacts_of(compiled: Compiled) -> Artifacts:
    """A compiled platform as the simulator takes it: bytes and file names."""
    files = compiled.files

    def blob(name: str) -> Blob | None:
        return Blob(name, files[name]) if name in files else None

    return Artifacts(
        dtb=blob(f"{compiled.name}.dtb"),
        tables=tuple(Blob(name, files[name]) for name in TABLES if name in files),
        config=blob("config.json"),
        pages=blob("config.bin"),
    )


def read_dt(artifacts: Artifacts, cells: MapCells) -> DtFirmware | None:
    """The device tree's facts; None where there is no blob."""
    if artifacts.dtb is None:
        return None
    return dt_firmware(read_dtb(artifacts.dtb.data, artifacts.dtb.file), cells)


def read_acpi(artifacts: Artifacts) -> AcpiFirmware | None:
    """The tables' facts; None where there are none."""
    if not artifacts.tables:
        return None
    return acpi_firmware([read_table(blob.data, blob.file) for blob in artifacts.tables])


def join_named(
    names: Iterable[BridgeNames], dt: DtFirmware | None, acpi: AcpiFirmware | None
) -> tuple[Joined, ...]:
    """The bridges of a compiled platform: the compiler tells which node and object is which."""
    nodes = {} if dt is None else {bridge.path: bridge for bridge in dt.bridges}
    objects = {} if acpi is None else {bridge.path: bridge for bridge in acpi.namespace.bridges}
    pairs = [(each.name, nodes.get(each.node or ""), objects.get(each.path or "")) for each in names]
    return with_entries(pairs, () if acpi is None or acpi.mcfg is None else acpi.mcfg.entries)


Pair = tuple[str, DtHostBridge | None, AcpiHostBridge | None]


def with_entries(pairs: Sequence[Pair], entries: Sequence[McfgEntry]) -> tuple[Joined, ...]:
    """Each bridge with the MCFG entries that mean it.

    An entry need not agree in all: it belongs to the bridge with which it agrees in most of address,
    segment and first bus, and in two at least. So one wrong field does not hide whose it is.
    """
    owned: list[list[McfgEntry]] = [[] for _ in pairs]
    said = [_said(dt, acpi) for _, dt, acpi in pairs] if entries else []
    # of those that agree with an entry in the same way the first is enough; None: in any segment, at any base
    near: dict[tuple[int | None, int | None], dict[frozenset[Buses], int]] = {}
    for index, each in enumerate(said):
        for key in product((None, *each.segments), (None, *each.bases)):
            near.setdefault(key, {}).setdefault(each.buses, index)
    for entry in entries:
        keys = product((None, entry.segment), (None, entry.base))
        close = {index for key in keys for index in near.get(key, {}).values()}
        score, index = max(((_agreement(entry, said[index]), -index) for index in close), default=(0, 0))
        if score >= 2:
            owned[-index].append(entry)
    return tuple(
        Joined(name, dt, acpi, tuple(mine)) for (name, dt, acpi), mine in zip(pairs, owned, strict=True)
    )


class _Said(Struct, frozen=True):
    """What the firmware says of a bridge, on either side: segments, buses, addresses of bus 0."""

    segments: frozenset[int]
    buses: frozenset[Buses]
    bases: frozenset[int]


def _said(dt: DtHostBridge | None, acpi: AcpiHostBridge | None) -> _Said:
    segments: set[int] = set()
    buses: set[Buses] = set()
    bases: set[int] = set()
    if acpi is not None:
        segments.add(acpi.segment or 0)
        buses |= {acpi.buses} if acpi.buses is not None else set()
    if dt is not None:
        segments |= {dt.segment} if dt.segment is not None else set()
        own = dt.buses or ALL_BUSES
        buses.add(own)
        if dt.config_reg is not None and dt.config_reg.cpu is not None:
            bases.add(dt.config_reg.cpu - (own.first << 20))
    return _Said(frozenset(segments), frozenset(buses), frozenset(bases))


def _agreement(entry: McfgEntry, said: _Said) -> int:
    """How many of segment, buses and address an entry shares with what the firmware says of a bridge."""
    inside = any(entry.start_bus <= each.first and each.last <= entry.end_bus for each in said.buses)
    overlaps = any(entry.start_bus <= each.last and each.first <= entry.end_bus for each in said.buses)
    return (entry.segment in said.segments) + (entry.base in said.bases) + inside + overlaps
