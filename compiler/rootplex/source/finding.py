"""A finding: one thing that is wrong, with its place, its reason and what to do about it.

Findings are values, made where the fault is seen and rendered by `report`; nothing parses
their text later. The words follow rustc: the message stands alone, lower case, without advice
or full stop; a note adds a fact; the help says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rootplex.source.place import FilePlace, Place, Span


class Level(StrEnum):
    """How bad a finding is. Errors make the exit status 1, warnings with `--strict`."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Related(Struct, frozen=True):
    """The other party of a finding: where it is, and what it has to do with it."""

    at: Place
    message: str


class Rewrite(Struct, frozen=True):
    """What a finding's help says to write, for an editor to do: `text` in place of what stands `at` a span of
    the description; or, with a `key`, that key with this text as its value in the mapping that stands there.
    The text is YAML."""

    at: Place
    text: str
    key: str | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """One fault, as the JSON of `check` has it (code, name, level, message, at, …)."""

    code: str
    name: str
    level: Level
    message: str
    at: Place
    related: tuple[Related, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    rewrite: Rewrite | None = None
    subject: str | None = None
    expected: bool = False
    about: frozenset[str] = frozenset()
    """On what it bears, where that is not the subject alone: bridges, devices, tables, maps (`Rule`)."""
    rests_on: frozenset[str] = frozenset()
    """What must be right for it to mean anything; without: what it bears on, and the bridge of a device."""
    follows: tuple[Finding, ...] = ()
    """What is wrong only because of this, and goes when this is mended: not reported beside it."""

    def as_expected(self) -> Finding:
        """The same finding, accepted by its author."""
        return replace(self, expected=True)

    @property
    def bears_on(self) -> frozenset[str]:
        """What it says something about."""
        return self.about or frozenset(() if self.subject is None else (self.subject,))

    @property
    def every(self) -> tuple[Finding, ...]:
        """The finding and all that follows from it."""
        return (self, *self.follows)

    def accepted(self) -> tuple[Finding, ...]:
        """The finding, and each error that follows from it: that is not accepted with its cause."""
        errors = tuple(each for each in self.follows if each.level is Level.ERROR)
        return (replace(self, follows=tuple(each for each in self.follows if each not in errors)), *errors)

    def moved(self, to: Callable[[Place], Place]) -> Finding:
        """The same finding with each of its places as `to` gives it."""
        related = tuple(Related(to(other.at), other.message) for other in self.related)
        return replace(self, at=to(self.at), related=related)

    def settled(self) -> Finding:
        """The finding as it is reported: as bad as the worst that follows from it."""
        return replace(self, level=min((each.level for each in self.every), key=list(Level).index))

    def order(self) -> tuple[str, int, int, str, str]:
        """The sorting key of reports: file, line, column, code, place."""
        line, column = (self.at.line, self.at.column) if isinstance(self.at, Span) else (0, 0)
        return (self.at.file, line, column, self.code, str(self.at))


class Rule(Struct, frozen=True, kw_only=True):
    """A kind of finding: its code and name stand here, and whoever finds one names its rule.

    `requires`: codes whose findings explain this rule's on the same subject (as dtc's prerequisites; words
    of `checks.rule` for many): then it stands under them. `covers`: rules of the references (`LNX-05`)."""

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
        rewrite: Rewrite | None = None,
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
            rewrite=rewrite,
            subject=subject,
            about=frozenset(about),
            rests_on=frozenset(rests_on),
        )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings as they are reported, each once, in the order of their places."""
    settled = dict.fromkeys(each.settled() for each in findings)
    return tuple(sorted(settled, key=Finding.order))


UNREADABLE = Rule(code="RPX0001", name="unreadable-input", level=Level.ERROR)


class CannotDo(Exception):  # noqa: N818 - it says what became of the question
    """What was asked for cannot be done; the text is the sentence for the user."""


class Unreadable(CannotDo):
    """Input that cannot be read at all. Carries one finding for each reason; exit status 2."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{finding.at}: {finding.message}" for finding in findings))
        self.findings = findings


def unreadable(place: Place | str, message: str, *, help: str | None = None) -> Unreadable:
    """The error for a file or blob that cannot be read: finding RPX0001 at its place."""
    at = FilePlace(place) if isinstance(place, str) else place
    return Unreadable((UNREADABLE.finding(at, message, help=help),))
