"""foreign-architecture

What it finds: a device tree whose processors are of an architecture whose Linux is not simulated (PowerPC,
MIPS, LoongArch, …).
Why it matters: it numbers and probes host bridges by code of its own: PowerPC by `linux,pci-domain`, else
`ibm,opal-phbid`, else the alias (`pci0` is 0), else the second cell of `reg`. What is said of the node's own
properties holds all the same; of segment numbers nothing is said.
Example: a board of a P1020, whose aliases number its bridges.
What to do: hold the numbers against those that the running kernel shows.
Source: Linux arch/powerpc/kernel/pci-common.c, get_phb_number.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0622", name="foreign-architecture", level=Level.NOTE, needs="artifacts")


def check(facts: Facts) -> Iterator[Finding]:
    """One note for the tree."""
    if facts.dt is None or facts.dt.platform.foreign is None:
        return
    yield RULE.finding(
        facts.dt.tree.place("/cpus"),
        f"the Linux of this architecture is not modelled: the processor is {facts.dt.platform.foreign}",
        notes=["how it numbers and probes host bridges is not judged"],
    )
