"""The lines of a paste without what was put around them on the way: a terminal's escapes, a mail's quotes and
line breaks, a page's fences and entities, a shell's prompt."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import Struct

from rootplex.source.finding import unreadable

LIMIT = 16 << 20
"""Characters of a text that are read: a thousand functions whole."""

LONGEST = 2048
"""Characters of a line; what lies beyond is not looked at."""

_ESCAPE = re.compile(
    r"\x1b\[[0-9;?=]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]{0,256}(?:\x07|\x1b\\)|\x1b[@-Z\\-_c]"
    r"|[\x00-\x08\x0e-\x1f\x7f\ufeff\u200b-\u200f]"
)
_SPACES = str.maketrans({"\xa0": " ", "\u2007": " ", "\u202f": " ", "\v": " ", "\f": " "})
_QUOTED = re.compile(r"(?:> ?)+")
_COMMAND = re.compile(
    r"[#$%>❯]\s*(?:sudo\s+|doas\s+)?(?:lspci|dmesg|journalctl|find|ls|tree|for|cat|grep|readlink|shopt|uname|bash|sh)\b"
)
_PROMPT = re.compile(r"[\w@.:~/\[\]() +-]*")
_PROMPT_ENDS = 120
_FENCE = re.compile(r"\s*(?:```|~~~|\[/?(?:code|quote|spoiler)[^\]]*\]|</?(?:pre|code)>)[\w+-]*\s*")
_CODE = re.compile(r"`([0-9a-fA-F:]{5,11}\.[0-7])`")
_TICKS = re.compile(r"^`(?![-`])|(?<!`)`$")
_BULLET = re.compile(r"^\s{0,20}[*•·-] +(?=[0-9a-fA-F:]{5,13}\.[0-7]\b)")
_WIDEST = 250


class Row(Struct, frozen=True):
    """A line of the paste as it was printed, and the number (from 1) of the line where it begins."""

    number: int
    text: str


def rows(text: str, file: str, begins: Callable[[str], bool]) -> Iterator[Row]:
    """The lines in order; an empty one where the paste has a border (a fence, a prompt). A line that begins
    nothing by `begins`, behind one that does, is the rest of it: something broke the line on the way, in a
    word where the one before fills the width.

    Unreadable for more than 16 MiB.
    """
    if len(text) > LIMIT:
        raise unreadable(file, f"pasted text of more than {LIMIT >> 20} MiB")
    whole = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [_plain(line) for line in whole]
    width = _width(lines)
    held: list[str] = []
    first = last = 0
    for number, line in enumerate(lines, 1):
        if held and line.strip() and not begins(line):
            if sum(map(len, held)) < LONGEST:
                held.append(line if last == width else f" {line.strip()}")
            last = len(line)
            continue
        if held:
            yield Row(first, "".join(held))
        held, first, last = ([line] if line.strip() else []), number, len(line)
        if not held:
            yield Row(number, "")
    if held:
        yield Row(first, "".join(held))


def _plain(line: str) -> str:
    line = _ESCAPE.sub("", line[:LONGEST]).translate(_SPACES).rstrip()
    if line.startswith(">"):
        line = line[_QUOTED.match(line).end() :]  # type: ignore[union-attr]
    if "&" in line:
        line = html.unescape(line)
    if "`" in line:
        line = _TICKS.sub("", _CODE.sub(r"\1", line))
    line = _BULLET.sub(" ", line)
    return "" if _FENCE.fullmatch(line) or _is_command(line) else line


def _is_command(line: str) -> bool:
    """Whether it is a shell's prompt with a command that prints what is read here."""
    found = _COMMAND.search(line, 0, _PROMPT_ENDS)
    return found is not None and _PROMPT.fullmatch(line, 0, found.start()) is not None


def _width(lines: list[str]) -> int:
    """The width at which a terminal broke lines: that of the longest, where several have it."""
    lengths = Counter(map(len, lines))
    widest = max(lengths, default=0)
    return widest if lengths[widest] > 1 and widest <= _WIDEST else 0
