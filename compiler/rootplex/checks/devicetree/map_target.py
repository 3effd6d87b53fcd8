"""map-target

What it finds: an `iommu-map`, `msi-map` or `msi-parent` of an enabled bridge that names a node that is not
there or is no such controller (errors), a host bridge whose driver takes no messages among them, or one that
is disabled (a warning: a boot loader may enable it). Behind the entry of `msi-parent` that Linux takes such a
name is a warning: nothing reads it.
Why it matters: a disabled IOMMU translates nothing: the kernel goes on without it, and there are no groups
and no passthrough behind the bridge. Without an MSI controller all devices fall back to INTx. Xen refuses a
device whose IOMMU it does not find.
Example: `iommu: {unit: smmu}` with an `smmu` of `enabled: false`.
What to do: enable the controller, or take the map out.
Source: Linux drivers/iommu/of_iommu.c, of_pci_iommu_init, and drivers/pci/of.c,
pci_host_bridge_of_msi_domain; Xen xen/drivers/passthrough/device_tree.c, iommu_add_dt_pci_sideband_ids.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0610",
    name="map-target",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0626",),
    covers=("XP-32",),
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


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for a bridge, property and target."""
    for bridge in enabled_bridges(facts):
        told: set[tuple[str, int]] = set()
        for reference in _references(bridge):
            if (reference.property, reference.phandle) not in told:
                told.add((reference.property, reference.phandle))
                yield from _reference(facts, bridge, reference)


def _references(bridge: DtHostBridge) -> Iterator[Reference]:
    for map in (bridge.iommu_map, bridge.msi_map):
        for entry in () if map is None else map.entries:
            yield Reference(map.property if map else "", entry.phandle, entry.target, entry.place)
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
    yield RULE.finding(
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
