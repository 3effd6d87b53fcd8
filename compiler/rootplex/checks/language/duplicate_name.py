"""duplicate-name

What it finds: one name for two things.
Why it matters: a reference by that name could mean either.
Example: two host bridges named `main`.
What to do: rename one of them; every named thing of a file shares one space of names.
Source: the platform language, version 1 (`rootplex schema`).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.part import Part
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0008", name="duplicate-name", level=Level.ERROR)


def check(facts: Facts) -> Iterator[Finding]:
    """Each name that was taken before."""
    seen: dict[str, Part] = {}
    for name, part in _named(facts.platform):
        first = seen.setdefault(name, part)
        if name and first is not part:
            yield RULE.finding(
                part.at("name"),
                f"the name '{name}' is already taken",
                related=[(first.at("name"), "first used here")],
                help="give one of the two another name",
                subject=name,
            )


def _named(platform: Platform) -> Iterator[tuple[str, Part]]:
    for each in (
        *platform.interrupt_controllers,
        *platform.msi_controllers,
        *platform.iommus,
        *platform.host_bridges,
    ):
        yield each.name, each
    for _, device in platform.walk():
        if device.name is not None:
            yield device.name, device
    for guest in platform.xen.guests:
        yield guest.name, guest
