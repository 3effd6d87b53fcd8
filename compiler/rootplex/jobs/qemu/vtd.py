"""Which host bridges QEMU's one VT-d unit can stand in for: those of one unit in one segment.

A unit belongs to one segment (Intel VT-d 4.1 §8.3), and Linux takes its registers once only.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from rootplex.model.platform import Platform

UNIT = "vtd"


class Served(Struct, frozen=True):
    """The bridges (names) behind the described unit `unit` in `segment`; none where nothing is translated."""

    bridges: frozenset[str]
    unit: str
    segment: int


def served(platform: Platform) -> Served:
    """The unit and segment with the most functions, the first of equals."""
    functions: Counter[tuple[str, int]] = Counter()
    bridges: dict[tuple[str, int], list[str]] = {}
    for bridge in platform.bridges_in("acpi"):
        unit = None if bridge.iommu is None else platform.controller(bridge.iommu.unit)
        if unit is not None and unit.enabled and bridge.enabled:
            key = (unit.name, bridge.segment or 0)
            functions[key] += sum(device.present for device in bridge.walk())
            bridges.setdefault(key, []).append(bridge.name)
    if not functions:
        return Served(frozenset(), "", 0)
    name, segment = chosen = max(functions, key=functions.__getitem__)
    return Served(frozenset(bridges[chosen]), name, segment)
