"""Device tree source of the kernel's kind, through the C preprocessor.

`cpp` opens whatever file it is told to, so it is told of none: what a source includes is put in its place
here (C11 §5.1.1.2, translation phases 2 to 4), and cpp gets one text, without comments and spliced lines, in
which no directive names a file. The words that look for files without one are poisoned (GCC's manual,
Pragmas). A line that may not be followed becomes an `#error`: that counts where no condition leaves it out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from rootplex.readers.includes import Includes, Line
from rootplex.source.finding import Unreadable, unreadable
from rootplex.tools.runner import TooMuchError, TooSlowError, private_folder, run

SECONDS = 8.0
COMMAND = ("cpp", "-nostdinc", "-undef", "-w", "-x", "assembler-with-cpp", "-")
"""As scripts/Makefile.lib of the kernel has it (`dtc_cpp_flags`)."""

_POISON = "#pragma GCC poison _Pragma __has_include __has_include_next __has_embed"
_SPLICE = re.compile(r"\\[ \t\f\v]*\Z")
_COMMENT_OR_STRING = re.compile(r"""//.*|/\*.*?(?:\*/|\Z)|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?""")
_DIRECTIVE = re.compile(
    r"[ \t\f\v]*#[ \t\f\v]*(?:(?P<word>[A-Za-z_]\w*)(?P<rest>.*)|(?P<marker>[0-9].*))?", re.ASCII
)
_NAMED = re.compile(r'[ \t\f\v]*(?:"(?P<quoted>[^"]*)"|<(?P<angled>[^>]*)>)')
_REFUSED = ("include_next", "import", "embed", "pragma")
"""Directives that open files, too."""
_WITHOUT_MEANING = ("line", "ident", "sccs", "assert", "unassert")
_DEEPER = {"if": 1, "ifdef": 1, "ifndef": 1, "endif": -1}
_ONCE = re.compile(r"[ \t]*#[ \t]*pragma[ \t]+once[ \t]*\Z")
_GUARD = re.compile(r"[ \t]*#[ \t]*ifndef[ \t]+(\w+)\s*\n\s*#[ \t]*define[ \t]+\1\b")
_MARKER = re.compile(r'# (?P<line>\d+) "<(?P<name>[a-z-]+)>"')
_ERROR = re.compile(r"<stdin>:(?P<line>\d+):\d+: (?:fatal )?error: (?P<text>.*)")


def preprocessed(text: str, file: str, includes: Includes) -> list[Line]:
    """The lines that cpp makes of a source and of what it includes.

    Unreadable, at the line of the file that has it: an include that may not be followed, an `#error`,
    whatever else cpp refuses. ToolError where cpp is missing.
    """
    flat = _Flat(includes)
    flat.add(Path(file).resolve(), includes.begin(text))
    given = "\n".join((_POISON, *(line.text for line in flat.lines), ""))
    with private_folder() as folder:
        try:
            outcome = run(COMMAND, cwd=folder, stdin=given.encode("utf-8", "replace"), seconds=SECONDS)
        except (TooSlowError, TooMuchError) as error:
            raise unreadable(file, str(error)) from None
    if outcome.status != 0:
        raise flat.complaint(outcome.stderr, file)
    return list(flat.mapped(outcome.stdout))


