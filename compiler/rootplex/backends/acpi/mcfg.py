"""MCFG: where the ECAM of the host bridges lies that are there at boot (PCI Firmware 3.3 §4.1.2)."""

from __future__ import annotations

from rootplex.backends.acpi.ecam import base_of_bus_0, check_bases, in_mcfg
from rootplex.backends.acpi.header import TableWriter
from rootplex.backends.artifact import Artifact
from rootplex.formats.acpi import MCFG_ENTRY, MCFG_HEAD
from rootplex.model.bridge import HostBridge
from rootplex.model.numbers import BusRange
from rootplex.model.platform import Platform
from rootplex.source.place import Place

_REVISION = 1


def mcfg(platform: Platform) -> Artifact | None:
    """The table with one entry a bridge, in the description's order; None without any entry.

    CannotCompile where a base of bus 0 would lie below address 0.
    """
    bridges = tuple(bridge for bridge in platform.bridges_in("acpi") if in_mcfg(bridge))
    if not bridges:
        return None
    check_bases(bridges)
    table = TableWriter(platform, "MCFG", _REVISION)
    table.put(MCFG_HEAD, {})
    for bridge in bridges:
        buses, place = _buses(bridge)
        table.put(
            MCFG_ENTRY,
            {
                "base": base_of_bus_0(bridge),
                "segment": bridge.segment or 0,
                "start_bus": buses.first,
                "end_bus": buses.last,
            },
            whole=bridge.at(),
            places={
                "base": bridge.at("config.base"),
                "segment": bridge.at("segment"),
                "start_bus": place,
                "end_bus": place,
            },
        )
    return table.finish("mcfg.aml")


def _buses(bridge: HostBridge) -> tuple[BusRange, Place]:
    """The buses of the entry and where they were written: the bridge's, or `acpi.mcfg`'s."""
    own = bridge.acpi.mcfg
    if isinstance(own, BusRange):
        return own, bridge.acpi.at("mcfg")
    return bridge.bus_range, bridge.at("bus_range")
