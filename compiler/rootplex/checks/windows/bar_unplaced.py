"""bar-unplaced

What it finds: BARs that no window has room for. An I/O BAR behind a host bridge without any I/O window is a
note: most Arm boards have none, and few drivers miss it.
Why it matters: the device stays without that BAR, and its driver most often fails.
Example: a BAR of 512 MiB behind windows of 256 MiB.
What to do: widen a window of that kind, or make the BAR smaller.
Source: Linux drivers/pci/setup-bus.c, pci_assign_unassigned_root_bus_resources, and drivers/pci/setup-res.c,
__pci_assign_resource.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import device_of
from rootplex.checks.causes import WRONG_WINDOW
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level
from rootplex.source.place import FilePlace, Place

RULE = Rule(
    code="RPX0120",
    name="bar-unplaced",
    level=Level.ERROR,
    needs="simulation",
    requires=(*WRONG_WINDOW, "RPX0112", "RPX0601", "RPX0603"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """What Dom0 could not place."""
    assert facts.outcome is not None
    dom0 = facts.outcome.dom0
    for unplaced in dom0.unplaced:
        function, bar = unplaced.function, unplaced.bar
        root = dom0.root_bridges[function.root]
        at = root.places.get("windows", root.places.get("node", FilePlace("")))
        name = facts.device_name(function)
        no_io = bar.space == "io" and not any(window.space == "io" for window in root.windows)
        yield RULE.finding(
            _place(facts, function, bar.index) or at,
            f"BAR {bar.index} of '{name}' has no place: {bar.size:#x} bytes of {bar.space}",
            level=Level.NOTE if no_io else Level.ERROR,
            notes=[unplaced.reason],
            help="widen a window of that kind",
            subject=name,
        )


def _place(facts: Facts, function: Function, index: int) -> Place | None:
    """Where the description says how large the BAR is (6: the ROM, 7-12: the VFs')."""
    device = device_of(facts, function)
    if device is None:
        return None
    described = next((bar for bar in device.bars if bar.index == index), None)
    if described is not None:
        return described.at("size")
    return device.at("rom" if index == 6 else "")
