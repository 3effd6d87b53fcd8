"""disabled-segment-shifts

What it finds: a disabled host bridge (or another node of device_type "pci") whose `linux,pci-domain` keeps a
number from the bridges that have none and are numbered by the kernel.
Why it matters: a disabled node keeps its number reserved, so the others start behind it; who enables or
deletes that node renumbers them all.
Example: a bridge with `segment: 0, enabled: false` beside one without `segment`, which becomes segment 1.
What to do: give the enabled bridges numbers, too.
Source: Linux drivers/pci/pci.c, of_pci_reserve_static_domain_nr.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.simulator.linux.domains import NewScheme
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0206",
    name="disabled-segment-shifts",
    level=Level.WARNING,
    needs="artifacts",
    only="numbered-here",
    covers=("LNX-06",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each disabled bridge without which another bridge would get another number."""
    bridges = tuple(enabled_bridges(facts))
    if all(bridge.domain is not None for bridge in bridges):
        return
    on = {bridge.path for bridge in bridges}
    taken = [bridge.domain for bridge in bridges if bridge.domain is not None]
    off = [
        bridge
        for bridge in facts.dt_bridges
        if bridge.path not in on and bridge.domain is not None and bridge.device_type == "pci"
    ]
    reserved = [*taken, *(bridge.domain for bridge in off if bridge.domain is not None)]
    automatic = [bridge for bridge in bridges if bridge.domain is None]
    numbers = _automatic(reserved, len(automatic))
    for bridge in off:
        others = list(reserved)
        others.remove(bridge.domain or 0)
        changed = [
            (each, now, then)
            for each, now, then in zip(automatic, numbers, _automatic(others, len(automatic)), strict=True)
            if now != then
        ]
        if changed:
            each, now, then = changed[0]
            name = name_of(facts, each.path)
            yield RULE.finding(
                bridge.place("linux,pci-domain", 0),
                f"segment {bridge.domain} of '{name_of(facts, bridge.path)}', which is disabled, "
                f"makes '{name}' segment {now}",
                related=[(each.place(), f"without it this one would be segment {then}")],
                help="give the enabled bridges numbers, too",
                subject=name,
            )


def _automatic(reserved: list[int], count: int) -> list[int]:
    scheme = NewScheme(reserved)
    return [number for _ in range(count) if isinstance(number := scheme.number(None), int)]
