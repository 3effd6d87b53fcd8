"""Device tree source to a blob, through `dtc`: `fdt`'s own parser loses nodes without an error."""

from __future__ import annotations

import re

from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import FilePlace, Span
from rootplex.tools.runner import TooSlowError, private_folder, run

SIZE_LIMIT = 8 << 20
SECONDS = 8.0

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
_DIRECTIVE = re.compile(r"^[ \t]*(?P<word>#[ \t]*(?:include|define|undef|if|ifdef|ifndef))\b", re.MULTILINE)
_COMPLAINT = re.compile(
    r"(?:Error: )?<stdin>:(?P<line>\d+)\.(?P<column>\d+)(?:-(?:(?P<end_line>\d+)\.)?(?P<end_column>\d+))?"
    r"(?:: (?:FATAL )?ERROR \(\w+\))?:? (?P<text>.*)"
)


def compile_dts(text: str, file: str) -> bytes:
    """The blob that `dtc` makes of a source text; `file` names it in places.

    Unreadable with `dtc`'s first complaint at its line; also for text that includes other files,
    since only the text is at hand. ToolError where `dtc` is missing.
    """
    if len(text) > SIZE_LIMIT:
        raise unreadable(file, f"device tree source of more than {SIZE_LIMIT >> 20} MiB")
    text = _alone(text, file)
    directive = _DIRECTIVE.search(_TOKEN.sub(_blank, text))
    if directive is not None:
        raise _unprocessed(text, directive, file)
    with private_folder() as folder:
        command = ["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", "out.dtb", "-"]
        try:
            outcome = run(command, cwd=folder, stdin=text.encode(), seconds=SECONDS)
        except TooSlowError as error:
            raise unreadable(file, str(error)) from None
        blob = folder / "out.dtb"
        if outcome.status == 0 and blob.is_file():
            return blob.read_bytes()
    raise _complaint(outcome.stderr, file)


def _alone(text: str, file: str) -> str:
    """The text without `/include/` and `/incbin/`; unreadable where one is a token.

    dtc opens whatever file they name. Those in comments and strings mean nothing and are hidden: so
    dtc never sees the words, even where it should part the text into other tokens than we do.
    """

    def hidden(token: re.Match[str]) -> str:
        if token["comment"]:
            return _WORD.sub(lambda word: " " * len(word[0]), token[0])
        if token["string"]:
            return _WORD.sub(lambda word: word[0].replace("/", "\\x2f"), token[0])
        raise _includes(text, token, file)

    if not _WORD.search(text):
        return text
    alone = _TOKEN.sub(hidden, text)
    word = _WORD.search(alone)
    if word:
        raise _includes(alone, word, file)
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
        help=f"run `cpp -nostdinc -undef -x assembler-with-cpp -I include {file}` with the kernel's include "
        "folder, and give what it prints",
    )


def _includes(text: str, word: re.Match[str], file: str) -> Unreadable:
    line = text.count("\n", 0, word.start()) + 1
    column = word.start() - text.rfind("\n", 0, word.start())
    return unreadable(
        Span(file, line, column, line, column + len(word[0])),
        "device tree source includes another file",
        help="compile it with dtc where its includes are, and give the .dtb",
    )


def _complaint(stderr: str, file: str) -> Unreadable:
    """dtc's first complaint, at its place where it names one."""
    lines = stderr.splitlines()
    found = next(filter(None, map(_COMPLAINT.match, lines)), None)
    if found is None:
        return unreadable(FilePlace(file), f"dtc: {lines[0] if lines else 'refused without saying why'}")
    line, column = int(found["line"]), int(found["column"])
    place = Span(file, line, column, int(found["end_line"] or line), int(found["end_column"] or column) + 1)
    return unreadable(place, f"dtc: {found['text']}")
