"""The devices of a pasted machine as the language has them, in the worst case and in the best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from rootplex.capture.pasted.facts import PastedBar, Shown
from rootplex.formats.pci import PcieType
from rootplex.frontends.configspace import BRIDGES, BarFact, bar_keys, is_legacy_ide
from rootplex.frontends.document import (
    Hex,
    leaf,
    listing,
    record,
    size,
    tree,
)
from rootplex.frontends.pasted.machine import (
    HOST_BRIDGE,
    Merged,
    PastedMachine,
    bus_numbers,
    class_code,
    last_bus,
)
from rootplex.source.node import Node

Case: TypeAlias = Literal["worst", "best"]
"""How what no text shows is described: as what does not isolate, or as what does."""
_CONVENTIONAL_BUSES = ("pci-bridge", "pcie-to-pci-bridge")
_BARS, _BRIDGE_BARS, _FIRST_VF = 6, 2, 7
_UNNUMBERED = "which register each is in is assumed: `lspci -vv` shows it"
_EXPRESS = tuple(kind.word for kind in PcieType)
_PORTS: dict[str | None, str] = {None: "root-port", "upstream-port": "downstream-port"}
_WORST_BRIDGES: dict[str | None, str] = {
    "upstream-port": "downstream-port",
    **dict.fromkeys(("root-port", "downstream-port", "pci-to-pcie-bridge"), "pcie-to-pci-bridge"),
}
_WORST: dict[str | None, str] = {"upstream-port": "endpoint"}
"""What does not isolate, below a bridge of some type; elsewhere it is conventional."""
_BELOW_UPSTREAM = ("downstream-port", "endpoint", "legacy-endpoint", "pcie-to-pci-bridge")
_DEEPEST = 64
_KEPT = (
    "type", "id", "subsystem", "revision", "class", "acs", "ari", "ats", "flr", "slot", "hotplug", "msi",
    "msix", "pin", "pm", "bars", "rom", "sriov",
)  # fmt: skip
"""The keys of a device, in the order in which they are written."""

WHY: dict[Shown, str] = {
    "nothing": "the text does not show its capabilities",
    "denied": "its capabilities are <access denied>: lspci was not run as root",
    "cut": "the text ends in the middle of it",
    "type": "the text does not show its extended capabilities, of which ACS is one",
}


def device_nodes(
    machine: PastedMachine, segment: int, bus: int, case: Case, *, bars: bool = False
) -> Node | None:
    """The `devices` of a root bus, with their BARs if they are wanted; None without functions."""
    nodes = [
        _device(machine, each, None, case, bars) for each in machine.on(segment, bus) if not each.virtual
    ]
    return listing(nodes, nodes[0].place) if nodes else None


def _device(machine: PastedMachine, each: Merged, above: str | None, case: Case, bars: bool) -> Node:
    segment, bus, devfn = each.where
    place = each.place
    buses = bus_numbers(machine, each)
    secondary = buses[0] if buses is not None and buses[0] > bus else None
    if secondary is not None and machine.bridges.get((segment, secondary)) != each.where:
        secondary = None  # another one has that bus, too, and was told first
    children = [] if secondary is None else [one for one in machine.on(segment, secondary) if not one.virtual]
    kind, acs = _kind(machine, each, children, above, case)
    keys = {key: each.keys[key] for key in _KEPT if key in each.keys}
    keys["type"] = kind
    if acs is not None:
        keys["acs"] = acs
    if above in _CONVENTIONAL_BUSES:
        keys.pop("ari", None)
    if bars:
        keys |= _resources(each, kind)
    fields: dict[str, Node | None] = {
        "dev": leaf(devfn >> 3, place),
        "fn": leaf(devfn & 7, place) if devfn & 7 else None,
    }
    remarks = {
        "type": None if each.isolation_known else WHY[each.shown],
        "bars": _UNNUMBERED if any(bar.index is None for bar in each.bars) else None,
    }
    for key in _KEPT:
        if key in keys:
            value = keys[key]
            shown = Hex(value) if key in ("class", "revision") and isinstance(value, int) else value
            fields[key] = tree(shown, place, remarks.get(key))
    if buses is not None and (each.bridge or children):
        last = buses[1] if buses[1] is not None else max(last_bus(machine, segment, buses[0]), buses[0])
        forwards = ", ".join(map(str, each.forwards))
        fields["bus"] = tree(
            [Hex(buses[0]), Hex(max(last, buses[0]))], place, f"forwards {forwards}" if forwards else None
        )
        below = [_device(machine, one, kind, case, bars) for one in children]
        if below:
            fields["devices"] = listing(below, place)
    return record(place, fields, each.name)


def _resources(each: Merged, kind: str) -> dict[str, object]:
    """`bars` and `rom`; a VF's BARs are in `sriov`."""
    own = list(_numbered(each.bars, _BRIDGE_BARS if kind in BRIDGES else _BARS, _class(each)))
    found: dict[str, object] = {"bars": own} if own else {}
    if each.rom:
        found["rom"] = size(each.rom)
    vfs = each.keys.get("sriov")
    of_vfs = [
        bar_keys(BarFact(bar.index - _FIRST_VF, bar.space, bar.size, bar.prefetchable))
        for bar in each.bars
        if bar.index is not None and bar.index >= _FIRST_VF
    ]
    if isinstance(vfs, Mapping) and of_vfs:
        found["sriov"] = {**vfs, "bars": of_vfs}
    return found


