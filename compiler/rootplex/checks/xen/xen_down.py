"""xen-down

What it finds: a Xen that goes down: it panics, hits a BUG or an assertion, or takes a fault, at boot or when
Dom0 reports a device.
Why it matters: the machine stops. This finding cannot be suppressed.
Example: `discovery: xen` and `linux,pci-domain` on one host bridge of two.
What to do: correct what the place shows; the note names the rule.
Source: xen.md §9, where each rule whose grade is fatal names the function of Xen that stops.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.references import cited
from rootplex.checks.rule import BYTES, EVERYTHING, Rule
from rootplex.checks.simulated import NOWHERE, xen_of
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace, Place

RULE = Rule(
    code="RPX0901",
    name="xen-down",
    level=Level.ERROR, needs="simulation", only="xen", requires=(BYTES,),
    covers=(
        "XP-01", "XP-02", "XP-03", "XP-13", "XP-15", "XP-17", "XP-20", "XP-22", "XP-23", "XP-24", "XP-25",
        "XP-33", "XP-37",
    ),
)  # fmt: skip

KINDS = {
    "panic": "Xen panics",
    "BUG": "Xen stops with a BUG",
    "assertion": "Xen stops with a failed assertion",
    "data abort": "Xen takes a data abort",
    "page fault": "Xen takes a page fault",
    "general protection fault": "Xen takes a general protection fault",
    "jump to address 0": "Xen jumps to address 0",
    "endless loop": "Xen stays in a loop for ever",
}


def check(facts: Facts) -> Iterator[Finding]:
    """The crash, if there was one."""
    crash = xen_of(facts).crash
    if crash is None:
        return
    place = crash.at
    subject = None
    if isinstance(place, DtPlace) and (joined := facts.joined(place.node)) is not None:
        subject = joined.name
    yield RULE.finding(
        _at(facts, place),
        f"{KINDS[crash.kind]}: {crash.cause}",
        notes=[_when(facts), _reference(crash.clause)],
        help="correct what the place shows; Xen checks nothing of it",
        subject=subject,
        about=(EVERYTHING, *(() if subject is None else (subject,))),
    )


def _at(facts: Facts, place: Place | None) -> Place:
    if place is not None:
        return place
    return facts.described.xen.at() if facts.described is not None else NOWHERE


def _reference(clause: str) -> str:
    """The rules that a crash's clause names, where they stand; its section, where it names none."""
    places = cited(f"xen.md {clause}")
    section, *rules = places
    return "; ".join(f"{name}: {places[name]}" for name in rules or [section])


def _when(facts: Facts) -> str:
    calls = xen_of(facts).calls
    if calls and calls[-1].crash is not None:
        return f"this happens when Dom0 calls {calls[-1].op}"
    return "this happens before Dom0 runs"
