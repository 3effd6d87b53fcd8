"""ports-without-address

What it finds: off x86, an I/O window whose ports the CPU is to see in the first 64 KiB of its addresses.
Why it matters: there is no I/O space but on x86: the bridge shows its ports at some address of memory, which
`cpu` says. Without it the port numbers are taken.
Example: `{space: io, pci: 0x0, size: 64KiB}` on arm64.
What to do: write `cpu`: where the CPU sees the ports.
Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources, and lib/logic_pio.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import part_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0029", name="ports-without-address", level=Level.WARNING, needs="description")

PORTS = 1 << 16


def check(facts: Facts) -> Iterator[Finding]:
    """Each such window."""
    if facts.platform.arch == "x86_64":
        return
    for bridge in facts.platform.host_bridges:
        for window in bridge.windows:
            if window.space != "io" or window.cpu >= PORTS:
                continue
            swapped = window.wrote("cpu") and window.pci >= PORTS
            yield RULE.finding(
                window.at("cpu" if window.wrote("cpu") else "space"),
                f"the I/O window of '{bridge.name}' lies at CPU address {window.cpu:#x}",
                notes=["only x86 has an I/O space; elsewhere the CPU sees ports at an address of memory"],
                help="did you swap 'pci' and 'cpu'?"
                if swapped
                else "write 'cpu': where the CPU sees the ports",
                subject=bridge.name,
                about=(part_of("window", bridge.name, window.cpu),),
            )
