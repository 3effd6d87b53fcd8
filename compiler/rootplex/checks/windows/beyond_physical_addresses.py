"""beyond-physical-addresses

What it finds: configuration space or a window beyond what the CPU can address: 52 bits, the most that the
architecture has; with today's Arm port of Xen 48 bits, which it is built for.
Why it matters: nobody can reach it. Today's port of Xen stops at an assertion (configuration space) or panics
while it builds Dom0 (windows).
Example: `config: {base: 0x1_0000_0000_0000}` with `discovery: xen`.
What to do: correct the address.
Source: Arm DDI0487, ID_AA64MMFR0_EL1.PARange; Xen xen/arch/arm/mmu/pt.c, mfn_to_xen_entry (the assertion),
and xen/arch/arm/device.c, map_range_to_domain.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import dt_config_areas, dt_window_areas
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import is_today_port
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0111",
    name="beyond-physical-addresses",
    level=Level.ERROR,
    covers=("XP-20", "XP-22"),
)

ARCHITECTURE_BITS, XEN_BITS = 52, 48


def check(facts: Facts) -> Iterator[Finding]:
    """Areas that end beyond the last address."""
    bits = XEN_BITS if is_today_port(facts) else ARCHITECTURE_BITS
    for area in (*dt_config_areas(facts), *dt_window_areas(facts)):
        if area.last >> bits:
            yield RULE.finding(
                area.at,
                f"{area} lies beyond {bits} address bits",
                help="correct the address",
                subject=area.owner,
                about=(area.owner, area.part),
            )
