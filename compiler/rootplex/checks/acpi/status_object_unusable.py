"""status-object-unusable

What it finds: a host bridge whose `_STA` does not evaluate.
Why it matters: Linux then takes the bridge for absent, and its devices are missing without a line in the log.
Example: a `_STA` that calls a method which another table was to bring.
What to do: let `_STA` return 0x0f, or leave it out.
Source: ACPI 6.5 §6.3.7; Linux drivers/acpi/scan.c, acpi_scan_init_status.
Sources that prove it: AML.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0790", name="status-object-unusable", level=Level.ERROR, needs="artifacts")


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge whose status has no value."""
    for bridge in () if facts.acpi is None else facts.acpi.namespace.bridges:
        if bridge.sta.state == "failed":
            name = name_of(facts, bridge.path)
            yield RULE.finding(
                bridge.sta.place,
                f"_STA of {name} has no value: {bridge.sta.reason}",
                notes=["Linux takes the bridge for absent"],
                help="let _STA return 0x0f, or leave it out",
                subject=name,
            )
