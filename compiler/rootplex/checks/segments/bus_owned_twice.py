"""bus-owned-twice

What it finds: two host bridges that came up in Dom0 with the same segment and overlapping buses.
Why it matters: one sBDF means two devices. Xen asks the bridge that it met first, so the other's devices are
never reached; a number given by the kernel can meet one of a node without device_type, which is not reserved.
Example: a bridge without `segment` beside one with `segment: 0` whose node lacks device_type.
What to do: give every host bridge a segment of its own.
Source: Xen xen/arch/arm/pci/pci-host-common.c, pci_find_host_bridge; Linux drivers/pci/pci.c,
of_pci_reserve_static_domain_nr.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of
from rootplex.checks.disjoint import segment_apart
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0209",
    name="bus-owned-twice",
    level=Level.ERROR,
    needs="simulation",
    requires=("RPX0202",),
    covers=("XP-05",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge that shares (segment, bus) with an earlier one; on device tree boots."""
    assert facts.outcome is not None
    if facts.outcome.settings.firmware != "dt":
        return
    seen: list[RootBridge] = []
    for root in facts.outcome.dom0.root_bridges:
        clash = root.fault is not None and root.fault.slug == "bus-exists"
        if root.segment is None or not (root.is_up or clash):
            continue
        other = next((each for each in seen if _share(root, each)), None)
        if other is not None:
            name, other_name = name_of(facts, root.path), name_of(facts, other.path)
            first, last = max(root.first_bus, other.first_bus), min(root.last_bus, other.last_bus)
            apart = segment_apart(facts, name, "dt")
            yield RULE.finding(
                _place(root),
                f"'{name}' and '{other_name}' are both segment {root.segment} "
                f"with buses {first:#x}-{last:#x}",
                related=[(_place(other), f"'{other_name}' was first")],
                help="give every host bridge a segment of its own"
                + ("" if apart is None else f": {apart[0]} is free"),
                rewrite=None if apart is None else apart[1],
                subject=name,
            )
        seen.append(root)


def _share(root: RootBridge, other: RootBridge) -> bool:
    overlap = root.first_bus <= other.last_bus and other.first_bus <= root.last_bus
    return root.segment == other.segment and overlap


def _place(root: RootBridge) -> Place:
    return root.places.get("segment") or root.places["node"]
