"""pci-option

What it finds: a word of `pci=` on the kernel's command line that changes what is simulated, and is not
simulated; or one that this kernel does not know, and ignores.
Why it matters: the machine comes out otherwise than the simulation says; or the author thinks that something
is switched on which is not.
Example: `bootargs: "pci=realloc"`; `bootargs: "pci=no-ari"`, which is none (`noari` is).
What to do: leave it out, or take what depends on it from the real machine; correct a word that is none.
Source: Linux drivers/pci/pci.c, pci_setup; arch/x86/pci/common.c, pcibios_setup.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import NOWHERE, booted
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(code="RPX0306", name="pci-option", level=Level.WARNING, needs="simulation")


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a word."""
    outcome = booted(facts)
    for option in outcome.dom0.options.unheeded:
        if option.why == "unknown":
            yield RULE.finding(
                _line(facts),
                f"{outcome.settings.kernel} does not know 'pci={option.word}'",
                notes=["the kernel ignores it"],
                help="leave it out, or correct it",
                subject=option.word,
            )
        else:
            yield RULE.finding(
                _line(facts),
                f"'pci={option.word}' is not simulated",
                notes=["the kernel heeds it: what depends on it comes out otherwise than is shown here"],
                help="leave it out, or look at the real machine",
                subject=option.word,
            )


def _line(facts: Facts) -> Place:
    """Where the command line is."""
    if facts.described is not None:
        return facts.described.at("bootargs")
    node = None if facts.dt is None else facts.dt.tree.by_path.get("/chosen")
    return NOWHERE if facts.dt is None or node is None else facts.dt.tree.place(node, "bootargs")
