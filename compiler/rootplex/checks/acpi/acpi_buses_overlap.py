"""acpi-buses-overlap

What it finds: two host bridges of one segment whose `_CRS` bus ranges overlap.
Why it matters: one sBDF means two devices: the second bridge is refused (-EEXIST), or buses that both have
are the first's.
Example: two bridges without `_SEG`, both with buses 0-0xff.
What to do: give them disjoint buses, or segments of their own.
Source: Linux drivers/pci/probe.c, pci_register_host_bridge, and arch/x86/pci/acpi.c, pci_acpi_scan_root.
Sources that prove it: AML, where the value does not depend on memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.bridges import name_of
from rootplex.checks.disjoint import buses_apart
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.buses import Buses
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0733",
    name="acpi-buses-overlap",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0202",),
    covers=("LNX-40", "XP-05"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each later bridge with buses of an earlier one."""
    seen: list[tuple[int, Buses, AcpiHostBridge]] = []
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        if segment is None or buses is None:
            continue
        for other_segment, theirs, other in seen:
            low, high = max(buses.first, theirs.first), min(buses.last, theirs.last)
            if segment != other_segment or low > high:
                continue
            name, first = name_of(facts, bridge.path), name_of(facts, other.path)
            apart = buses_apart(facts, name, "acpi")
            yield RULE.finding(
                bridge.buses_at,
                f"{name} and {first} both have buses {low:#04x}-{high:#04x} of segment {segment}",
                related=[
                    (other.buses_at, f"the buses of {first}"),
                    *_segments(facts, bridge, other),
                ],
                help="give them disjoint buses, or segments of their own"
                + ("" if apart is None else f": buses {apart[0].first:#04x}-{apart[0].last:#04x} are free"),
                rewrite=None if apart is None else apart[1],
                subject=name,
                about=(name, first),
            )
            break
        seen.append((segment, buses, bridge))


def _segments(facts: Facts, *of: AcpiHostBridge) -> Iterator[tuple[Place, str]]:
    for bridge in of:
        said = "is absent: segment 0" if bridge.seg.state == "absent" else f"is {bridge.seg.value}"
        yield bridge.seg.place, f"_SEG of {name_of(facts, bridge.path)} {said}"
