"""Where SMMUs send their own messages, by each firmware."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.checks.facts import Facts
from rootplex.readers.acpi.iort_facts import SmmuV3
from rootplex.readers.acpi.iort_ids import own_messages
from rootplex.readers.phandles import phandle_refs
from rootplex.source.place import Place


class Own(Struct, frozen=True):
    """An SMMU by its first register, and where its own messages go: the ITS's node path or id, the DeviceID,
    and what says so."""

    unit: int
    its: str | int
    id: int
    at: Place


def by_device_tree(facts: Facts) -> Iterator[Own]:
    """`msi-parent` of each SMMUv3 that is on."""
    for unit in facts.dt_controllers.values():
        if unit.kind != "smmu-v3" or not unit.enabled or unit.base is None or facts.dt is None:
            continue
        node = facts.dt.tree.by_path[unit.path]
        first = next(iter(phandle_refs(facts.dt.tree, node, "msi-parent", "#msi-cells")), None)
        if first is not None and first.target is not None and len(first.arguments) == 1 and not first.lacking:
            at = facts.dt.tree.place(node, "msi-parent", first.cell + 1)
            yield Own(unit.base, first.target, first.arguments[0], at)


def by_iort(facts: Facts) -> Iterator[Own]:
    """The special mapping of each SMMUv3 node."""
    iort = facts.tables.iort
    for node in () if iort is None else iort.nodes:
        own = own_messages(iort, node) if iort is not None else None
        if own is not None and isinstance(node.data, SmmuV3):
            yield Own(node.data.base, own.its, own.id, own.mapping.place)
