"""buses-run-out

What it finds: more buses below a host bridge than its range holds, VFs included; or buses whose configuration
space is not mapped, because it is smaller than the range.
Why it matters: ports get bus numbers that nothing routes, and what is behind them is gone. Behind bus 0xff
comes bus 0 again: Linux 7.2 was seen to scan in circles until it panics. Behind bus 0xff comes bus 0 again:
Linux 7.2 was seen to scan in circles until it panics.
Example: `bus_range: [0, 1]` with two root ports.
What to do: widen the bus range, and the configuration space with it.
Source: Linux drivers/pci/probe.c, pci_scan_bridge_extend, and drivers/pci/iov.c, pci_iov_bus_range.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.scope import device_of, name_of
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0212", name="buses-run-out", level=Level.ERROR, covers=("LNX-55",))


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a host bridge: at the first port, or VF, that has no bus."""
    assert facts.outcome is not None
    dom0 = facts.outcome.dom0
    told: set[int] = set()
    for function in dom0.functions:
        root = dom0.root_bridges[function.root]
        end = min(root.last_bus, root.effective_end)
        needed = _last_bus(function)
        if needed <= end or function.root in told:
            continue
        told.add(function.root)
        device, name = device_of(facts, function), name_of(facts, root.path)
        at = root.places.get("bus_range", root.places["node"])
        mapped = " that is mapped" if root.effective_end < root.last_bus else ""
        yield RULE.finding(
            at if device is None else device.at(),
            f"'{facts.device_name(function)}' needs bus {needed:#x}, "
            f"the last one of '{name}'{mapped} is {end:#x}",
            related=[] if device is None else [(at, "the bus range is here")],
            notes=["what is behind it cannot be reached"],
            help="widen the bus range, and the configuration space with it",
            subject=facts.device_name(function),
        )


def _last_bus(function: Function) -> int:
    """The highest bus number that the function cannot do without."""
    if function.physfn is not None:
        return function.bus.number
    return function.secondary or 0