class _Flat:
    """All files in one, in which includes are replaced by what they include."""

    def __init__(self, includes: Includes) -> None:
        self.lines: list[Line] = []
        self._includes = includes
        self._faults: dict[int, Unreadable] = {}
        self._around: dict[Path, list[Line]] = {}
        """The files around the next line, outermost first."""

    def add(self, file: Path, lines: list[Line]) -> None:
        """One file's lines."""
        self._around[file] = lines
        depth = 0
        for row, count in _logical(lines):
            found = _DIRECTIVE.match(row.text)
            word = found["word"] if found else None
            if found is not None and found["marker"] is not None:
                self._put("", row)  # `# 1 "file"`: places are ours
            elif word in _WITHOUT_MEANING or _is_once(row):
                self._put("", row)
            elif found is not None and word == "include":
                self._include(found["rest"], row)
            elif word in _REFUSED:
                self._fault(unreadable(row.span(), f"#{word} is not followed in a device tree source"), row)
            else:
                depth += _DEEPER.get(word or "", 0)
                if depth < 0:
                    raise unreadable(row.span(), "#endif without #if in this file")
                self.lines.append(row)
            for _ in range(count - 1):
                self._put("", row)
        if depth:
            raise unreadable(lines[-1].span(), "an #if of this file has no #endif")
        del self._around[file]

    def _include(self, rest: str, row: Line) -> None:
        named = _NAMED.match(rest)
        try:
            if named is None:
                raise unreadable(row.span(), "an #include that names its file by a macro is not followed")
            quoted = named["quoted"] is not None
            path = self._includes.find(named["quoted" if quoted else "angled"], row, quoted=quoted)
            real = path.resolve()
            if real in self._around:
                if not _is_guarded(self._around[real]):
                    raise unreadable(row.span(), f"{path} includes itself")
                self._put("", row)  # the guard would leave all of it out
                return
            lines = self._includes.read(path, row, len(self._around))
        except Unreadable as error:
            self._fault(error, row)
            return
        once = any(map(_is_once, lines))
        if once:  # as a guard, so that a condition around it holds too
            guard = f"rootplex_once_{os.fsencode(real).hex()}"
            self._put(f"#ifndef {guard}", row)
            self._put(f"#define {guard}", row)
        self.add(real, lines)
        if once:
            self._put("#endif", row)

    def _fault(self, error: Unreadable, row: Line) -> None:
        """It is told where cpp comes to the line."""
        self._put("#error", row)
        self._faults[len(self.lines)] = error

    def _put(self, text: str, row: Line) -> None:
        self.lines.append(Line(text, row.file, row.number, row.written))

    def complaint(self, stderr: str, file: str) -> Unreadable:
        """cpp's first complaint, at its line."""
        found = next(filter(None, map(_ERROR.match, stderr.splitlines())), None)
        number = 0 if found is None else int(found["line"]) - 1
        if found is None or not 0 < number <= len(self.lines):
            said = stderr.strip().splitlines()
            return unreadable(file, f"cpp: {said[0] if said else 'refused without saying why'}")
        if number in self._faults:
            return self._faults[number]
        line, text = self.lines[number - 1], found["text"]
        if text.startswith("attempt to use poisoned"):
            return unreadable(
                line.span(), f"{text.split()[-1].strip(chr(34))} is not followed in a device tree source"
            )
        return unreadable(line.span(), f"cpp: {text.removeprefix('#error ')}")

    def mapped(self, output: str) -> Iterator[Line]:
        """cpp's output, each line with the one that it was."""
        number = 0
        for text in output.split("\n"):
            marker = _MARKER.match(text)
            if marker:
                number = int(marker["line"]) - 1 if marker["name"] == "stdin" else 0  # the first line is ours
                continue
            if 0 < number <= len(self.lines):
                origin = self.lines[number - 1]
                yield Line(text, origin.file, origin.number, origin.written)
            number += 1


def _is_once(line: Line) -> bool:
    return _ONCE.match(line.text) is not None


def _is_guarded(lines: list[Line]) -> bool:
    """Whether all of a file is within the condition that it has not been included yet."""
    if any(map(_is_once, lines)):
        return True
    text = "\n".join(row.text for row, _ in _logical(lines)).strip()
    return _GUARD.match(text) is not None and text.rpartition("\n")[2].replace(" ", "").startswith("#endif")


def _logical(lines: list[Line]) -> Iterator[tuple[Line, int]]:
    """Lines without comments and splices, and how many of the file's each was. A directive goes on where a
    comment in it does; of other lines each stays one."""
    at, comment = 0, False
    begun = lines[0]
    while at < len(lines):
        first, parts = at, [""]
        while len(parts) == 1 or (comment and at < len(lines) and _DIRECTIVE.match(parts[1])):
            pieces = [lines[at].text]
            at += 1
            while at < len(lines) and (splice := _SPLICE.search(pieces[-1])):
                pieces[-1] = pieces[-1][: splice.start()]
                pieces.append(lines[at].text)
                at += 1
            text, open_ = _without_comments("".join(pieces).replace("\0", " "), comment)
            begun = begun if comment and open_ else lines[at - 1]
            comment = open_
            parts.append(text)
        text = " ".join(parts)[1:]
        if _SPLICE.search(text):
            text += "/**/"  # it was not at the line's end
        yield Line(text, lines[first].file, lines[first].number, lines[first].written), at - first
    if comment:
        raise unreadable(begun.span(), "a comment without an end")


def _without_comments(text: str, comment: bool) -> tuple[str, bool]:
    """A line's text, which may begin within a comment, and whether it ends within one."""
    if comment:
        _, end, text = text.partition("*/")
        if not end:
            return "", True
        text = f" {text}"
    open_ = False

    def hidden(token: re.Match[str]) -> str:
        nonlocal open_
        if token[0].startswith("/*"):
            open_ = not (token[0].endswith("*/") and len(token[0]) > len("/*/"))
            return " "
        return "" if token[0].startswith("//") else token[0]

    return _COMMENT_OR_STRING.sub(hidden, text), open_
