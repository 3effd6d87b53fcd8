"""config-space-32-bit

What it finds: on a 32-bit Dom0, configuration space beyond 4 GiB without LPAE; more buses than the kernel's
address space holds (1 MiB each, an error); bus ranges whose sum would not fit if all buses were there (a
warning).
Why it matters: a 32-bit kernel maps the configuration space of each bus that it makes; what it cannot map
does not answer.
Example: `xen: {dom0: {bits: 32, lpae: false}}` with `config: {base: 0x40_1000_0000}`.
What to do: move the configuration space below 4 GiB, use LPAE, or shorten the bus ranges.
Source: Linux drivers/pci/ecam.c, pci_ecam_create and pci_ecam_add_bus (CONFIG_64BIT not set).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import FilePlace, Place

RULE = Rule(
    code="RPX0116",
    name="config-space-32-bit",
    level=Level.ERROR,
    needs="simulation",
    covers=("LNX-13", "XP-53"),
)

MIB = 1 << 20


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges out of reach, and the sum of what is mapped against the budget."""
    outcome = facts.outcome
    assert outcome is not None
    if outcome.settings.bits != 32:
        return
    for root in outcome.dom0.root_bridges:
        if root.fault is not None and root.fault.slug == "config-above-4g":
            name = name_of(facts, root.path)
            yield RULE.finding(
                root.fault.at,
                f"the configuration space of '{name}' is out of a 32-bit {_kernel(facts)}'s reach",
                notes=[root.fault.reason],
                help=f"move it below 4 GiB, or give {facts.host} LPAE",
                subject=name,
            )
    roots = [root for root in outcome.dom0.root_bridges if root.is_up and root.config is not None]
    ecam = {root.index: root for root in roots if root.config is not None and root.config.kind == "ecam"}
    budget = outcome.settings.vmalloc
    present = sum(bus.root in ecam and not bus.virtual for bus in outcome.dom0.buses) * MIB
    possible = sum(root.effective_end - root.first_bus + 1 for root in ecam.values()) * MIB
    if max(present, possible) <= budget or not ecam:
        return
    first = next(iter(ecam.values()))
    at: Place = first.places.get("bus_range", FilePlace(""))
    is_full = present > budget
    needed = present if is_full else possible
    yield RULE.finding(
        at,
        f"a 32-bit {_kernel(facts)} has {budget // MIB} MiB to map the configuration space of "
        f"{needed // MIB} buses, 1 MiB each",
        level=Level.ERROR if is_full else Level.WARNING,
        notes=[f"{present // MIB} buses are there, the bus ranges allow for {possible // MIB}"],
        help="shorten the bus ranges, or raise vmalloc",
        about=(name_of(facts, root.path) for root in ecam.values()),
    )


def _kernel(facts: Facts) -> str:
    return "kernel" if facts.hypervisor is None else "Dom0"
