"""enabled-differs

What it finds: a host bridge that one firmware switches on and the other off.
Why it matters: its devices are there or not by how the machine was booted.
Example: `status = "disabled"` and no `_STA`.
What to do: switch it on or off in both.
Source: ACPI 6.5 §6.3.7 (`_STA`); Devicetree Specification 0.4 §2.3.4 (`status`).
Sources that prove it: device tree and ACPI of one board.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.agreement._sides import blamed_side
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0805",
    requires=("RPX0626",),
    name="enabled-differs",
    level=Level.WARNING,
    needs="artifacts",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge that is on in one only."""
    for joined, dt, acpi in facts.pairs():
        in_tree = dt.is_on
        status = acpi.sta
        if acpi.is_on is None or in_tree == acpi.is_on:
            continue
        at, related = blamed_side(
            facts,
            joined,
            "enabled",
            (dt.place("status" if dt.status else None), f"{'on' if in_tree else 'off'} in the device tree"),
            (status.place, f"{'off' if in_tree else 'on'} in ACPI"),
        )
        words = ("on", "off") if in_tree else ("off", "on")
        yield RULE.finding(
            at,
            f"{joined.name} is {words[0]} by device tree and {words[1]} by ACPI",
            related=related,
            help="switch it on or off in both",
            subject=joined.name,
        )
