"""What was probably meant by a misspelt word."""

from __future__ import annotations

from collections.abc import Iterable

MANY = 12


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` probably misspells, or None."""
    import difflib

    found = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return found[0] if found else None


def advice(word: str, known: Iterable[str], what: str) -> str:
    """The `help` of a finding about an unknown word: the near one, else what is known."""
    words = sorted(known)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean '{near}'?"
    if not words:
        return f"there is no {what} here"
    listed = ", ".join(words[:MANY]) + (", …" if len(words) > MANY else "")
    return f"known {what}s: {listed}"
