"""Which host bridges of two sources are the same: by configuration space, by windows, then by segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rootplex.checks.facts import Joined
from rootplex.formats.pci import ECAM_BUS
from rootplex.jobs.readback import Pair, with_entries
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.buses import ALL_BUSES, Buses
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware


class Traits(Struct, frozen=True):
    """What tells a host bridge from others. `config` are addresses of bus 0 of its configuration space (and
    of the space itself, where it is a window); `windows` (CPU address, size)."""

    config: frozenset[int]
    buses: Buses
    windows: frozenset[tuple[int, int]]
    segment: int | None
    enabled: bool


def matched(left: Sequence[Traits], right: Sequence[Traits]) -> dict[int, int]:
    """Index on the left → index on the right, best agreements first, each once.

    Two are the same where the configuration space is, or a window; where nothing else is left on
    either side, the segment alone is enough.
    """
    scores = sorted(
        ((_score(a, b), i, j) for i, a in enumerate(left) for j, b in enumerate(right)),
        key=lambda entry: (*(-part for part in entry[0]), entry[1], entry[2]),
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for by_segment in (False, True):
        for (config, windows, segment, _), i, j in scores:
            if i in pairs or j in taken:
                continue
            if config or windows or (by_segment and segment):
                pairs[i] = j
                taken.add(j)
    return pairs


def _score(a: Traits, b: Traits) -> tuple[int, int, int, int]:
    config = a.buses.common(b.buses) is not None and bool(a.config & b.config)
    same = len(a.windows & b.windows)
    enabled = a.enabled and b.enabled
    return (int(config), same, int(a.segment == b.segment), int(enabled))


def join_boards(
    dt: DtFirmware | None, acpi: AcpiFirmware | None, names: Mapping[str, str] | None = None
) -> tuple[Joined, ...]:
    """The bridges of one board's device tree and ACPI, joined; in the device tree's order, then those of
    ACPI alone. A bridge is called by `names` (path → name), else by its path."""
    nodes = () if dt is None else dt.bridges
    objects = () if acpi is None else acpi.namespace.bridges
    entries = () if acpi is None or acpi.mcfg is None else acpi.mcfg.entries
    pairs = matched([dt_traits(each) for each in nodes], [acpi_traits(each, entries) for each in objects])
    called = names or {}
    joined: list[Pair] = [
        (called.get(node.path, node.path), node, objects[pairs[i]] if i in pairs else None)
        for i, node in enumerate(nodes)
    ]
    alone = [each for j, each in enumerate(objects) if j not in pairs.values()]
    joined += [(called.get(each.path, each.path), None, each) for each in alone]
    return with_entries(joined, entries)


def dt_traits(bridge: DtHostBridge) -> Traits:
    """Of a node. A window of configuration space (DesignWare) often lies where ECAM does under UEFI."""
    buses = bridge.buses or ALL_BUSES
    reg = bridge.config_reg
    config = {reg.cpu, reg.cpu - buses.first * ECAM_BUS} if reg is not None and reg.cpu is not None else set()
    return Traits(
        config=frozenset(config),
        buses=buses,
        windows=frozenset((each.cpu, each.size) for each in bridge.windows if each.cpu is not None),
        segment=bridge.segment,
        enabled=bridge.is_on,
    )


def acpi_traits(bridge: AcpiHostBridge, entries: Sequence[McfgEntry]) -> Traits:
    """Of an object: its `_CBA`, or the MCFG entry of its segment and first bus."""
    buses = bridge.buses or ALL_BUSES
    segment = bridge.segment or 0
    config = {
        entry.base
        for entry in entries
        if entry.segment == segment and entry.start_bus <= buses.first <= entry.end_bus
    }
    if bridge.cba.known is not None:
        config.add(bridge.cba.known)
    return Traits(
        config=frozenset(config),
        buses=buses,
        windows=frozenset((item.cpu_minimum, item.span) for item in bridge.windows),
        segment=segment,
        enabled=bridge.is_on is not False,
    )
