"""One requester's way by device tree and by ACPI, side by side, as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from msgspec import Struct

from rootplex.simulator.firmware.facts import DtFirmware, Firmware
from rootplex.simulator.firmware.routing.aliases import dma_aliases
from rootplex.simulator.firmware.routing.intx import IntxRouter
from rootplex.simulator.firmware.routing.msi import MsiRouter
from rootplex.simulator.firmware.routing.routes import (
    DeviceStreams,
    FirmwareUnit,
    IntxRoute,
    MsiRoute,
    StreamRoute,
)
from rootplex.simulator.firmware.routing.stream import StreamRouter
from rootplex.simulator.function import Function, Scan


class Way(Struct, frozen=True):
    """What one firmware says: streams, messages, and the pin (None: the function has none)."""

    source: str
    streams: DeviceStreams
    msi: MsiRoute
    intx: IntxRoute | None


class Difference(Struct, frozen=True):
    """A route that the two firmwares say differently; its words are in `report.causes`."""

    by_dt: StreamRoute | MsiRoute | IntxRoute
    by_acpi: StreamRoute | MsiRoute | IntxRoute


class Explanation(Struct, frozen=True):
    """A function's requester ids (with the owner of each), its way by each firmware there is,
    and where they differ (empty where only one is there)."""

    function: Function
    aliases: tuple[tuple[Function, int], ...]
    ways: tuple[Way, ...]
    differences: tuple[Difference, ...]


class Explainer:
    """Explanations for the functions of one scan by the firmwares that are there, a device tree first."""

    def __init__(self, scan: Scan, firmwares: Iterable[Firmware | None], arch: str = "arm64") -> None:
        self._routers = [
            (
                "dt" if isinstance(firmware, DtFirmware) else "acpi",
                StreamRouter(scan, firmware),
                MsiRouter(scan, firmware, arch),
                IntxRouter(scan, firmware),
            )
            for firmware in firmwares
            if firmware is not None
        ]

    def explain(self, function: Function) -> Explanation:
        ways = tuple(
            Way(source, streams.streams(function), msi.route(function), intx.route(function))
            for source, streams, msi, intx in self._routers
        )
        return Explanation(function, dma_aliases(function), ways, tuple(_differences(ways)))


def _differences(ways: Iterable[Way]) -> Iterator[Difference]:
    by_source = {way.source: way for way in ways}
    dt, acpi = by_source.get("dt"), by_source.get("acpi")
    if dt is None or acpi is None:
        return
    for one, other in zip(dt.streams.routes, acpi.streams.routes, strict=True):
        if not _same((one.unit, one.id), (other.unit, other.id)):
            yield Difference(one, other)
    if not _same(*((m.controller, None if m.controller is None else m.id) for m in (dt.msi, acpi.msi))):
        yield Difference(dt.msi, acpi.msi)
    if dt.intx is not None and acpi.intx is not None and dt.intx.irq != acpi.intx.irq:
        yield Difference(dt.intx, acpi.intx)


End: TypeAlias = tuple[FirmwareUnit | None, int | None]
"""Where an id ends: the unit and the id there."""


def _same(one: End, other: End) -> bool:
    """Whether two ends are one. Units are told apart by kind and address; an address that a firmware
    does not say (an ITS without a MADT) tells nothing apart."""
    (unit, id), (other_unit, other_id) = one, other
    if unit is None or other_unit is None:
        return unit is other_unit
    bases = {unit.base, other_unit.base} - {None}
    return id == other_id and unit.kind == other_unit.kind and len(bases) < 2
