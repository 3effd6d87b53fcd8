"""`iommu-map` and `msi-map`: what cannot be read, and what leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from rootplex.checks.bridges import enabled_bridges, enabled_maps
from rootplex.checks.causes import map_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.formats.devicetree import MapCells
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.ridmap import RidMap, RidMapEntry, rid_map
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

LAST_ID = 0xFFFFFFFF


@check("RPX0608", Level.ERROR, covers=("LNX-24", "XP-31"))
def map_malformed(facts: Facts) -> Iterator[Finding]:
    """What it finds: an `iommu-map` or `msi-map` that its reader refuses: one that is not a whole number of
    entries. An entry has 4 cells in Xen and in Linux before 7.2; in 7.2 it has 3 and the target's
    `#iommu-cells` (`#msi-cells`). Also a range of several RIDs whose target takes more than one output cell,
    and one whose ids run past 32 bits. Entries of 4 cells at a target of two (all of length 1, to one target)
    are a note: Linux takes them for ids of one cell.
    Why it matters: the map counts for nothing (-EINVAL), so no device behind the bridge is translated, or
    gets MSIs; or its cells are shifted and mean other devices.
    Example: `dt: {properties: {iommu-map: [0, 1, 0]}}`.
    What to do: write RID, controller, id and length for every entry.
    Source: Linux drivers/of/base.c, of_map_id; Xen xen/common/device-tree/device-tree.c, dt_map_id.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        for map in bridge.maps:
            yield from _map(name, map)
        if xen_probes(facts):
            yield from _as_xen_reads(facts, name, bridge)


def _map(name: str, map: RidMap) -> Iterator[Finding]:
    if map.invalid is not None:
        yield map_malformed.rule.finding(
            map.place,
            f"{map.property} of '{name}' is malformed",
            notes=[map.invalid],
            help="write RID, controller, id and length for every entry",
            subject=name,
            about=(name, map_of(name, map.property)),
        )
        return
    for problem in map.problems:
        if problem.kind == "cells":
            yield map_malformed.rule.finding(
                problem.place,
                f"{map.property} of '{name}' has entries of 4 cells at a target of more",
                level=Level.NOTE,
                notes=[
                    problem.text,
                    "Linux tolerates it (of_check_bad_map); another reader cuts entries of 5",
                ],
                help="write the specifier in as many cells as the target asks for",
                subject=name,
            )
    for entry in map.entries:
        if len(entry.output) == 1 and entry.length and entry.out_base + entry.length - 1 > LAST_ID:
            wrapped = entry.rid_base + LAST_ID + 1 - entry.out_base
            yield map_malformed.rule.finding(
                entry.place,
                f"{map.property} of '{name}' has an entry whose ids run past 32 bits",
                notes=[
                    f"{entry.length:#x} ids from {entry.out_base:#x} on: RID {wrapped:#x} gets 0 again",
                    "the kernel adds without a look at the carry",
                ],
                help="let the ids begin lower, or the entry be shorter",
                subject=name,
                about=(name, map_of(name, map.property)),
            )
        if len(entry.output) > 1 and entry.length > 1:
            yield map_malformed.rule.finding(
                entry.place,
                f"{map.property} of '{name}' has an entry of {entry.length} RIDs "
                f"with {len(entry.output)} output cells",
                notes=["such an entry can stand for one RID only"],
                help="write an entry of length 1 for each RID",
                subject=name,
                about=(name, map_of(name, map.property)),
            )


def _as_xen_reads(facts: Facts, name: str, bridge: DtHostBridge) -> Iterator[Finding]:
    """Xen counts four cells an entry, whatever the IOMMU says."""
    own = bridge.iommu_map
    if facts.dt is None or own is None or own.invalid is not None:
        return
    map = rid_map(facts.dt.tree, bridge.node, "iommu-map", MapCells.ONE)
    if map is not None and map.invalid is not None:
        yield map_malformed.rule.finding(
            map.place,
            f"iommu-map of '{name}' cannot be read by Xen",
            notes=[map.invalid, "Xen takes four cells an entry, whatever #iommu-cells says"],
            help="lead to IOMMUs of '#iommu-cells = <1>' alone",
            subject=name,
            about=(name, map_of(name, "iommu-map")),
        )


