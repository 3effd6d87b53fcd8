"""Bridges whose requesters no IOMMU translates, or not all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.bridges import enabled_bridges, enabled_maps, xen_bridges
from rootplex.checks.causes import map_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.ids._claims import has_placeholders, possible, runs_of
from rootplex.formats.idruns import holes
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.idruns import Way
from rootplex.readers.ridmap import RidMap
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0404", Level.ERROR, only="xen-probes", covers=("XP-29",))
def iommu_map_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: with today's Arm port of Xen and the IOMMU on, a bridge that Xen drives without
    `iommu-map`.
    Why it matters: Xen answers -ENODEV to every device of the bridge: none can be given to a guest.
    Example: a bridge without `iommu`, `discovery: xen`.
    What to do: give the bridge an `iommu` key, or set `xen.iommu: false`.
    Source: Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids.
    Sources that prove it: device tree.
    """
    if not facts.platform.xen.iommu or not facts.platform.iommus:
        return
    for bridge, _ in xen_bridges(facts):
        if bridge.iommu_map is None:
            name = facts.name_of(bridge.path)
            yield iommu_map_missing.rule.finding(
                bridge.place(),
                f"{name} has no iommu-map, and Xen's IOMMU is on",
                notes=("Xen answers -ENODEV to each of its devices",),
                help="give the bridge an 'iommu' key, or set 'xen.iommu: false'",
                subject=name,
                about=(name, map_of(name, "iommu-map")),
                rests_on=(map_of(name, "iommu-map"),),
            )


