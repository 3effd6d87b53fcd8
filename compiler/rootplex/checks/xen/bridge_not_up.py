"""bridge-not-up

What it finds: a host bridge of the firmware that does not come up in Dom0, where no other finding speaks of
it.
Why it matters: none of its devices is found.
Example: two host bridges of one segment that both begin with bus 0 (-EEXIST).
What to do: follow the note: it is what the kernel would log.
Source: Linux drivers/pci/probe.c, pci_register_host_bridge; drivers/pci/controller/pci-host-common.c,
pci_host_common_probe; drivers/acpi/pci_root.c, acpi_pci_root_add.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, Rule
from rootplex.checks.simulated import booted, bridge_name
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0903",
    name="bridge-not-up",
    level=Level.ERROR,
    needs="simulation",
    requires=(BYTES, "RPX0116", "RPX0117", "RPX0209", "RPX0901", "RPX0902"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Faulted bridges of which no finding tells, by its subject or by its places."""
    for root in booted(facts).dom0.root_bridges:
        fault = root.fault
        if fault is None:
            continue
        name = bridge_name(facts, root)
        at = facts.source(fault.at)
        if any(_speaks_of(each, name, at) for each in facts.found):
            continue
        yield RULE.finding(
            at,
            f"host bridge {name} does not come up: {fault.reason}",
            related=[] if fault.other is None else [(facts.source(fault.other), "this is in the way")],
            notes=[f"the kernel gives up with {fault.errno}"],
            help="correct what the place shows",
            subject=name,
        )


def _speaks_of(finding: Finding, name: str, at: Place) -> bool:
    """Whether a finding tells of the bridge, or of the place of its fault."""
    return finding.subject == name or at in (finding.at, *(other.at for other in finding.related))
