"""compatible-parted

What it finds: an entry of a list `compatible` without a comma: of `platform` any, of a bridge's or a
controller's two such in a row.
Why it matters: a compatible string is `vendor,model`, and a comma parts the entries of a YAML list: without
quotes `[linux,dummy-virt]` are two strings, and no kernel knows either.
Example: `compatible: [linux,dummy-virt]`.
What to do: put it in quotes: `compatible: ["linux,dummy-virt"]`.
Source: Devicetree Specification 0.4 §2.3.1; YAML 1.2.2 §7.4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.controllers import DtNode
from rootplex.model.part import Part
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0026", name="compatible-parted", level=Level.WARNING, needs="description")


def check(facts: Facts) -> Iterator[Finding]:
    """The platform's list, then those of bridges and of vendors' controllers; one finding for each."""
    platform = facts.platform
    whole = next((each for each in platform.compatible if "," not in each), None)
    if whole is not None:
        yield _finding(platform, whole, platform.compatible, None)
    controllers = (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus)
    vendors = [each for each in controllers if isinstance(each, DtNode)]
    lists: list[tuple[Part, tuple[str, ...], str]] = [
        *((bridge.config, bridge.config.compatible, bridge.name) for bridge in platform.host_bridges),
        *((each, each.compatible, each.name) for each in vendors),
    ]
    for part, compatible, name in lists:
        pair = next((a for a, b in pairwise(compatible) if "," not in a and "," not in b), None)
        if pair is not None:
            yield _finding(part, pair, compatible, name)


def _finding(part: Part, entry: str, compatible: tuple[str, ...], subject: str | None) -> Finding:
    at = compatible.index(entry)
    pair = compatible[at : at + 2]
    return RULE.finding(
        part.at("compatible"),
        f"'{entry}' in compatible has no comma, which every compatible string of a vendor has",
        notes=["a comma parts the entries of a list unless it is in quotes"],
        help=f'write "{",".join(pair)}"' if len(pair) == 2 else "write vendor,model in quotes",
        subject=subject,
    )
