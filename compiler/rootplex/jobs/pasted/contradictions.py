"""Texts that cannot be of one machine: they tell of two devices at one address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rootplex.capture.pasted.facts import Paste, Where, called
from rootplex.jobs.pasted.bounds import SHOWN
from rootplex.source.finding import Finding
from rootplex.source.place import Place
from rootplex.source.rules import TEXTS_DISAGREE


def contradictions(
    pastes: Sequence[Paste], known: Mapping[Where, tuple[str, Place]] | None = None
) -> Iterator[Finding]:
    """One finding for all functions that two texts give other ids; `known` are those of a snapshot beside."""
    first = dict(known or {})
    told: list[tuple[Where, str, Place, str, Place]] = []
    for paste in pastes:
        for each in paste.functions:
            id = each.keys.get("id")
            if isinstance(id, str):
                before, at = first.setdefault(each.where, (id, each.place))
                if before != id:
                    told.append((each.where, before, at, id, each.place))
    if not told:
        return
    where, before, at, id, place = told[0]
    others = dict.fromkeys(f"{called(one)} is {old}, and {new}" for one, old, _, new, _ in told[1:])
    notes = [each for each in others if not each.startswith(called(where))]
    yield TEXTS_DISAGREE.finding(
        place,
        f"{called(where)} is {id} here, and {before} in another text",
        related=((at, "the other text"),),
        notes=(*notes[:SHOWN], *((f"and {len(notes) - SHOWN} more",) if len(notes) > SHOWN else ())),
        help="give texts of one machine and one boot: what they tell of a function is joined by its address",
        subject=called(where),
    )
