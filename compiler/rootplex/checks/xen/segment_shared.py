"""segment-shared

What it finds: under the 2017 protocol, a host bridge that registers buses of a segment that another one owns.
Why it matters: Xen cannot tell whose a device on these buses is; it refuses the bridge (-EEXIST) and such
devices.
Example: with ACPI, segment 0 with buses 0-0x3f and segment 0 with buses 0x20-0x5f.
What to do: give the bridges segments of their own, or disjoint buses.
Source: xen.md §7.2, the protocol discussed in 2017: a device is named by its segment alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, Rule
from rootplex.checks.simulated import booted, bridge_name, bridge_place
from rootplex.checks.xen.device_refused import listed, refused_by_protocol
from rootplex.formats.errno import Errno
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0906",
    name="segment-shared",
    level=Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES, "RPX0901"),
    covers=("XP-05",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges that were answered -EEXIST."""
    roots = booted(facts).dom0.root_bridges
    shared = [function for function, why in refused_by_protocol(facts).items() if why == "shared-bus"]
    for root in roots:
        if root.registration != -Errno.EEXIST:
            continue
        name = bridge_name(facts, root)
        owner = next((each for each in roots if each.registration == 0 and _overlap(each, root)), None)
        yield RULE.finding(
            bridge_place(facts, root, "bus_range"),
            f"{name} registers buses {root.first_bus:#x}-{root.last_bus:#x} of segment {root.segment}, "
            "which another host bridge owns",
            related=[]
            if owner is None
            else [(bridge_place(facts, owner, "bus_range"), f"{bridge_name(facts, owner)} owns them")],
            notes=[f"devices refused: {listed(facts, shared)}"] if shared else [],
            help="give the bridges segments of their own, or disjoint buses",
            subject=name,
        )


def _overlap(one: RootBridge, other: RootBridge) -> bool:
    same = one.segment == other.segment
    return same and one.first_bus <= other.last_bus and other.first_bus <= one.last_bus
