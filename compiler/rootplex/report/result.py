"""What `check` and `validate` found out about one platform: the value that every format renders."""

from __future__ import annotations

from typing import Literal, TypeAlias

from rootplex.source.finding import Finding, Level
from rootplex.source.record import dataclass, field

Verdict: TypeAlias = Literal["consistent", "inconsistent", "unknown"]
Json: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One platform's findings and what the simulation says of it.

    `details` are the keys of the JSON form behind `findings` (bridges, devices, groups, safe, xen,
    boot), as the design's page lists them. `unreadable`: the input could not be read at all.
    """

    file: str
    platform: str | None
    dom0: str | None
    firmware: str | None
    verdict: Verdict
    findings: tuple[Finding, ...]
    details: Json = field(default_factory=dict)
    unreadable: bool = False
    summary: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()

    def count(self, level: Level) -> int:
        """Findings of a level that the author did not expect."""
        return sum(1 for each in self.findings if each.level is level and not each.expected)


def exit_status(results: tuple[Result, ...], *, strict: bool) -> int:
    """2 where an input could not be read, 1 for errors (warnings with `--strict`), else 0."""
    if any(result.unreadable for result in results):
        return 2
    levels = (Level.ERROR, Level.WARNING) if strict else (Level.ERROR,)
    return int(any(result.count(level) for result in results for level in levels))
