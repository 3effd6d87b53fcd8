"""driver-32-bit

What it finds: a host bridge whose driver cannot work on a 32-bit kernel, with a 32-bit Dom0.
Why it matters: a 32-bit kernel maps configuration space bus by bus; the accessors of these drivers (the
DesignWare ECAM family, ThunderX, HiSilicon, X-Gene and others) lack the hook for it and follow a null
pointer.
Example: `config: {compatible: "snps,dw-pcie-ecam"}` with `xen: {dom0: {bits: 32}}`.
What to do: run a 64-bit Dom0.
Source: Linux drivers/pci/ecam.c, pci_ecam_add_bus; the drivers' pci_ecam_ops in drivers/pci/controller/,
which lack add_bus.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0117", name="driver-32-bit", level=Level.ERROR, needs="simulation", covers=("LNX-14",))


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges that failed for that reason."""
    assert facts.outcome is not None
    for root in facts.outcome.dom0.root_bridges:
        if root.fault is not None and root.fault.slug == "no-bus-map":
            name = name_of(facts, root.path)
            yield RULE.finding(
                root.fault.at,
                f"the driver of '{name}' does not work on a 32-bit kernel",
                notes=[root.fault.reason, f"it binds to {', '.join(root.compatible)}"],
                help="run a 64-bit kernel" if facts.hypervisor is None else "run a 64-bit Dom0",
                subject=name,
            )
