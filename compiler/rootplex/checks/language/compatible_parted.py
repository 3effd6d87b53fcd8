"""compatible-parted

What it finds: an entry of `compatible` without a comma: of `platform` any but QEMU's `riscv-virtio`, of a
bridge any but the two generic ones, of a controller two such in a row; and one that begins or ends with a
space.
Why it matters: a compatible string is `vendor,model`, and a comma parts the entries of a YAML list: without
quotes `[linux,dummy-virt]` are two strings, and no kernel knows either.
Example: `compatible: [linux,dummy-virt]`.
What to do: put it in quotes: `compatible: ["linux,dummy-virt"]`.
Source: Devicetree Specification 0.4 §2.3.1; YAML 1.2.2 §7.4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import pairwise

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.devicetree import GENERIC
from rootplex.model.controllers import DtNode
from rootplex.model.part import Part
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0026", name="compatible-parted", level=Level.WARNING, needs="description")


_QEMUS = frozenset({"riscv-virtio"})
"""Machines of QEMU's whose name has no vendor (hw/riscv/virt.c)."""


def check(facts: Facts) -> Iterator[Finding]:
    """The platform's list, then those of bridges and of vendors' controllers; one finding for each."""
    platform = facts.platform
    whole = next((each for each in platform.compatible if "," not in each and each not in _QEMUS), None)
    if whole is not None:
        yield _finding(platform, whole, platform.compatible, None)
    controllers = (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus)
    vendors = [each for each in controllers if isinstance(each, DtNode)]
    lists: list[tuple[Part, tuple[str, ...], str]] = [
        *((bridge.config, bridge.config.compatible, bridge.name) for bridge in platform.host_bridges),
        *((each, each.compatible, each.name) for each in vendors),
    ]
    for part, compatible, name in lists:
        is_bridge = part not in vendors
        alone = (each for each in compatible if is_bridge and _is_none(each))
        pairs = (a for a, b in pairwise(compatible) if _is_none(a) and _is_none(b))
        wrong = next(alone, next(pairs, None))
        if wrong is not None:
            yield _finding(part, wrong, compatible, name)


def _is_none(entry: str) -> bool:
    """Whether it is no compatible string that there is."""
    return entry.strip() != entry or ("," not in entry and entry not in GENERIC.values())


def _finding(part: Part, entry: str, compatible: tuple[str, ...], subject: str | None) -> Finding:
    at = compatible.index(entry)
    pair = [each for each in compatible[at : at + 2] if _is_none(each)]
    words = set(entry.split("-"))
    near = [each for each in GENERIC.values() if words == set(each.split("-"))]
    near = near or get_close_matches(entry, GENERIC.values(), 1)
    advice = f'did you mean "{near[0]}"?' if near else "write vendor,model in quotes"
    fault = "has no comma, which every compatible string of a vendor has"
    if entry.strip() != entry:
        fault, advice = "has a space at an end", f'write "{entry.strip()}"'
    return RULE.finding(
        part.at("compatible"),
        f"'{entry}' in compatible {fault}",
        notes=["a comma parts the entries of a list unless it is in quotes"] if len(pair) == 2 else (),
        help=f'write "{",".join(pair)}"' if len(pair) == 2 else advice,
        subject=subject,
    )
