"""What a check is: its code, name, level, and the rules of the references it covers."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from rootplex.source.finding import Finding, Level, Related
from rootplex.source.place import Place


class Rule(Struct, frozen=True, kw_only=True):
    """One check's data. `requires`: codes after which this check has nothing to say (as dtc's
    prerequisites). `covers`: rules of the references (`LNX-05`, `XP-12`)."""

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
    ) -> Finding:
        """A finding of this rule; `level` where it differs from the rule's own."""
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
        )
