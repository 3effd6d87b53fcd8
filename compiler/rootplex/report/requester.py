"""One requester's ways as lines of plain text."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.jobs.result import Requester, Route
from rootplex.report import dma
from rootplex.report.words import FIRMWARE, function_name, function_names


def lines(requester: Requester) -> Iterator[str]:
    """Its ids, its way by each firmware, where they differ, and its group."""
    function, rid = requester.rids[0]
    yield f"{function_name(function)}: requester id {rid:#06x} in segment {requester.segment:04x}"
    for owner, rid in requester.rids[1:]:
        yield f"    also requests as {rid:#06x} ({function_name(owner)})"
    for way in requester.ways:
        yield f"by {FIRMWARE[way.firmware]}:"
        for route in way.routes:
            yield from (f"    {line}" for line in _route(route))
    if not requester.differences and len(requester.ways) > 1:
        yield "both firmwares say the same"
    for each in requester.differences:
        yield f"{each.what} differs: {each.by_dt} by device tree, {each.by_acpi} by ACPI"
    if requester.dma is not None:
        yield dma.line(requester.dma)
    if requester.dma_bits < 64:
        yield f"it has {requester.dma_bits} bits of DMA addresses"
    if not requester.grouped:
        yield "it is in no group"
    elif requester.beside:
        yield f"it is in a group with {function_names(requester.beside)}"
    else:
        yield "it is alone in its group"


def _route(route: Route) -> Iterator[str]:
    yield f"{route.what}: {_begins(route)}"
    for step in route.steps:
        yield f"    {step.text}" + ("" if step.at is None else f" ({step.at})")
    if route.reason:
        yield f"    {route.reason}"


def _begins(route: Route) -> str:
    if route.what == "pin":
        if route.pin is None:
            return "none"
        end = f"interrupt {route.line if route.id is None else route.id}" if route.ends else "nothing"
        return f"INT{route.pin} -> {end}"
    if not route.ends:
        end = "no IOMMU" if route.what == "stream" else "no controller"
    elif route.id is None:
        end = f"{route.unit}"
    else:
        end = f"{'StreamID' if route.what == 'stream' else 'DeviceID'} {route.id:#x} at {route.unit}"
    return f"RID {route.rid:#06x} -> {end}"
