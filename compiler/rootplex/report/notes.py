"""The notes of a finding as every format prints them: its own, then what follows from it."""

from __future__ import annotations

from rootplex.source.finding import Finding

FOLLOWING_SHOWN = 4


def notes_of(finding: Finding) -> list[str]:
    """The notes; of what follows the first few, each with its code for `explain`."""
    following = list(dict.fromkeys(f"so {each.message} ({each.code})" for each in finding.follows))
    notes = [*finding.notes, *following[:FOLLOWING_SHOWN]]
    more = len(following) - FOLLOWING_SHOWN
    return notes if more <= 0 else [*notes, f"{more} more follow from it"]
