"""endpoint-unknown

What it finds: functions behind a conventional PCI bridge whose host bridge has a virtio-iommu.
Why it matters: their requests come with the bridge's id, and a virtio-iommu as QEMU has it knows nothing by
theirs. Linux asks for their own ids: 7.2 gives the whole virtio-iommu up when one is refused, and nothing is
translated; 6.1 and 6.12 leave these functions without a group.
Example: `pcie-to-pci-bridge` with a card below it, and `iommu: {unit: viommu, …}` on its host bridge.
What to do: leave the ids behind the bridge out of the map, or put the card elsewhere.
Source: Linux drivers/iommu/virtio-iommu.c, viommu_probe_endpoint, and drivers/iommu/iommu.c,
iommu_device_register; QEMU hw/pci/pci.c, pci_device_iommu_address_space.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, map_above
from rootplex.simulator.groups.iommu_probe import ENOENT, Refusal
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0768", name="endpoint-unknown", level=Level.WARNING, needs="simulation")


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge once, with the first function behind it."""
    outcome = booted(facts)
    found: dict[object, list[Refusal]] = {}
    for refusal in outcome.linux.refusals:
        if refusal.errno == ENOENT and refusal.reason.other is not None:
            found.setdefault(refusal.reason.other, []).append(refusal)
    for first, *others in found.values():
        bridge = first.reason.other
        assert bridge is not None
        own = outcome.streams[first.function].own
        name = facts.device_name(first.function)
        yield RULE.finding(
            own.place or first.unit.place,
            f"the virtio-iommu of '{name}' does not know it: its requests come with the id of "
            f"'{facts.device_name(bridge)}'",
            level=Level.ERROR if first.unit_lost else None,
            notes=(
                f"they are {first.function.sbdf} and {bridge.sbdf}"
                + (f"; functions behind that bridge: {1 + len(others)}" if others else ""),
                f"{outcome.settings.kernel} gives the virtio-iommu up: nothing is translated"
                if first.unit_lost
                else f"{outcome.settings.kernel} leaves {first.function.sbdf} without a group",
            ),
            help="leave the ids behind the bridge out of 'iommu.map', or put the card elsewhere",
            subject=name,
            about=(name, *(facts.device_name(each.function) for each in others), *_lost(facts, first)),
            rests_on=(name, map_above(facts, first.function, "iommu-map")),
        )


def _lost(facts: Facts, refusal: Refusal) -> Iterator[str]:
    """Who is in no group because the unit is given up."""
    for each in booted(facts).linux.ungrouped if refusal.unit_lost else ():
        if each.kind == "unit-lost":
            yield facts.device_name(each.function)
