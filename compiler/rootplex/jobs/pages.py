"""The pages of findings, in their parts: what `explain` prints, for reports and for the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from rootplex.checks.check import Page
from rootplex.checks.registry import every_page
from rootplex.source.finding import Level

PARTS = ("What it finds", "Why it matters", "Example", "What to do", "Source")
_PART = re.compile(rf"^({'|'.join(PARTS)}): ", re.MULTILINE)


class Help(Struct, frozen=True, kw_only=True):
    """A finding's page: `finds`, `matters`, `example`, `mend` and `source` are its parts, each one line of
    text; `text` is the whole as `explain` prints it."""

    code: str
    name: str
    level: Level
    finds: str
    matters: str
    example: str
    mend: str
    source: str
    text: str
    covers: tuple[str, ...]


def pages_of(codes: Iterable[str]) -> dict[str, Help]:
    """The pages of these codes, in order; a code that is no finding's is left out."""
    wanted = set(codes)
    return {page.code: page for page in pages() if page.code in wanted}


@cache
def pages() -> tuple[Help, ...]:
    """All pages there are, in order of their codes."""
    return tuple(map(_help, every_page()))


def _help(page: Page) -> Help:
    _, *parts = _PART.split(page.page)
    said = {name: " ".join(text.split()) for name, text in zip(parts[::2], parts[1::2], strict=True)}
    finds, matters, example, mend, source = (said.get(part, "") for part in PARTS)
    rule = page.rule
    return Help(
        code=rule.code,
        name=rule.name,
        level=rule.level,
        finds=finds,
        matters=matters,
        example=example,
        mend=mend,
        source=source,
        text=page.page,
        covers=rule.covers,
    )
