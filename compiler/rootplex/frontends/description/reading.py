"""A description's text to its model: YAML, schema, model; and every fault on the way, in one run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rootplex.frontends.description.platforms import build_platform
from rootplex.frontends.description.refused import finding_of, told_once, without
from rootplex.frontends.description.slips import slips
from rootplex.frontends.description.values import Faults, Fields
from rootplex.frontends.description.virtual import spelled_out
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding
from rootplex.source.node import Node
from rootplex.source.schema import platform_schema
from rootplex.source.schema_faults import Violation, violations
from rootplex.source.yaml12 import load_yaml


class Description(Struct, frozen=True):
    """What reading gave. `platform` is None where too little was left to build one; where there
    are findings it lacks the faulty parts, and `names` still has every name that was written."""

    node: Node
    platform: Platform | None
    findings: tuple[Finding, ...]
    names: frozenset[str]


def read_description(text: str | bytes, file: str) -> Description:
    """The description in `text`; `Unreadable` where it is not YAML."""
    return description_of(load_yaml(text, file), file)


def description_of(document: Node, file: str) -> Description:
    """The description in a document, wherever its values were read."""
    schema = platform_schema()
    faults = Faults()
    names = frozenset(_names(document))
    values = 0
    for node in document.walk():
        values += 1
        if node.written is not None:
            faults.octal(node)
    faults.found.extend(slips(document))
    found = violations(document.plain(), schema, every=values <= MANY)
    sound: Node | None = document
    if found:
        faults.found.extend(_told(found, document))
        sound = without(document, found) if values <= MANY else None
        if values > MANY:
            one = f"of a document of more than {MANY:,} values one fault of its form is told at a time"
            faults.found[-1] = replace(faults.found[-1], notes=(*faults.found[-1].notes, one))
    if sound is None:
        return Description(document, None, tuple(faults.found), names)
    platform = build_platform(Fields(spelled_out(sound, faults), faults), file)
    return Description(document, platform, tuple(faults.found), names)


MANY = 100_000
"""Values of a document all of whose faults are told: millions of them would take minutes."""
FAULTS_LIMIT = 1000
"""How many faults of a description's form are told: nobody reads more."""


def _told(found: Sequence[Violation], document: Node) -> list[Finding]:
    """A finding each; the last one says how many there are beside."""
    findings = [finding_of(violation, document) for violation in told_once(found[:FAULTS_LIMIT])]
    if len(found) > FAULTS_LIMIT:
        more = f"{len(found) - FAULTS_LIMIT:,} more faults of the description's form are not told"
        findings[-1] = replace(findings[-1], notes=(*findings[-1].notes, more))
    return findings


def _names(document: Node) -> Iterable[str]:
    for node in document.walk():
        name = node.get("name")
        if name is not None and isinstance(name.value, str):
            yield name.value
