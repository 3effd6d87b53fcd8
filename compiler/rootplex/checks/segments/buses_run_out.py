"""buses-run-out

What it finds: more buses below a host bridge than its range holds, VFs included; or buses whose
configuration space is not mapped, because it is smaller than the range.
Why it matters: ports get bus numbers that nothing routes, and what is behind them is gone. Behind bus 0xff
comes bus 0x100, which Linux takes for bus 0: where that one is there it is scanned again and again, until the
kernel's stack overflows.
Example: `bus_range: [0, 1]` with two root ports; `bus: [1, 255]` on the first of them, and a second.
What to do: widen the bus range, and the configuration space with it. Where it ends at 0xff: take fewer buses,
by the numbers that firmware leaves in `bus`, by VFs and hot-plug ports.
Source: Linux drivers/pci/probe.c, pci_scan_bridge_extend; drivers/pci/search.c, pci_find_bus; and
drivers/pci/iov.c, pci_iov_bus_range.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import device_of, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import bridge_place
from rootplex.model.device import Device
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0212",
    name="buses-run-out",
    level=Level.ERROR,
    needs="simulation",
    requires=("RPX0108", "RPX0109", "RPX0210", "RPX0803"),
    covers=("LNX-55",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a host bridge: at the first port, or VF, that has no bus, or where the scan never ends."""
    assert facts.outcome is not None
    dom0 = facts.outcome.dom0
    told: set[int] = set()
    if dom0.died is not None and dom0.died.bridge is not None:
        told.add(dom0.died.bridge.root)
        yield _endless(facts, dom0.died.bridge, dom0.died.number)
    for function in dom0.functions:
        root = dom0.root_bridges[function.root]
        end = min(root.last_bus, root.effective_end)
        needed = _last_bus(function)
        if needed <= end or function.root in told:
            continue
        told.add(function.root)
        yield _run_out(
            facts, function, needed, "what is behind it cannot be reached", HELP_FULL if end == 0xFF else HELP
        )


HELP = "widen the bus range, and the configuration space with it"
HELP_FULL = "take fewer buses: firmware's numbers in 'bus', VFs and hot-plug ports reserve them"


def _endless(facts: Facts, bridge: Function, number: int) -> Finding:
    if number > 0xFF:
        note = f"Linux takes bus {number:#x} for bus {number & 0xFF:#x} and scans that one without end: "
        return _run_out(facts, bridge, number, note + "its stack overflows and it dies", HELP_FULL)
    assert facts.outcome is not None
    device = device_of(facts, bridge)
    root = facts.outcome.dom0.root_bridges[bridge.root]
    return RULE.finding(
        root.places["node"] if device is None else device.at(),
        f"'{facts.device_name(bridge)}' leads to bus {number:#x}, which is scanned again without end",
        notes=["Linux's stack overflows and it dies"],
        help="let no two bridges lead to one bus",
        subject=facts.device_name(bridge),
        about=_unreached(facts.device_name(bridge), device),
    )


def _run_out(facts: Facts, function: Function, needed: int, note: str, help: str) -> Finding:
    assert facts.outcome is not None
    root = facts.outcome.dom0.root_bridges[function.root]
    device, name = device_of(facts, function), name_of(facts, root.path)
    at = bridge_place(facts, root, "bus_range")
    mapped = " that is mapped" if root.effective_end < root.last_bus else ""
    return RULE.finding(
        at if device is None else device.at(),
        f"'{facts.device_name(function)}' needs bus {needed:#x}, "
        f"the last one of '{name}'{mapped} is {min(root.last_bus, root.effective_end):#x}",
        related=[] if device is None else [(at, "the bus range is here")],
        notes=[note],
        help=help,
        subject=facts.device_name(function),
        about=_unreached(facts.device_name(function), device),
    )


def _unreached(name: str, device: Device | None) -> Iterator[str]:
    """The function's name and those of what is described below it."""
    yield name
    yield from (each.name for each in (() if device is None else device.walk()) if each.name)


def _last_bus(function: Function) -> int:
    """The highest bus number that the function cannot do without."""
    if function.physfn is not None:
        return function.bus.number
    return (function.secondary or 0) if function.child_bus is None else function.child_bus.start
