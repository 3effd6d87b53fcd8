"""The partition of devices that Xen would give (§10): its group query, asked for every device."""

from __future__ import annotations

from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.outcome import Stopped
from rootplex.simulator.xen.records import Record


def xen_groups(core: Core) -> list[list[Record]]:
    """Groups of the devices that Xen knows, in the order they became known. Where the IOMMU has no
    group hook (all of Arm) or is off, every function is alone; ACS plays no part anywhere."""
    groups: dict[tuple[int, int], list[Record]] = {}
    for record in core.records:
        found = group_of(core, record)
        key = record.rid if found is None or found < 0 else found
        groups.setdefault((record.segment, key), []).append(record)
    return list(groups.values())


def group_of(core: Core, record: Record) -> int | None:
    """The requester id that its group is called after: by IVRS, or by the bridges above. None for no group;
    also where the query would end Xen (AMD's driver in a segment that IVRS does not have): what is told here
    asks nothing of the machine, and no toolstack of today does."""
    try:
        return None if core.iommu is None else core.iommu.group(record.segment, record.bus, record.devfn)
    except Stopped:
        return None
