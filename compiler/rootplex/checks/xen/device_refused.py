"""device-refused

What it finds: devices that Dom0 reports and Xen does not take: any device with today's Xen, a guest's device
under the 2017 protocol.
Why it matters: what Xen does not have it cannot assign; its interrupts can fail in Dom0 too.
Example: `discovery: xen` with a bridge that has no `iommu`: Xen answers -ENODEV for each of its devices.
What to do: see the note for the error, and correct the bridge's maps or its kind.
Source: Xen xen/drivers/passthrough/pci.c, pci_add_device; xen/drivers/passthrough/device_tree.c,
iommu_add_dt_pci_sideband_ids.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, Rule
from rootplex.checks.simulated import booted, bridge_name, bridge_place, called, root_of, wishes, xen_of
from rootplex.formats.errno import Errno, name_of
from rootplex.simulator.function import Function
from rootplex.simulator.inputs import Settings
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0904",
    name="device-refused",
    level=Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES, "RPX0901", "RPX0402"),
    covers=("XP-29", "XP-30", "XP-41"),
)

MEANINGS = {
    -Errno.ENOENT: "no such entry",
    -Errno.ENOMEM: "out of memory",
    -Errno.EFAULT: "the map's id-base has bits outside its mask",
    -Errno.EEXIST: "an earlier attempt left its IOMMU data",
    -Errno.ENODEV: "no bridge of its bus, no IOMMU that Xen drives, or a VF without its PF",
    -Errno.EINVAL: "invalid",
    -Errno.ERANGE: "its StreamID is beyond the stream table",
    -Errno.EOPNOTSUPP: "PCI passthrough and IOMMU are both off, or the header has no known type",
}

MANY = 6
"""How many devices a message names."""


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a host bridge and error; not for devices or bridges whose trouble is told already."""
    outcome = booted(facts)
    told = {each.subject for each in facts.found if each.level is Level.ERROR and each.subject}
    guests = {function for _, view in wishes(facts) for function in view.functions}
    late = refused_by_protocol(facts)
    refused: dict[tuple[int, int], list[Function]] = {}
    for event in outcome.dom0.events:
        function = event.function
        if event.kind not in ("device-added", "virtual-added") or function is None or not event.result:
            continue
        if function in late or event.result == -Errno.ENOSYS:
            continue
        if function not in guests and not _wants_all(outcome.settings):
            continue
        if facts.device_name(function) in told or bridge_name(facts, root_of(facts, function)) in told:
            continue
        refused.setdefault((function.root, event.result), []).append(function)
    for (index, result), functions in refused.items():
        root = outcome.dom0.root_bridges[index]
        name = bridge_name(facts, root)
        yield RULE.finding(
            bridge_place(facts, root),
            f"Xen does not take {len(functions)} device{'s' if len(functions) > 1 else ''} of {name}",
            notes=[_meaning(result), f"refused: {listed(facts, functions)}"],
            help="map every requester id of the bridge to an IOMMU that Xen drives",
            subject=name,
        )


def _wants_all(settings: Settings) -> bool:
    """Whether Xen is to take every device, not guests' alone: today's, unless it is told not to."""
    return settings.discovery == "xen" and (settings.pci_passthrough or settings.iommu)


def listed(facts: Facts, functions: list[Function]) -> str:
    """The first few by name."""
    names = ", ".join(called(facts, function) for function in functions[:MANY])
    return names if len(functions) <= MANY else f"{names} and {len(functions) - MANY} more"


def refused_by_protocol(facts: Facts) -> dict[Function, str]:
    """The devices that the 2017 protocol did not let in, with why: `unowned-bus`, `shared-bus`."""
    outcome = booted(facts)
    discovery = xen_of(facts).discovery
    if discovery is None:
        return {}
    at = {(function.segment, function.rid): function for function in outcome.dom0.functions}
    found: dict[Function, str] = {}
    for each in discovery.refusals:
        function = at.get((each.segment, each.bus << 8 | (each.devfn or 0)))
        if each.what == "device" and function is not None:
            found[function] = each.why
    return found


def _meaning(result: int) -> str:
    return f"{MEANINGS[result]} ({name_of(result)})" if result in MEANINGS else f"the result is {result}"
