"""The lines of a snapshot out of a text that may hold more: a console's noise, or half of it.

Each line reads `number/length text`. The kernel's own lines, carriage returns and terminal escapes
between and inside them are taken out; a gap, a damaged line and a missing end are told, with the place
where the text stops making sense.
"""

from __future__ import annotations

import re

from msgspec import Struct

from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import Span

VERSION = 1
SECTIONS = ("machine", "boot", "bridges", "functions", "groups", "iomem", "ioports", "messages", "firmware")

LIMIT = 12 << 20
"""Characters of a text that are looked at."""

_ESCAPE = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1bc|\r|\x00")
# The kernel ends its lines itself, so the rest of a line that it broke into follows on the next.
_PRINTK = re.compile(r"\[ *\d+\.\d{6}\](?:\[ *[CT]\d+\])? [^\n]*(\n|\Z)")
_LINE = re.compile(r"(\d{1,9})/(\d{1,9}) (.*)")
_HEADER = "rootplex-snapshot "
_FIRST = re.compile(rf"(1)/(\d{{1,9}}) ({_HEADER}.*)")
_HELP = "take the snapshot again, to its line `end`"


class Line(Struct, frozen=True):
    """One line's first word, the rest, and where it stands in the file."""

    word: str
    rest: str
    place: Span


def lines(text: str, file: str) -> list[Line]:
    """The lines between header and `end`, both left out; Unreadable for what is not a whole snapshot."""
    if len(text) > LIMIT:
        raise unreadable(file, f"the text has {len(text)} characters, and a snapshot at most {LIMIT}")
    found: list[Line] = []
    damage: Unreadable | None = None
    for row, raw in _rows(text):
        # What firmware printed without a line's end may stand before the first line.
        match = _LINE.fullmatch(raw) if found else _FIRST.search(raw)
        if match is None:
            continue
        place = Span(file, row, match.start() + 1, row, len(raw) + 1)
        number, length, body = int(match[1]), int(match[2]), match[3]
        wanted = len(found) + 1
        if number < wanted:
            continue
        if number > wanted:
            missing = f"lines {wanted} to {number - 1} of the snapshot are missing"
            raise damage or unreadable(place, missing, help=_HELP)
        if length != len(body):
            damaged = f"line {number} of the snapshot has {len(body)} characters instead of {length}"
            damage = unreadable(place, damaged, help=_HELP)
            continue
        word, _, rest = body.partition(" ")
        found.append(Line(word, rest, place))
        if number == 1:
            _check_version(found[0])
        elif word == "end":
            _check_sections(found)
            return found[1:-1]
    raise damage or _cut(found, file)


def _rows(text: str) -> list[tuple[int, str]]:
    """The text's lines without noise, each with the number it has in the file."""
    clean: list[tuple[int, str]] = []
    text, number, at = _ESCAPE.sub("", text), 1, 0
    pending, first = "", 1
    for match in [*_PRINTK.finditer(text), None]:
        piece = text[at : match.start() if match else len(text)]
        *whole, rest = piece.split("\n")
        for row in whole:
            clean.append((first, pending + row))
            number += 1
            pending, first = "", number
        pending += rest
        if match is not None:
            number += match[1].count("\n")
            at = match.end()
            first = first if pending else number
    clean.append((first, pending))
    return clean


def _check_version(line: Line) -> None:
    if line.rest != str(VERSION):
        raise unreadable(
            line.place,
            f"a snapshot of version {line.rest}, and this program reads version {VERSION}",
            help="take it with the script that `rootplex capture` prints",
        )


def _check_sections(found: list[Line]) -> None:
    missing = _missing(found)
    if missing:
        raise unreadable(found[-1].place, f"the snapshot has no section {', '.join(missing)}", help=_HELP)


def _cut(found: list[Line], file: str) -> Unreadable:
    if not found:
        return unreadable(file, f"not a snapshot: it has no line `{_HEADER}{VERSION}`", help=_HELP)
    sections = [line.rest for line in found if line.word == "section"]
    where = f"in its section {sections[-1]}" if sections else "behind its first line"
    lacks = f"without {', '.join(_missing(found) or ['its line `end`'])}"
    return unreadable(found[-1].place, f"the snapshot is cut off {where}, {lacks}", help=_HELP)


def _missing(found: list[Line]) -> list[str]:
    have = {line.rest for line in found if line.word == "section"}
    return [section for section in SECTIONS if section not in have]
