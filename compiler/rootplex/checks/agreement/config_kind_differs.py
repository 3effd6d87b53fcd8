"""config-kind-differs

What it finds: a bridge that MCFG or `_CBA` gives as ECAM, and whose node is of a controller with a register
window.
Why it matters: common with DesignWare controllers, whose firmware sets up a window that looks like ECAM: the
two do not show the same devices, the root port above all.
Example: `marvell,armada8k-pcie` in the tree, an MCFG entry in ACPI.
What to do: nothing, where that is meant; name the ECAM compatible in the tree otherwise.
Source: linux.md §1.13, which lists the drivers of Linux drivers/pci/controller/ by kind.
Sources that prove it: device tree and ACPI of one board.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import field
from rootplex.checks.agreement._sides import blamed_side, both
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0811",
    name="config-kind-differs",
    level=Level.NOTE,
    needs="artifacts",
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge of two kinds."""
    for joined, dt, acpi in both(facts):
        controller = dt.controller
        if controller is None or controller.layout not in ("windowed", "cam"):
            continue
        places = [(field(entry, "base"), f"at {entry.base:#x}") for entry in joined.mcfg]
        if acpi.cba.known:
            places.append((acpi.cba.place, f"at {acpi.cba.known:#x}"))
        if not places:
            continue
        at, related = blamed_side(
            facts, joined, "config", (dt.place("compatible"), f"{controller.compatible}"), places[0]
        )
        yield RULE.finding(
            at,
            f"{joined.name} is ECAM {places[0][1]} by ACPI, and {controller.layout} by device tree",
            related=related,
            subject=joined.name,
        )
