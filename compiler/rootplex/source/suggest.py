"""What was probably meant by a misspelt word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MANY = 12
LONGEST = 64
"""Characters of a word that may be a misspelt one; no word that is known has half as many."""


MEANT = {
    "aarch64": "arm64",
    "amd64": "x86_64",
    "device": "id",
    "device_id": "id",
    "no": "false",
    "off": "false",
    "on": "true",
    "vendor": "id",
    "vendor_id": "id",
    "yes": "true",
}
"""What other tools call what we call otherwise."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` probably misspells or stands for, or None."""
    words = sorted(known)
    if MEANT.get(word) in words:
        return MEANT[word]
    if len(word) > LONGEST:
        return None
    found = difflib.get_close_matches(word, words, n=1, cutoff=0.61)
    return found[0] if found else None


def advice(word: str, known: Iterable[str], what: str) -> str:
    """The `help` of a finding about an unknown word: the near one, else what is known."""
    words = sorted(known)
    near = nearest(word, words)
    if near is not None:
        return f"did you mean '{near}'?"
    if not words:
        return f"describe the {what}: there is none"
    listed = ", ".join(words[:MANY]) + (", …" if len(words) > MANY else "")
    return f"known {what}s: {listed}"