@check("RPX0624", Level.WARNING, requires=("RPX0608", "RPX0609", "RPX0744"))
def map_entries_overlap(facts: Facts) -> Iterator[Finding]:
    """What it finds: two entries of one `iommu-map` or `msi-map` that share requester ids and give them other
    ids.
    Why it matters: Linux and Xen take the first that holds an id, so the later one counts less than it says,
    or for nothing.
    Example: `iommu-map = <0 &smmu 0 0x10000>, <0x100 &smmu 0x500 0x100>`.
    What to do: let every id have one entry.
    Source: Linux drivers/of/base.c, of_map_id; Xen xen/common/device-tree/device-tree.c, dt_map_id.
    Sources that prove it: device tree.
    """
    # The first such pair of each map.
    for bridge, map in enabled_maps(facts):
        pair = _overlap(map.entries)
        if pair is None:
            continue
        name = facts.name_of(bridge.path)
        first, later = pair
        low = max(first.rid_base, later.rid_base)
        high = min(first.rid_base + first.length, later.rid_base + later.length) - 1
        whole = low == later.rid_base and high == later.rid_base + later.length - 1
        rids = f"RID {low:#x}" if low == high else f"RIDs {low:#x}-{high:#x}"
        yield map_entries_overlap.rule.finding(
            later.place,
            f"two entries of the {map.property} of '{name}' hold {rids}",
            related=[(first.place, "the first, which counts")],
            notes=[f"this one counts for {'nothing' if whole else 'the rest only'}"],
            help="let every id have one entry",
            subject=name,
            rests_on=(map_of(name, map.property),),
        )


def _overlap(entries: Sequence[RidMapEntry]) -> tuple[RidMapEntry, RidMapEntry] | None:
    """Two entries that differ about an id, in their order; None where no two do."""
    widest: RidMapEntry | None = None
    for entry in sorted(entries, key=lambda each: (each.rid_base, each.cell)):
        if not entry.length:
            continue
        shares = widest is not None and entry.rid_base < widest.rid_base + widest.length
        if widest is not None and shares and _offset(entry) != _offset(widest):
            first, later = sorted((entry, widest), key=lambda each: each.cell)
            return first, later
        if widest is None or entry.rid_base + entry.length > widest.rid_base + widest.length:
            widest = entry
    return None


def _offset(entry: RidMapEntry) -> tuple[int, int]:
    """Where its ids go: one unit and one distance give one id."""
    return entry.phandle, entry.out_base - entry.rid_base


@check("RPX0609", Level.ERROR, covers=("LNX-21", "XP-31"))
def map_base_outside_mask(facts: Facts) -> Iterator[Finding]:
    """What it finds: an entry of `iommu-map` or `msi-map` whose first RID has bits that the map's mask takes
    away.
    Why it matters: no RID can match it, and the kernel and Xen give up at that entry (-EFAULT): the ones
    behind it count for nothing either.
    Example: `iommu: {unit: smmu, mask: 0xff, map: [{rid: 0x100, id: 0, count: 1}]}`.
    What to do: take the bits out of the RID, or into the mask.
    Source: Linux drivers/of/base.c, of_map_id; Xen xen/common/device-tree/device-tree.c, dt_map_id.
    Sources that prove it: device tree.
    """
    # The first such entry of each map.
    for bridge, map in enabled_maps(facts):
        entry = next((each for each in map.entries if each.rid_base & ~map.mask), None)
        if entry is None:
            continue
        name = facts.name_of(bridge.path)
        mask_at = DtPlace(map.place.file, map.node, f"{map.property}-mask")
        yield map_base_outside_mask.rule.finding(
            entry.place,
            f"{map.property} of '{name}' starts an entry at RID {entry.rid_base:#x}, "
            f"which the mask {map.mask:#x} cuts",
            related=[(mask_at, "the mask is here")],
            notes=["this entry and all behind it count for nothing"],
            help="take the bits out of the RID, or into the mask",
            subject=name,
            about=(name, map_of(name, map.property)),
        )


# What a node must have to be named by a property, and what it then is called.
NEEDED = {
    "iommu-map": ("#iommu-cells", "IOMMU"),
    "msi-map": ("msi-controller", "MSI controller"),
    "msi-parent": ("msi-controller", "MSI controller"),
}


