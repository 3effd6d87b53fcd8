"""segment-too-wide

What it finds: a segment number beyond 0xffff: `linux,pci-domain` or `_SEG`.
Why it matters: Linux and Xen cut it to 16 bits without a word, so that 0x10000 becomes segment 0 and clashes
with the real one.
Example: `dt: {properties: {"linux,pci-domain": 0x10000}}`.
What to do: write a number from 0 to 0xffff.
Source: Linux drivers/pci/of.c, of_get_pci_domain_nr, and drivers/acpi/pci_root.c, acpi_pci_root_add; Xen
xen/common/device-tree/device-tree.c, dt_get_pci_domain_nr.
Sources that prove it: device tree, DSDT and SSDT.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0204",
    name="segment-too-wide",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0734",),
    covers=("LNX-03", "XP-04"),
)

WIDTH = 0xFFFF


def check(facts: Facts) -> Iterator[Finding]:
    """Numbers that do not fit 16 bits; those of disabled bridges are reserved like any other."""
    found: list[tuple[str, int, Place]] = [
        (bridge.path, bridge.domain, bridge.place("linux,pci-domain", 0))
        for bridge in facts.dt_bridges
        if bridge.domain is not None
    ]
    hosts = facts.acpi_bridges
    found += [(host.path, host.seg.known, host.seg.place) for host in hosts if host.seg.known is not None]
    for path, number, at in found:
        if number > WIDTH:
            name = name_of(facts, path)
            yield RULE.finding(
                at,
                f"segment {number:#x} of '{name}' does not fit 16 bits",
                notes=[f"it is cut to {number & WIDTH:#x}"],
                help="write a number up to 0xffff",
                subject=name,
            )