def _class(each: Merged) -> int:
    code = each.keys.get("class")
    return code if isinstance(code, int) else 0


def _numbered(bars: Sequence[PastedBar], limit: int, code: int) -> Iterator[dict[str, object]]:
    """The BARs of a function's own registers, each in what the ones before leave; a BAR whose register is not
    told is put into the next one."""
    free = 0
    for bar in bars:
        index = free if bar.index is None else bar.index
        wide = bar.space == "mem64"
        if index < free or index + wide >= limit:
            continue
        free = index + 1 + wide
        if bar.index is None or not is_legacy_ide(code, index):
            yield bar_keys(BarFact(index, bar.space, bar.size, bar.prefetchable))


def _has_express_below(
    machine: PastedMachine, children: Sequence[Merged], seen: set[int] | None = None, depth: int = 0
) -> bool:
    """Whether a text shows that something below is PCI Express, and no bridge to conventional PCI between."""
    seen = set() if seen is None else seen
    for one in children:
        told = one.keys.get("type")
        if told in _EXPRESS:
            return True
        buses = bus_numbers(machine, one)
        if told is None and buses is not None and one.where[1] < buses[0] not in seen and depth < _DEEPEST:
            seen.add(buses[0])
            below = [each for each in machine.on(one.where[0], buses[0]) if not each.virtual]
            if _has_express_below(machine, below, seen, depth + 1):
                return True
    return False


def _can_stand(told: str, above: str | None) -> bool:
    """Whether a function of a type can be there; else texts contradict each other, or one is damaged. A
    conventional bridge below a port is one that hides that it is more."""
    if told in ("root-port", "integrated-endpoint", "event-collector", "host-bridge-function"):
        return above is None
    if told == "downstream-port" or above == "upstream-port":
        return told in _BELOW_UPSTREAM and above == "upstream-port"
    return above not in _CONVENTIONAL_BUSES or told not in _EXPRESS or told == "pci-to-pcie-bridge"


def _kind(
    machine: PastedMachine, each: Merged, children: Sequence[Merged], above: str | None, case: Case
) -> tuple[str, object | None]:
    """The type, and ACS where the text does not tell it."""
    told = each.keys.get("type")
    best = case == "best"
    is_bridge = bool(each.bridge or children)
    fits = told in BRIDGES or not (children or each.buses)
    if isinstance(told, str) and fits and _can_stand(told, above):
        if each.isolation_known:
            return told, None
        if each.shown == "type":
            return told, True if best and told not in _CONVENTIONAL_BUSES else None
    host = class_code(each) == HOST_BRIDGE
    if above not in _CONVENTIONAL_BUSES and not best and _has_express_below(machine, children):
        # What a text shows to be PCI Express is not below a conventional bus.
        return _PORTS.get(above, "upstream-port"), None
    if above in _CONVENTIONAL_BUSES or not best:
        if is_bridge:
            return _WORST_BRIDGES.get(above, "pci-bridge"), None
        return "host-bridge-function" if host and above is None else _WORST.get(above, "pci"), None
    if not is_bridge:
        if above is None:
            return (
                ("host-bridge-function", None)
                if host and not each.where[2] & 7
                else ("integrated-endpoint", True)
            )
        return "endpoint", True
    plain = all(not one.where[2] >> 3 for one in children)
    if above is None:
        return ("root-port", True) if plain else ("pci-bridge", None)
    if above == "upstream-port":
        return ("downstream-port", True) if plain else ("pcie-to-pci-bridge", None)
    if children and all(one.bridge is not False for one in children):
        return "upstream-port", None
    return "pcie-to-pci-bridge", None
