"""crs-without-buses

What it finds: a host bridge without a bus range in its `_CRS`.
Why it matters: Linux then takes `_BBN` (or 0) to 0xff, whatever the bridge decodes, and on arm64 no shorter
MCFG entry matches.
Example: a `_CRS` of windows alone.
What to do: add a bus number descriptor (`WordBusNumber`) to `_CRS`.
Source: Linux drivers/acpi/pci_root.c, acpi_pci_root_add and try_get_root_bridge_busnr.
Sources that prove it: AML, where the value does not depend on memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0711",
    name="crs-without-buses",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-29",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge without a bus descriptor."""
    for bridge in bridges(facts):
        template = bridge.crs.value
        if bridge.crs.state == "unknown" and (template is None or template.certain != template.resources):
            continue
        if template is not None and any(item.type == "bus" and item.length for item in template.resources):
            continue
        name = name_of(facts, bridge.path)
        reason = "has no _CRS" if bridge.crs.state == "absent" else "has no bus range in its _CRS"
        if bridge.crs.state == "failed":
            reason = "has a _CRS that cannot be evaluated"
        yield RULE.finding(
            bridge.crs.place,
            f"{name} {reason}",
            notes=("Linux takes the buses from _BBN to 0xff then",),
            help="add a bus number descriptor to _CRS",
            subject=name,
        )
