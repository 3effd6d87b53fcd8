"""uid-twice

What it finds: two host bridges with the same `_HID` and the same `_UID`.
Why it matters: both together name a device; a quirk or a tool that looks a bridge up by them meets the first.
Windows has been seen to stop at it (0xA5).
Example: `acpi: {uid: 0}` on two bridges.
What to do: give every bridge a `_UID` of its own.
Source: ACPI 6.5 §6.1.12.
Sources that prove it: AML, where the value does not depend on memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0732",
    name="uid-twice",
    level=Level.WARNING,
    needs="artifacts",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each later bridge whose ids are taken."""
    seen: dict[tuple[str | None, int | str], AcpiHostBridge] = {}
    for bridge in bridges(facts):
        uid = bridge.uid.known
        if uid is None:
            continue
        first = seen.setdefault((bridge.hid, uid), bridge)
        if first is not bridge:
            name = name_of(facts, bridge.path)
            yield RULE.finding(
                bridge.uid.place,
                f"{name} has the _UID of {name_of(facts, first.path)}, {uid}",
                related=[(first.uid.place, "taken here")],
                notes=(f"both are {bridge.hid}",),
                help="give every bridge a _UID of its own",
                subject=name,
            )