@check("RPX0410", Level.WARNING, requires=("RPX0404",))
def iommu_of_bridge_alone(facts: Facts) -> Iterator[Finding]:
    """What it finds: an enabled host bridge without `iommu-map` that has `iommus`, or below a bus that has
    the map.
    Why it matters: `iommus` is for DMA of the bridge's own, and no map is inherited: the functions behind it
    are not translated, are in no group, and cannot be given to a guest.
    Example: `iommus = <&smmu 0x100>;` in the bridge's node.
    What to do: write `iommu-map` into the bridge's node.
    Source: Linux drivers/iommu/of_iommu.c, of_iommu_configure; the devicetree binding pci/pci-iommu.txt.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        if bridge.iommu_map is not None or facts.dt is None:
            continue
        name = facts.name_of(bridge.path)
        above = next((each for each in bridge.node.ancestors() if "iommu-map" in each.properties), None)
        if above is not None:
            at, message = facts.dt.tree.place(above, "iommu-map"), f"the iommu-map of {above.path} "
            message += f"does not count for '{name}' below it"
        elif any(each.target is not None and each.target_enabled for each in bridge.iommus):
            at = bridge.place("iommus")
            message = f"iommus of '{name}' does not count for the functions behind it"
        else:
            continue
        yield iommu_of_bridge_alone.rule.finding(
            at,
            message,
            notes=["without an iommu-map of its own nothing behind it is translated, or in a group"],
            help="write an iommu-map into the bridge's node",
            subject=name,
            rests_on=(map_of(name, "iommu-map"),),
        )


@check(
    "RPX0401", Level.WARNING, requires=("RPX0608", "RPX0609", "RPX0610"), covers=("LNX-20", "XP-30", "XP-36")
)
def requesters_left_out(facts: Facts) -> Iterator[Finding]:
    """What it finds: requester ids of an enabled bridge's buses that its `iommu-map` or `msi-map` does not
    cover, after masking. An IOMMU that is itself a function of the bridge (virtio-iommu) must be left out: it
    does not translate itself. What no requester can be is left out too: on the first bus of many controllers
    only device 0 answers.
    Why it matters: a device that gets such an id has no IOMMU group, or no MSI. Maps that only a boot loader
    fills in (one id for all bridges) are a note, and so are a vendor's that list functions one by one, or
    those of a single bus: they name what is on the board.
    Example: a mask 0x31f that folds 64 of 256 buses onto RID 0x300, which no entry covers.
    What to do: cover the whole bus range: ports, VFs and aliases (`secondary << 8`) too.
    Source: Linux drivers/of/base.c, of_map_id, and drivers/iommu/of_iommu.c, of_pci_iommu_init; Xen
    xen/common/device-tree/device-tree.c, dt_map_id; devicetree binding virtio/pci-iommu.yaml.
    Sources that prove it: device tree.
    """
    # One note for all placeholders.
    if has_placeholders(facts):
        maps = [bridge.iommu_map for bridge in facts.dt_bridges if bridge.iommu_map is not None]
        if any(_left(runs_of(bridge, bridge.iommu_map)) for bridge in facts.dt_bridges if bridge.iommu_map):
            yield requesters_left_out.rule.finding(
                maps[0].place,
                f"iommu-map is one and the same placeholder on {len(maps)} host bridges",
                level=Level.NOTE,
                notes=("a boot loader is expected to fill it in",),
            )
    for bridge, map in enabled_maps(facts):
        if map.invalid is not None or (map.property == "iommu-map" and has_placeholders(facts)):
            continue
        if any(entry.rid_base & ~map.mask for entry in map.entries):
            continue
        left = _left(possible(bridge, runs_of(bridge, map)))
        own = bridge.own_iommus.values() if map.property == "iommu-map" else ()
        left = tuple(run for run in left if run.count > 1 or run.first not in own)
        if not left:
            continue
        name = facts.name_of(bridge.path)
        count = sum(run.count for run in left)
        shown = ", ".join(f"{run.first:#06x}-{run.last:#06x}" for run in left[:3])
        yield requesters_left_out.rule.finding(
            map.place,
            f"{map.property} of {name} covers no requester {shown}{', …' if len(left) > 3 else ''}",
            level=Level.NOTE if facts.described is None and _lists_functions(bridge, map) else None,
            related=[(bridge.place("bus-range"), f"its buses are {bridge.buses}")],
            notes=(
                f"{count:#x} ids are left out" + (f", mask {map.mask:#x}" if map.mask_present else ""),
                "a requester id is bus << 8 | device << 3 | function",
            ),
            help="cover the whole bus range, or shorten it",
            subject=name,
            about=(name, map_of(name, map.property)),
            rests_on=(map_of(name, map.property),),
        )


def _lists_functions(bridge: DtHostBridge, map: RidMap) -> bool:
    """Whether a map seems to name the functions of a board: one by one, or of one bus."""
    of_one_bus = bridge.buses is not None and bridge.buses.count == 1
    return of_one_bus or all(entry.length == 1 for entry in map.entries)


def _left(runs: Iterable[Way]) -> tuple[Way, ...]:
    return holes(runs)


@check("RPX0773", Level.ERROR, requires=("RPX0608", "RPX0609", "RPX0610", "RPX0770"))
def iommu_behind_itself(facts: Facts) -> Iterator[Finding]:
    """What it finds: an IOMMU that is a PCI function, and whose own requester id its bridge's `iommu-map`, or
    RIMT, gives to itself.
    Why it matters: Linux sets up a function's IOMMU before it looks for its driver, and so the IOMMU's driver
    waits for the IOMMU that it is to make. So do all functions behind it, until Linux gives up waiting, ten
    seconds after it has started (`deferred_probe_timeout`). VIOT may name the unit: there Linux leaves it
    out. Linux takes the id behind a mapping of RIMT for one of it.
    Example: `iommu-map = <0 &viommu 0 0x10000>`, where the virtio-iommu is the function 00:02.0.
    What to do: leave the unit out: two entries, up to its id and from the next one on.
    Source: Linux drivers/iommu/iommu.c, iommu_fwspec_init, drivers/base/dd.c,
    driver_deferred_probe_check_state, and drivers/acpi/riscv/rimt.c, rimt_id_map and rimt_iommu_xlate;
    devicetree binding virtio/pci-iommu.yaml.
    Sources that prove it: device tree, or RIMT.
    """
    for bridge in enabled_bridges(facts):
        for path, rid in bridge.own_iommus.items():
            entry = bridge.behind_itself(path)
            if entry is not None:
                yield _behind_itself(facts.name_of(bridge.path), rid, "iommu-map", entry.place)
    rimt = facts.tables.rimt
    names = {each.acpi.segment: each.name for each in facts.bridges if each.acpi is not None}
    for unit in () if rimt is None else rimt.units:
        mapping = None if rimt is None else rimt.behind_itself(unit)
        if mapping is None or unit.rid is None:
            continue
        end = mapping.first + mapping.count
        name = names.get(unit.segment) or f"segment {unit.segment}"
        yield _behind_itself(name, unit.rid, "RIMT", mapping.place, end - 1 if unit.rid == end else None)


def _behind_itself(bridge: str, rid: int, map: str, at: Place, last: int | None = None) -> Finding:
    """`last`: where the mapping ends before the id, and Linux takes the id all the same."""
    return iommu_behind_itself.rule.finding(
        at,
        f"{map} of {bridge} sends requester {rid:#06x} to an IOMMU that is this function itself",
        notes=[
            *([] if last is None else [f"the mapping ends at {last:#06x}, and Linux takes one id more"]),
            "its driver waits for the IOMMU that it is to make, and all functions behind it with it",
        ],
        help=f"leave {rid:#06x} out of the map" if last is None else "end the mapping one id earlier",
        subject=bridge,
        about=(bridge, map_of(bridge, "iommu-map")),
        rests_on=(map_of(bridge, "iommu-map"),),
    )
