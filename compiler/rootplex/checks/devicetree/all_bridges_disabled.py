"""all-bridges-disabled

What it finds: a device tree whose host bridges are all disabled.
Why it matters: as it stands there is no PCI. Trees are shipped so where a boot loader enables what a board
has and fills in placeholders; hence a note. Other checks look at enabled bridges, and here there are none.
Example: the LX2160A-RDB of the kernel's sources, whose six bridges wait for U-Boot.
What to do: validate the tree that the running kernel has (/sys/firmware/fdt).
Source: Linux drivers/of/base.c, of_device_is_available.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0607",
    name="all-bridges-disabled",
    level=Level.NOTE,
    needs="artifacts",
    requires=("RPX0626",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One note for a given tree; a description says itself what it disables."""
    bridges = facts.dt_bridges
    if facts.described is not None or not bridges or any(True for _ in enabled_bridges(facts)):
        return
    first = bridges[0]
    count = "the only host bridge" if len(bridges) == 1 else f"all {len(bridges)} host bridges"
    yield RULE.finding(
        first.place("status" if not first.enabled else None),
        f"{count} of this device tree {'is' if len(bridges) == 1 else 'are'} disabled",
        notes=["a boot loader may enable some, and fill in what is a placeholder here"],
        help="validate the tree of the running kernel, /sys/firmware/fdt",
        subject=name_of(facts, first.path),
    )
