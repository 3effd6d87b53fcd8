"""mcfg-beyond-xen-slot

What it finds: on x86, more ECAM than Xen has addresses for.
Why it matters: Xen maps entry n at n × the size of the largest bus range, all in 512 GiB; what lies beyond is
not mapped.
Example: 2049 entries of 256 buses.
What to do: describe fewer entries, or shorter ones.
Source: Xen xen/arch/x86/x86_64/mmconfig_64.c, mcfg_ioremap.
Sources that prove it: MCFG.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi._tables import (
    entries,
)
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0730",
    name="mcfg-beyond-xen-slot",
    level=Level.ERROR,
    covers=("XP-49",),
)


SLOT = 512 << 30


def check(facts: Facts) -> Iterator[Finding]:
    """The first entry beyond the room."""
    found = entries(facts)
    if not found:
        return
    window = 1 << (20 + max(entry.end_bus for entry in found).bit_length())
    room = SLOT // window
    if len(found) > room:
        yield RULE.finding(
            found[room].place,
            f"MCFG has {len(found)} entries, Xen has room for {room} of this size",
            notes=(f"each takes {window >> 20} MiB of 512 GiB",),
            help="describe fewer entries, or shorter bus ranges",
        )
