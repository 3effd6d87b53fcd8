"""What was probably meant by a misspelt word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MANY = 12
LONGEST = 64
"""Characters of a word that may be a misspelt one; no word that is known has half as many."""


MEANT: dict[str, tuple[str, ...]] = {
    "aarch64": ("arm64",),
    "addr": ("base", "pci"),
    "address": ("base", "pci"),
    "amd64": ("x86_64",),
    "base": ("pci",),
    "buses": ("bus_range",),
    "controller": ("unit",),
    "device": ("id",),
    "device_id": ("id",),
    "domain": ("segment",),
    "ecam": ("config",),
    "end": ("size",),
    "interrupts": ("irqs", "intx"),
    "last": ("size",),
    "len": ("size", "count"),
    "length": ("size", "count"),
    "limit": ("size",),
    "mem": ("mem32",),
    "memory": ("mem32",),
    "no": ("false",),
    "off": ("false",),
    "on": ("true",),
    "pci_domain": ("segment",),
    "ranges": ("windows",),
    "reg": ("config",),
    "sid": ("id",),
    "start": ("base", "pci"),
    "status": ("enabled",),
    "stream": ("id",),
    "stream_id": ("id",),
    "type": ("kind", "space"),
    "unit": ("controller",),
    "vendor": ("id",),
    "vendor_id": ("id",),
    "yes": ("true",),
}
"""What other tools call what we call otherwise."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` probably misspells or stands for, or None."""
    words = sorted(known)
    if len(word) > LONGEST:
        return None
    word = word.lower()
    other = next((each for each in MEANT.get(word, ()) if each in words), None)
    if other is not None:
        return other
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
