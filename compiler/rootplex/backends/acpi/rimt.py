"""RIMT: which of RISC-V's IOMMUs translates which functions (RISC-V IO Mapping Table 1.0; layouts as ACPICA's
actbl2.h has them).

One root complex for each segment: Linux takes the first of them (drivers/acpi/riscv/rimt.c).
"""

from __future__ import annotations

from collections.abc import Sequence

from rootplex.backends.acpi.header import TableWriter
from rootplex.backends.artifact import Artifact
from rootplex.formats.acpi import (
    HEADER,
    RIMT_ATS,
    RIMT_HEAD,
    RIMT_IOMMU,
    RIMT_IS_FUNCTION,
    RIMT_MAPPING,
    RIMT_PRI,
    RIMT_ROOT,
    RIMT_WIRE,
    RIMT_WIRE_RISING,
    RimtType,
    size_of,
)
from rootplex.model.bridge import HostBridge
from rootplex.model.controllers import RiscvIommu
from rootplex.model.platform import Platform

_TABLE_REVISION = _NODE_REVISION = 1
_PLATFORM_HID = b"RSCV0004"
"""The _HID of one with registers of its own (RISC-V ACPI, and Linux drivers/iommu/riscv/iommu-platform.c)."""


def rimt(platform: Platform) -> Artifact | None:
    """The table; None where no IOMMU of RISC-V's translates an enabled bridge."""
    bridges = [each for each in platform.bridges_in("acpi") if each.enabled and each.iommu is not None]
    used = {entry.target for each in bridges if each.iommu for entry in each.iommu.entries}
    units = [
        each
        for each in platform.iommus
        if isinstance(each, RiscvIommu) and each.enabled and each.name in used
    ]
    if not units:
        return None
    segments: dict[int, list[HostBridge]] = {}
    for bridge in bridges:
        segments.setdefault(bridge.segment or 0, []).append(bridge)
    table = TableWriter(platform, "RIMT", _TABLE_REVISION)
    start = size_of(HEADER, RIMT_HEAD)
    table.put(RIMT_HEAD, {"node_count": len(units) + len(segments), "node_offset": start})
    offsets = {}
    for number, unit in enumerate(units):
        offsets[unit.name] = table.offset
        _put_unit(table, platform, unit, number)
    for number, (segment, those) in enumerate(segments.items(), start=len(units)):
        _put_root(table, segment, those, offsets, number)
    return table.finish("rimt.aml")


def _put_unit(table: TableWriter, platform: Platform, unit: RiscvIommu, number: int) -> None:
    parents = {bridge.name: bridge for bridge in platform.bridges_in("acpi")}
    parent = parents.get(unit.parent or "")
    wires = () if unit.parent is not None else unit.interrupts
    values = {
        "type": RimtType.IOMMU,
        "revision": _NODE_REVISION,
        "length": size_of(RIMT_IOMMU) + len(wires) * size_of(RIMT_WIRE),
        "id": number,
        "base": unit.base or 0,
        "wire_count": len(wires),
        "wire_offset": size_of(RIMT_IOMMU),
    }
    if parent is None:
        values["hardware_id"] = int.from_bytes(_PLATFORM_HID, "little")
    else:
        values["flags"] = RIMT_IS_FUNCTION
        values["segment"] = parent.segment or 0
        values["rid"] = parent.bus_range.first << 8 | (unit.devfn or 0)
        here = (each for each in parent.devices if each.dev << 3 | each.fn == (unit.devfn or 0))
        ids = next((f"{each.vendor:04x}{each.device:04x}" for each in here), "0" * 8)
        values["hardware_id"] = int.from_bytes(ids.encode(), "little")
    places = {"base": unit.at("base"), "rid": unit.at("dev")}
    table.put(RIMT_IOMMU, values, whole=unit.at(), places=places)
    for n, line in enumerate(wires):
        table.put(RIMT_WIRE, {"irq": line, "flags": RIMT_WIRE_RISING}, whole=unit.at(f"interrupts.{n}"))


def _put_root(
    table: TableWriter, segment: int, bridges: Sequence[HostBridge], offsets: dict[str, int], number: int
) -> None:
    entries = [
        (bridge.iommu, n, entry)
        for bridge in bridges
        if bridge.iommu is not None
        for n, entry in enumerate(bridge.iommu.entries)
        if entry.target in offsets
    ]
    ats = any(bridge.iommu is not None and bridge.iommu.ats for bridge in bridges)
    pri = any(bridge.iommu is not None and bridge.iommu.pri for bridge in bridges)
    values = {
        "type": RimtType.ROOT_COMPLEX,
        "revision": _NODE_REVISION,
        "length": size_of(RIMT_ROOT) + len(entries) * size_of(RIMT_MAPPING),
        "id": number,
        "flags": RIMT_ATS * ats | RIMT_PRI * pri,
        "segment": segment,
        "mapping_offset": size_of(RIMT_ROOT),
        "mapping_count": len(entries),
    }
    table.put(RIMT_ROOT, values, whole=bridges[0].at(), places={"segment": bridges[0].at("segment")})
    for iommu, n, entry in entries:
        own = {"first": entry.rid, "count": entry.count, "id": entry.id, "output": offsets[entry.target]}
        table.put(RIMT_MAPPING, own, whole=iommu.at(f"map.{n}"))
