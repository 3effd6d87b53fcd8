"""What a check is: its code, name, level, and the rules of the references it covers."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from rootplex.source.finding import Finding, Level, Related
from rootplex.source.place import Place

BYTES = "bytes"
"""In `requires`: every error that the description and the artifacts show before anything is simulated."""

ANY = "any"
"""In `requires`: every error of another check."""

EVERYTHING = "everything"
"""What a finding bears on after which nothing else can be relied on."""


class Rule(Struct, frozen=True, kw_only=True):
    """One check's data. `requires`: codes whose findings explain this check's on the same subject (as dtc's
    prerequisites; `BYTES`, `ANY` for many): then it stands under them. `covers`: rules of the references
    (`LNX-05`, `XP-12`)."""

    code: str
    name: str
    level: Level
    requires: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()

    def finding(
        self,
        at: Place,
        message: str,
        *,
        level: Level | None = None,
        related: Iterable[tuple[Place, str]] = (),
        notes: Iterable[str] = (),
        help: str | None = None,
        subject: str | None = None,
        about: Iterable[str] = (),
        rests_on: Iterable[str] = (),
    ) -> Finding:
        """A finding of this rule; `level` where it differs from the rule's own, `about` where it bears
        on more, or on something else, than its subject, `rests_on` where that is not what it rests on."""
        return Finding(
            code=self.code,
            name=self.name,
            level=level or self.level,
            message=message,
            at=at,
            related=tuple(Related(place, text) for place, text in related),
            notes=tuple(notes),
            help=help,
            subject=subject,
            about=frozenset(about),
            rests_on=frozenset(rests_on),
        )
