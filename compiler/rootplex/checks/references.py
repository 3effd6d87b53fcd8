"""The reference pages that findings cite: `docs/reference/linux.md` and `docs/reference/xen.md`.

A rule (`LNX-05`, `XP-12`) is a heading there, a section (`xen.md §7.2`) has an anchor `s7.2`.
"""

from __future__ import annotations

import re

from rootplex.project import ADDRESS

FILES = f"{ADDRESS}/blob/main/" if ADDRESS else ""
"""The folder of the project's files on the web; without an address a place is a path from the checkout's
root."""

PAGES = {"LNX": "linux", "XP": "xen"}
"""A rule's prefix → its page."""

_CITED = re.compile(
    r"\b(?P<rule>(?P<prefix>LNX|XP)-\d\d)\b|\b(?P<page>linux|xen)\.md\s+§(?P<section>\d+(?:\.\d+)?)"
)


def cited(text: str) -> dict[str, str]:
    """What a text cites, in its order: `XP-12` → `docs/reference/xen.md#xp-12`."""
    return {" ".join(found[0].split()): _place(found) for found in _CITED.finditer(text)}


def _place(found: re.Match[str]) -> str:
    page = found["page"] or PAGES[found["prefix"]]
    anchor = found["rule"].lower() if found["rule"] else f"s{found['section']}"
    return f"{FILES}docs/reference/{page}.md#{anchor}"
