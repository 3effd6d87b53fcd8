"""function-without-messages

What it finds: a present function with MSI or MSI-X whose requester id its bridge's `msi-map`, or IORT, does
not cover.
Why it matters: its messages reach no interrupt controller: the driver falls back to INTx, or fails.
Example: an `msi-map` of bus 0 alone, and a disk on bus 1.
What to do: let the map cover the id.
Source: Linux drivers/pci/msi/irqdomain.c, pci_msi_domain_get_msi_rid; drivers/of/base.c, of_map_id;
drivers/acpi/arm64/iort.c, iort_msi_map_id.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.facts import Facts
from rootplex.checks.ids._maps import (
    acpi_claims,
)
from rootplex.checks.rule import Rule
from rootplex.checks.subjects import map_above
from rootplex.readers.ridmap import map_rid
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0403",
    name="function-without-messages",
    level=Level.ERROR,
    requires=(*WRONG_MAP, "RPX0807"),
    covers=(
        "LNX-44",
        "XP-36",
    ),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each function left out by a map that there is."""
    outcome = facts.outcome
    if outcome is None:
        return
    by_iort = outcome.settings.firmware == "acpi"
    claimed = frozenset(each.bridge for each in acpi_claims(facts, "msi")) if by_iort else frozenset()
    for function, route in outcome.messages.items():
        if route.controller is not None or not (function.msi or function.msix):
            continue
        if not _is_hole(facts, function, route.rid, claimed):
            continue
        name = facts.device_name(function)
        root = outcome.dom0.root_bridges[function.root]
        yield RULE.finding(
            route.place or root.places["node"],
            f"no map gives the messages of '{name}', requester {route.rid:#06x}, a controller",
            notes=(f"it is {function.sbdf}", *([route.reason] if route.reason else [])),
            help="let the map cover this id",
            subject=name,
            rests_on=(name, map_above(facts, function, "msi-map")),
        )


def _is_hole(facts: Facts, function: Function, rid: int, claimed: frozenset[str]) -> bool:
    assert facts.outcome is not None
    joined = facts.joined(facts.outcome.dom0.root_bridges[function.root].path)
    if facts.outcome.settings.firmware == "dt":
        map = None if joined is None or joined.dt is None else joined.dt.msi_map
        return map is not None and map_rid(map, rid).entry is None and map_rid(map, rid).error is None
    return joined is not None and joined.name in claimed
