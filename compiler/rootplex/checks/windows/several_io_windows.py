"""several-io-windows

What it finds: more than one I/O window on one host bridge.
Why it matters: Linux remembers one CPU address for I/O; the last one wins, and the ports of the others lead
elsewhere.
Example: two windows with `space: io`.
What to do: keep one; 64 KiB is all that the I/O space has.
Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0114",
    name="several-io-windows",
    level=Level.WARNING,
    needs="artifacts",
    covers=("LNX-18",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Enabled bridges whose I/O windows do not join to one."""
    for bridge in enabled_bridges(facts):
        # pci-mvebu reads its windows itself: one a port
        if bridge.controller is not None and bridge.controller.driver == "pci-mvebu":
            continue
        yield from _bridge(facts, bridge)


def _bridge(facts: Facts, bridge: DtHostBridge) -> Iterator[Finding]:
    windows = [window for window in bridge.windows if window.space == "io" and window.size]
    for window, before in zip(windows[1:], windows, strict=False):
        joined = (before.pci + before.size, before.cpu_local + before.size)
        if joined == (window.pci, window.cpu_local):
            continue
        name = name_of(facts, bridge.path)
        yield RULE.finding(
            window.place,
            f"'{name}' has more than one I/O window",
            related=[(before.place, "another one is here")],
            help="keep one",
            subject=name,
        )
        return
