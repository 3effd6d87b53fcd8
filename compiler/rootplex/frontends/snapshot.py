"""A snapshot to a description: the firmware's host bridges with the functions that the kernel saw.

What the kernel changed shows in it: bus numbers, and bits that drivers set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from rootplex.capture.facts import KernelFunction, KernelHostBridge, Snapshot
from rootplex.frontends.acpi import import_acpi, source_of
from rootplex.frontends.configspace import BarFact, FunctionFact, is_legacy_ide
from rootplex.frontends.devices import device_list, with_devices
from rootplex.frontends.devicetree import import_tree
from rootplex.frontends.document import Imported, Missing, Ways, imported, leaf, listing, record, size
from rootplex.frontends.document import address as written
from rootplex.known.kernels import DEFAULT, profile_of
from rootplex.readers.acpi.acpiexec import plain
from rootplex.readers.acpi.header import Table, read_table
from rootplex.readers.dtb import read_dtb
from rootplex.source.finding import unreadable
from rootplex.source.node import Node
from rootplex.source.place import FilePlace, Place

_IO, _MEMORY, _PREFETCH, _WIDE = 0x100, 0x200, 0x2000, 0x100000
"""Flags of a resource (Linux include/linux/ioport.h)."""

_BARS = 6
_RAM = "System RAM"


def import_snapshot(snapshot: Snapshot) -> Imported:
    """The description; Unreadable where the snapshot holds no firmware with host bridges."""
    base = _firmware(snapshot)
    missing = list(base.missing)
    devices: dict[int, Node] = {}
    for bridge in snapshot.bridges:
        index = _index(bridge, base)
        functions = list(_functions(snapshot, bridge))
        if index is None:
            if functions:
                why = "the firmware has no host bridge at the path that the kernel gives"
                missing.append(
                    Missing(f"devices of {bridge.segment:04x}:{bridge.bus:02x}", why, bridge.place)
                )
            continue
        functions = list(_facing(functions, base.external_facing[index]))
        found = device_list(functions, missing)
        if found is not None:
            devices[index] = found
    document = with_devices(base.document, devices)
    document = _with_kernel(_with_memory(document, snapshot), snapshot)
    missing = [each for each in missing if each.what != "memory" or document.get("memory") is None]
    source = f"the snapshot {snapshot.file.rpartition('/')[2]} of a Linux {snapshot.release}"
    return imported(snapshot.file, document, base.bridges, missing, source)


def snapshot_tables(snapshot: Snapshot) -> tuple[Table, ...]:
    """The snapshot's ACPI tables, a number where one signature comes again."""
    counts: dict[str, int] = {}
    found = []
    for block in snapshot.tables:
        signature = block.data[:4].decode("latin-1")
        if signature in ("FACS", "RSDT", "XSDT") or len(block.data) < 36:
            continue
        counts[signature] = counts.get(signature, 0) + 1
        found.append(read_table(block.data, snapshot.file, counts[signature]))
    return tuple(found)


def _firmware(snapshot: Snapshot) -> Imported:
    """By the firmware that the kernel booted with, else by the one that is there."""
    tables = snapshot_tables(snapshot)
    if snapshot.firmware != "acpi" and snapshot.dtb is not None:
        return import_tree(read_dtb(snapshot.dtb.data, snapshot.file))
    if any(table.signature in ("DSDT", "SSDT") for table in tables):
        present = frozenset(
            (each.sbdf.segment, each.sbdf.bus, each.sbdf.devfn)
            for each in snapshot.functions
            if each.parent is None and each.physfn is None
        )
        return import_acpi(source_of(tables, snapshot.file, present=present))
    raise unreadable(FilePlace(snapshot.file), "the snapshot holds neither a device tree nor AML")


def _index(bridge: KernelHostBridge, base: Imported) -> int | None:
    """Which entry of `host_bridges` the kernel's root bus is."""
    wanted = bridge.node or (plain(bridge.acpi) if bridge.acpi else None)
    return base.bridges.index(wanted) if wanted in base.bridges else None


def _functions(snapshot: Snapshot, bridge: KernelHostBridge) -> Iterator[FunctionFact]:
    """The physical functions below a root bus; virtual ones are their owner's `sriov.enabled`."""
    root = bridge.path.rpartition("/")[2] or f"pci{bridge.segment:04x}:{bridge.bus:02x}"
    for function in snapshot.functions:
        if function.bridge == root and function.physfn is None and len(function.config) >= 64:
            yield FunctionFact(
                key=str(function.sbdf),
                bus=function.sbdf.bus,
                devfn=function.sbdf.devfn,
                parent=None if function.parent is None else str(function.parent),
                config=function.config,
                place=function.place,
                bars=tuple(_bars(function)),
                ari=function.ari,
            )


def _facing(functions: Iterable[FunctionFact], ways: Ways) -> Iterator[FunctionFact]:
    """The functions, marked where firmware says so of the way to them."""
    by_key = {each.key: each for each in functions}
    for each in by_key.values():
        way: tuple[int, ...] = ()
        at: FunctionFact | None = each
        while at is not None and len(way) < len(by_key):
            way = (at.devfn, *way)
            at = by_key.get(at.parent or "")
        yield replace(each, external_facing=True) if way in ways else each


def _bars(function: KernelFunction) -> Iterator[BarFact]:
    limit = 2 if function.config[0x0E] & 0x7F == 1 else _BARS
    for resource in function.resources:
        length = resource.end - resource.start + 1
        kind = resource.flags & (_IO | _MEMORY)
        if resource.index >= limit or not kind or length <= 0 or length & (length - 1):
            continue
        if is_legacy_ide(function.class_code, resource.index):
            continue
        space = "io" if kind & _IO else "mem64" if resource.flags & _WIDE else "mem32"
        yield BarFact(resource.index, space, length, bool(resource.flags & _PREFETCH))


def _with_kernel(document: Node, snapshot: Snapshot) -> Node:
    """The kernel that ran, where it groups in another way than the language's default one."""
    profile = profile_of(snapshot.release)
    if profile in (None, DEFAULT) or not isinstance(document.value, dict):
        return document
    place = FilePlace(snapshot.file)
    xen = record(
        place, {"dom0": record(place, {"kernel": leaf(profile, place, f"Linux {snapshot.release}")})}
    )
    return record(document.place, {**document.value, "xen": xen}, document.comment)


def _with_memory(document: Node, snapshot: Snapshot) -> Node:
    """RAM as the kernel lists it, where the firmware does not say it."""
    ranges = [each for each in snapshot.memory if each.depth == 0 and each.name == _RAM and each.end]
    if document.get("memory") is not None or not ranges or not isinstance(document.value, dict):
        return document
    place: Place = FilePlace(snapshot.file)
    areas = (
        record(
            place,
            {
                "base": leaf(written(each.start), place),
                "size": leaf(size(each.end - each.start + 1), place),
            },
        )
        for each in ranges
    )
    memory = listing(areas, place, "System RAM of /proc/iomem")
    entries: dict[str, Node | None] = {}
    for key, node in document.value.items():
        entries[key] = node
        if key == "platform":
            entries["memory"] = memory
    return record(document.place, entries, document.comment)
