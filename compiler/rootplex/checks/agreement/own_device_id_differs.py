"""own-device-id-differs

What it finds: an SMMUv3 whose own messages have one DeviceID by `msi-parent` and another by IORT.
Why it matters: the unit sends one of the two. With the other one the ITS drops its messages: faults are not
reported, and waits for its queues time out.
Example: `msi-parent = <&its 0x10000>` at the SMMU, and output base 0 in the mapping of its own interrupts.
What to do: give both firmwares the DeviceID that the unit is wired to.
Source: Arm DEN0049 E.f §3.1.1.2 (DeviceID mapping index); Linux drivers/acpi/arm64/iort.c,
iort_get_id_mapping_index, and drivers/irqchip/irq-gic-v3-its-platform-msi.c, of_pmsi_get_dev_id.
Sources that prove it: device tree and ACPI of one board.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.ids._own_messages import by_device_tree, by_iort
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0814", name="own-device-id-differs", level=Level.ERROR, needs="artifacts")


def check(facts: Facts) -> Iterator[Finding]:
    """Each SMMU, known by its address, of which both firmwares say a DeviceID."""
    tree = {own.unit: own for own in by_device_tree(facts)}
    for own in by_iort(facts):
        other = tree.get(own.unit)
        if other is None or other.id == own.id:
            continue
        yield RULE.finding(
            own.at,
            f"the SMMU at {own.unit:#x} sends its own messages with DeviceID {own.id:#x} by IORT and "
            f"{other.id:#x} by device tree",
            related=[(other.at, "by device tree")],
            help="give both the DeviceID that the unit is wired to",
            subject=f"{own.unit:#x}",
        )
