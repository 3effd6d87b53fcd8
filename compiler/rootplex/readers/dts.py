"""Device tree source to a blob, through `dtc`: `fdt`'s own parser loses nodes without an error."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TypeAlias

from rootplex.readers.includes import SIZE_LIMIT, Includes, Line, folder_of, place_in
from rootplex.readers.preprocessing import preprocessed
from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import FilePlace, Span
from rootplex.tools.runner import TooSlowError, private_folder, run

SECONDS = 8.0

Lines: TypeAlias = list[Line]

_WORD = re.compile(r"/(?:include|incbin)/")
_TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]*+ | /\*(?:[^*]++|\*(?!/))*+(?:\*/)? )
    | (?P<string> "(?:[^"\\]++|\\[^\n])*+"? | '(?:[^'\\]++|\\.)*+'? )
    | /(?:include|incbin)/
    """,
    re.VERBOSE | re.DOTALL,
)
"""What can hold dtc's words for other files (dtc-lexer.l), and those words where nothing holds them."""
_INCLUDED = re.compile(r'[ \t\n]*"([^"\n]*)"')
_DIRECTIVE = re.compile(r"^[ \t]*(?P<word>#[ \t]*(?:include|define|undef|if|ifdef|ifndef))\b", re.MULTILINE)
_COMPLAINT = re.compile(
    r"(?:Error: )?<stdin>:(?P<line>\d+)\.(?P<column>\d+)(?:-(?:(?P<end_line>\d+)\.)?(?P<end_column>\d+))?"
    r"(?:: (?:FATAL )?ERROR \(\w+\))?:? (?P<text>.*)"
)


def compile_dts(text: str, file: str, folders: Sequence[str] = (), *, symbols: bool = False) -> bytes:
    """The blob that `dtc` makes of a source text; `file` names it in places. With `folders` it may include
    files that lie in them or beside it, and goes through the C preprocessor first. With `symbols` the blob
    tells its labels, so that overlays can be applied.

    Unreadable with `dtc`'s first complaint at its line; for text that includes other files though no folder
    is named, and for `/incbin/`. ToolError where `dtc` or `cpp` is missing.
    """
    if len(text) > SIZE_LIMIT:
        raise unreadable(file, f"device tree source of more than {SIZE_LIMIT >> 20} MiB")
    lines: Lines | None = None
    if folders:
        lines = _whole(text, file, Includes(file, folders))
        text = "\n".join(line.text for line in lines)
    text = _alone(text, file, lines)
    if lines is None and (directive := _DIRECTIVE.search(_TOKEN.sub(_blank, text))):
        raise _unprocessed(text, directive, file)
    with private_folder() as folder:
        command = ["dtc", "-q", *(["-@"] if symbols else []), "-I", "dts", "-O", "dtb", "-o", "out.dtb", "-"]
        try:
            outcome = run(command, cwd=folder, stdin=text.encode(), seconds=SECONDS)
        except TooSlowError as error:
            raise unreadable(file, str(error)) from None
        blob = folder / "out.dtb"
        if outcome.status == 0 and blob.is_file():
            return blob.read_bytes()
    raise _complaint(outcome.stderr, file, lines)


def included_by(text: str, file: str, folders: Sequence[str]) -> tuple[Path, ...]:
    """The files that a source includes, as far as it can be read."""
    includes = Includes(file, folders)
    with suppress(Unreadable):
        _whole(text, file, includes)
    return tuple(dict.fromkeys(includes.taken))


def _whole(text: str, file: str, includes: Includes) -> list[Line]:
    """The lines of a source with all that it includes."""
    return _included(preprocessed(text, file, includes), includes)


