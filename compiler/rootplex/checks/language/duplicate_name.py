"""duplicate-name

What it finds: one name for two things; a device that stands twice among the groups of `expect`.
Why it matters: a reference by that name could mean either; a device is in one group, and once.
Example: two host bridges named `main`.
What to do: rename one of them; every named thing of a file shares one space of names.
Source: the platform language, version 1 (`rootplex schema`).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.part import Part
from rootplex.model.platform import Expect, Platform
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(code="RPX0008", name="duplicate-name", level=Level.ERROR, needs="description")


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
    for expect in (facts.platform.expect, *(each.expect for each in facts.platform.expect.when)):
        yield from _grouped_twice(expect)


def _grouped_twice(expect: Expect) -> Iterator[Finding]:
    """`expect.groups` is a partition: a name in it twice cannot hold."""
    first: dict[str, Place] = {}
    for i, names in enumerate(expect.groups or ()):
        for j, name in enumerate(names):
            place = expect.at(f"groups.{i}.{j}")
            if first.setdefault(name, place) is not place:
                yield RULE.finding(
                    place,
                    f"{name} already stands in one of these groups",
                    related=[(first[name], "first named here")],
                    help="name each device in one group, once",
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
