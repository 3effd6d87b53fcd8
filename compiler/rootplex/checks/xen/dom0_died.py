"""dom0-died

What it finds: a Dom0 that dies while it scans: an access aborts.
Why it matters: nothing boots after it.
Example: MCFG or the device tree gives configuration space where no host bridge answers.
What to do: let the firmware give the address at which the host bridge answers.
Source: Xen xen/arch/arm/io.c, try_handle_mmio, and xen/arch/arm/traps.c: an access that nothing answers is a
data abort in Dom0; Linux drivers/pci/ecam.c, pci_ecam_create.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, EVERYTHING, Rule
from rootplex.checks.simulated import NOWHERE, booted, bridge_name, bridge_place
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0902",
    name="dom0-died",
    level=Level.ERROR,
    needs="simulation",
    requires=("RPX0901", BYTES),
)


def check(facts: Facts) -> Iterator[Finding]:
    """What killed Dom0, at the bridge that it was busy with."""
    dom0 = booted(facts).dom0
    if dom0.died is None or dom0.died.kind == "endless-scan":
        return
    root = dom0.root_bridges[-1] if dom0.root_bridges else None
    subject = None if root is None else bridge_name(facts, root)
    where = "" if root is None else f" while it scans {subject}"
    yield RULE.finding(
        NOWHERE if root is None else bridge_place(facts, root, "config"),
        f"{facts.host} dies{where}: {dom0.died.reason}",
        help="let the firmware give the address at which the host bridge answers",
        subject=subject,
        about=(EVERYTHING, *(() if subject is None else (subject,))),
    )
