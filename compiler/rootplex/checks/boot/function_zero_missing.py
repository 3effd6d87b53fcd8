"""function-zero-missing

What it finds: a slot with functions but without function 0.
Why it matters: a kernel that finds no function 0 passes over the whole slot. A warning, or an error where
that hides the boot device or a guest's device.
Example: `devices: [{name: nic, dev: 3, fn: 1}]` with nothing at 03.0.
What to do: describe function 0, or check the function numbers.
Source: PCI Local Bus 3.0 §3.2.2.3.4; Linux drivers/pci/probe.c, pci_scan_slot.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.unseen import counted_on, unseen_slots
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0304",
    name="function-zero-missing",
    level=Level.WARNING,
    needs="description",
    requires=("RPX0020", "RPX0021"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Slots whose function 0 is missing or empty."""
    for each in unseen_slots(facts.platform):
        if each.why != "function-zero":
            continue
        first = each.functions[0]
        hurt = counted_on(facts.platform, each)
        where = each.bridge.name if each.port is None else each.port.label
        unseen = ", ".join(device.label for device in each.devices)
        slot = f"slot {first.dev:02x} below {where} hides"
        yield RULE.finding(
            first.at("fn"),
            f"{first.label} has no function 0 beside it, so no kernel finds it",
            level=Level.ERROR if hurt else None,
            related=[] if each.empty is None else [(each.empty.at("present"), "function 0 is not present")],
            notes=[f"{slot} {one}" for one in hurt or (unseen,)],
            help="describe function 0 of the slot, or correct 'fn'",
            subject=first.name,
        )