def _included(lines: list[Line], includes: Includes, around: tuple[Path, ...] = ()) -> list[Line]:
    """The lines with the files that `/include/` names in place of it, as dtc reads them."""
    text = "\n".join(line.text for line in lines)
    if not _WORD.search(text):
        return lines
    starts = [0, *accumulate(len(line.text) + 1 for line in lines)]
    found: list[Line] = []
    done = 0  # characters
    for token in _TOKEN.finditer(text):
        if token[0] != "/include/" or token.start() < done:
            continue
        named = _INCLUDED.match(text, token.end())
        at = lines[bisect_right(starts, token.start()) - 1]
        if named is None:
            raise unreadable(at.span(), "/include/ without a file's name")
        found += _cut(lines, starts, done, token.start())
        path = includes.find(named[1], at, quoted=True)
        if path.resolve() in around:
            raise unreadable(at.span(), f"{path} includes itself")
        within = (*around, path.resolve())
        found += _included(includes.read(path, at, len(within)), includes, within)
        done = named.end()
    return found + _cut(lines, starts, done, len(text))


def _cut(lines: list[Line], starts: list[int], first: int, last: int) -> list[Line]:
    """The lines of these characters; the first and the last may be parts of lines."""
    found = []
    for index in range(bisect_right(starts, first) - 1, len(lines)):
        line, start = lines[index], starts[index]
        if start > last:
            break
        part = line.text[max(0, first - start) : last - start]
        found.append(line if part == line.text else Line(part, line.file, line.number, line.written))
    return found


def _alone(text: str, file: str, lines: Lines | None) -> str:
    """The text without `/include/` and `/incbin/`; unreadable where one is a token.

    dtc opens whatever file they name. Those in comments and strings mean nothing and are hidden: so
    dtc never sees the words, even where it should part the text into other tokens than we do.
    """

    def hidden(token: re.Match[str]) -> str:
        if token["comment"]:
            return _WORD.sub(lambda word: " " * len(word[0]), token[0])
        if token["string"]:
            return _WORD.sub(lambda word: word[0].replace("/", "\\x2f"), token[0])
        raise _includes(text, token, file, lines)

    if not _WORD.search(text):
        return text
    alone = _TOKEN.sub(hidden, text)
    word = _WORD.search(alone)
    if word:
        raise _includes(alone, word, file, lines)
    return alone


def _blank(token: re.Match[str]) -> str:
    """A comment or string as spaces, its lines kept."""
    return re.sub(r"[^\n]", " ", token[0])


def _unprocessed(text: str, directive: re.Match[str], file: str) -> Unreadable:
    """Source of the kernel's kind, which goes through the C preprocessor first."""
    line = text.count("\n", 0, directive.start("word")) + 1
    column = directive.start("word") - text.rfind("\n", 0, directive.start("word"))
    return unreadable(
        Span(file, line, column, line, column + len(directive["word"])),
        f"device tree source that is to go through the C preprocessor: it has {directive['word']}",
        help=_naming(file),
    )


def _includes(text: str, word: re.Match[str], file: str, lines: Lines | None) -> Unreadable:
    line = text.count("\n", 0, word.start()) + 1
    column = word.start() - text.rfind("\n", 0, word.start())
    place = _span(file, lines, (line, column), (line, column + len(word[0])))
    by_hand = "compile it with dtc where its includes are, and give the .dtb"
    help_ = by_hand if word[0] == "/incbin/" else f"{_naming(file)}, or {by_hand}"
    return unreadable(place, "device tree source includes another file", help=help_)


def _naming(file: str) -> str:
    folder = folder_of(file)
    return f"name the folders that its includes are in with -I (`-I {folder}` for those beside it)"


def _span(file: str, lines: Lines | None, first: tuple[int, int], last: tuple[int, int]) -> Span:
    """From a line and column of what dtc read to another, in the file that has it."""
    return Span(file, *first, *last) if lines is None else place_in(lines, first, last)


def _complaint(stderr: str, file: str, lines: Lines | None) -> Unreadable:
    """dtc's first complaint, at its place where it names one."""
    said = stderr.splitlines()
    found = next(filter(None, map(_COMPLAINT.match, said)), None)
    if found is None:
        return unreadable(FilePlace(file), f"dtc: {said[0] if said else 'refused without saying why'}")
    line, column = int(found["line"]), int(found["column"])
    last = int(found["end_line"] or line), int(found["end_column"] or column) + 1
    return unreadable(_span(file, lines, (line, column), last), f"dtc: {found['text']}")
