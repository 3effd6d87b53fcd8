"""bridge-in-one-firmware

What it finds: a host bridge that only one of the two firmwares has.
Why it matters: its devices are not there when the machine is booted by the other.
Example: eight bridges in AML, one in the device tree.
What to do: describe it in both, where it is wanted.
Source: Linux drivers/of/platform.c, of_platform_populate, and drivers/acpi/pci_root.c, acpi_pci_root_add: one
of them runs.
Sources that prove it: device tree and ACPI of one board.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0812",
    name="bridge-in-one-firmware",
    level=Level.NOTE,
    needs="artifacts",
    only="aml",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge without its like; what the author left out on purpose is none."""
    if facts.dt is None or facts.acpi is None:
        return
    for joined in facts.bridges:
        described = facts.described_bridge(joined.name)
        if described is not None and not (described.acpi.present and described.dt.present):
            continue
        if joined.acpi is None and joined.dt is not None and joined.dt.enabled:
            at: Place = joined.dt.place()
            text = "in the device tree and not in ACPI"
        elif joined.dt is None and joined.acpi is not None and joined.acpi.is_on:
            at, text = joined.acpi.place, "in ACPI and not in the device tree"
        else:
            continue
        yield RULE.finding(at, f"{joined.name} is {text}", subject=joined.name)
