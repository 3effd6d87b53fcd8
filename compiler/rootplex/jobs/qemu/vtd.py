"""Which host bridges QEMU's one VT-d unit can stand in for: those of one unit in one segment.

A unit belongs to one segment (Intel VT-d 4.1 §8.3), and Linux takes its registers once only.
"""

from __future__ import annotations

from collections import Counter

from rootplex.model.platform import Platform

UNIT = "vtd"


def served(platform: Platform) -> tuple[frozenset[str], int]:
    """The bridges (names) of the unit and segment with the most functions, the first of equals, and the
    segment; no bridge where nothing is translated."""
    functions: Counter[tuple[str, int]] = Counter()
    bridges: dict[tuple[str, int], list[str]] = {}
    for bridge in platform.bridges_in("acpi"):
        unit = None if bridge.iommu is None else platform.controller(bridge.iommu.unit)
        if unit is not None and unit.enabled and bridge.enabled:
            key = (unit.name, bridge.segment or 0)
            functions[key] += sum(device.present for device in bridge.walk())
            bridges.setdefault(key, []).append(bridge.name)
    if not functions:
        return frozenset(), 0
    chosen = max(functions, key=functions.__getitem__)
    return frozenset(bridges[chosen]), chosen[1]