class Reference(Struct, frozen=True):
    """One use of a controller by a property of a bridge."""

    property: str
    phandle: int
    target: str | None
    at: DtPlace
    behind: str | None = None
    """The MSI controller before it in `msi-parent`, which Linux takes."""


@check("RPX0610", Level.ERROR, requires=("RPX0626",), covers=("XP-32",))
def map_target(facts: Facts) -> Iterator[Finding]:
    """What it finds: an `iommu-map`, `msi-map` or `msi-parent` of an enabled bridge that names a node that is
    not there or is no such controller (errors), a host bridge whose driver takes no messages among them, or
    one that is disabled (a warning: a boot loader may enable it). Behind the entry of `msi-parent` that Linux
    takes such a name is a warning: nothing reads it.
    Why it matters: a disabled IOMMU translates nothing: the kernel goes on without it, and there are no
    groups and no passthrough behind the bridge. Without an MSI controller all devices fall back to INTx. Xen
    refuses a device whose IOMMU it does not find.
    Example: `iommu: {unit: smmu}` with an `smmu` of `enabled: false`.
    What to do: enable the controller, or take the map out.
    Source: Linux drivers/iommu/of_iommu.c, of_pci_iommu_init, and drivers/pci/of.c,
    pci_host_bridge_of_msi_domain; Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids.
    Sources that prove it: device tree.
    """
    # One finding for a bridge, property and target.
    for bridge in enabled_bridges(facts):
        told: set[tuple[str, int]] = set()
        for reference in _references(bridge):
            if (reference.property, reference.phandle) not in told:
                told.add((reference.property, reference.phandle))
                yield from _reference(facts, bridge, reference)


def _references(bridge: DtHostBridge) -> Iterator[Reference]:
    for map in bridge.maps:
        for entry in map.entries:
            yield Reference(map.property, entry.phandle, entry.target, entry.place)
    if bridge.msi_map is None:
        taken = None
        for each in bridge.msi_parent:
            yield Reference("msi-parent", each.phandle, each.target, each.place, taken)
            taken = taken or (None if each.lacking or not each.target_enabled else each.target)


def _reference(facts: Facts, bridge: DtHostBridge, reference: Reference) -> Iterator[Finding]:
    assert facts.dt is not None
    name = facts.name_of(bridge.path)
    marker, what = NEEDED[reference.property]
    map = "iommu-map" if reference.property == "iommu-map" else "msi-map"
    level, note, help = Level.ERROR, None, f"name an {what} that is there and enabled"
    related = []
    if reference.target is None and reference.behind is not None:
        level = Level.WARNING
        message = f"msi-parent of '{name}' has more cells than {reference.behind} asks for"
        cells = facts.dt.tree.by_path[reference.behind].u32("#msi-cells")
        note = (
            f"its #msi-cells is {cells}" if cells is not None else "it has no #msi-cells, and so takes none"
        )
        help = f"take them out, or correct #msi-cells of {reference.behind}"
    elif reference.target is None:
        message = f"{reference.property} of '{name}' names phandle {reference.phandle:#x}, which no node has"
    else:
        node = facts.dt.tree.by_path[reference.target]
        related = [(facts.dt.tree.place(node), "it is here")]
        bridge_there = next((each for each in facts.dt_bridges if each.path == reference.target), None)
        if reference.property == "msi-parent" and bridge_there is not None:
            if bridge_there.is_own_msi_controller:
                return
            message = f"msi-parent of '{name}' names {reference.target}, a host bridge that takes no messages"
            driver = None if bridge_there.controller is None else bridge_there.controller.driver
            note = "nothing names it as its own" if driver is None else f"its driver, {driver}, does not"
        elif marker not in node.properties:
            message = f"{reference.property} of '{name}' names {reference.target}, which is no {what}"
            note = f"it has no {marker}"
            level = Level.ERROR if reference.behind is None else Level.WARNING
        elif not (node.is_enabled and node.ancestors_enabled):
            level = Level.WARNING
            message = f"{reference.property} of '{name}' names {reference.target}, which is disabled"
            note = "a boot loader may enable it"
        else:
            return
    yield map_target.rule.finding(
        reference.at,
        message,
        level=level,
        related=related,
        notes=() if note is None else [note],
        help=help,
        subject=name,
        about=(name, map_of(name, map)),
        rests_on=(map_of(name, map),),
    )
