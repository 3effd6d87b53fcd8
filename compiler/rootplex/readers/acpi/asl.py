"""Tables as text, ASL or the form of `iasl -d` for tables of data, to bytes through `iasl`.

Such text is what people keep and send: disassemblies of a machine's tables, several in one file too. `iasl`
opens what `Include` and the directives of its preprocessor name, so it gets neither. What it holds for errors
of the language many a vendor's table has all the same: it makes the table, and the kernel would take it.
A table of data is taken from the bytes at the end of its text, where they are and its fields agree: older
versions of `iasl` lose fields of IORT that they have printed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import pairwise

from rootplex.readers.acpi.header import TABLES_LIMIT
from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import Span
from rootplex.tools.runner import TooMuchError, TooSlowError, private_folder, run

SIZE_LIMIT = 16 << 20
BUDGET_SECONDS = 8.0
"""For all tables of a source together."""
COMMAND = ("iasl", "-ve", "-vi", "-vs", "-Pn", "-f", "-oa", "-p", "table", "table.dsl")
"""Errors alone and on one line; no preprocessor; a table in spite of errors, with nothing optimized; into a
file of ours, whatever name the text has for it."""

_TABLE = re.compile(
    r"""
      ^[ \t]* DefinitionBlock \s* \( (?:\s* "[^"\n]*" \s* , \s* "(?P<aml>[A-Z0-9_]{4})")?
    | ^[ \t]* (?:\[ [0-9A-F]+h [^\]\n]* \] [ \t]+)? Signature [ \t]* : [ \t]* "(?P<data>[A-Z0-9_]{4})"
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
"""Where a table begins (ACPI 6.5 §19.6.29; ACPICA's dmtbdump.c)."""
_TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]*+ | /\*(?:[^*]++|\*(?!/))*+(?:\*/)? )
    | (?P<string> "(?:[^"\\\n]++|\\.)*+"? )
    """,
    re.VERBOSE | re.DOTALL,
)
_RAW = re.compile(r"^Raw Table Data: Length (?P<length>\d+)", re.MULTILINE)
_ROW = re.compile(r"^ {0,8}(?P<at>[0-9A-F]{4,8}): (?P<bytes>(?:[0-9A-F]{2} ){1,16})", re.MULTILINE)
_FIELD = re.compile(
    r"^\[(?P<at>[0-9A-F]+)h \d+ +(?P<size>[0-9A-F]+)h?\] +(?P<name>.*?) : (?P<value>[0-9A-F]+)$", re.MULTILINE
)
_INCLUDE = re.compile(r"include", re.IGNORECASE)
_COMPLAINT = re.compile(r"table\.dsl\((?P<line>\d+)\) : error +\d+ - +(?P<text>.*)")


def is_asl(data: bytes) -> bool:
    """Whether a text has a line with which a table begins."""
    return b"\0" not in data[:4096] and _TABLE.search(data.decode("latin-1")) is not None


def asl_signature(data: bytes) -> str | None:
    """Which table a text begins with."""
    found = _TABLE.search(data.decode("latin-1"))
    return None if found is None else found["aml"] or found["data"]


def compile_asl(data: bytes, file: str) -> Iterator[bytes]:
    """The tables of a text in its order; `file` names it in places.

    Unreadable, at its line: what `iasl` cannot parse, or a text that includes other files. ToolError where
    `iasl` is missing.
    """
    if len(data) > SIZE_LIMIT:
        raise unreadable(file, f"ASL of more than {SIZE_LIMIT >> 20} MiB")
    text = _alone(data.decode("latin-1").replace("\r\n", "\n"), file)
    blank = _TOKEN.sub(lambda token: re.sub(r"[^\n]", " ", token[0]) if token["comment"] else token[0], text)
    starts = [0, *[found.start() for found in _TABLE.finditer(blank)][1:], len(text)]
    if len(starts) > TABLES_LIMIT:
        raise unreadable(file, f"more than {TABLES_LIMIT} ACPI tables")
    end = time.monotonic() + BUDGET_SECONDS
    for start, stop in pairwise(starts):
        table, lines_before = text[start:stop], text.count("\n", 0, start)
        yield _raw(table, file, lines_before) or _compiled(table, file, lines_before, end - time.monotonic())


def _alone(text: str, file: str) -> str:
    """The text in which `Include` is nowhere, as a word of comments and strings hidden."""

    def hidden(token: re.Match[str]) -> str:
        if token["comment"]:
            return _INCLUDE.sub(lambda word: " " * len(word[0]), token[0])
        return _INCLUDE.sub(lambda word: f"\\x{ord(word[0][0]):02x}{word[0][1:]}", token[0])

    alone = _TOKEN.sub(hidden, text)
    if word := _INCLUDE.search(alone):
        line = alone.count("\n", 0, word.start()) + 1
        column = word.start() - alone.rfind("\n", 0, word.start())
        raise unreadable(
            Span(file, line, column, line, column + len(word[0])),
            "ASL that includes another file",
            help="compile it with iasl where its includes are, and give the .aml",
        )
    return alone


def _raw(text: str, file: str, lines_before: int) -> bytes | None:
    """The bytes at the end of a table of data; None where there are none. Unreadable where a field says
    otherwise: somebody has changed one of the two."""
    begun = _RAW.search(text)
    if begun is None:
        return None
    data = bytearray()
    for row in _ROW.finditer(text, begun.end()):
        if int(row["at"], 16) != len(data):
            break
        data += bytes.fromhex(row["bytes"])
    if len(data) != int(begun["length"]):
        line = lines_before + text.count("\n", 0, begun.start()) + 1
        place = Span(file, line, 1, line, len(begun[0]) + 1)
        raise unreadable(place, f"the raw data of this table has {len(data)} bytes, not {begun['length']}")
    for field in _FIELD.finditer(text, 0, begun.start()):
        at, size, value = int(field["at"], 16), len(field["value"]) // 2, field["value"]
        raw = data[at : at + size][::-1].hex().upper()
        if size == int(field["size"], 16) and raw != value:
            line = lines_before + text.count("\n", 0, field.start()) + 1
            raise unreadable(
                Span(file, line, 1, line, len(field[0]) + 1),
                f"the field {field['name']} is {value} here, and {raw} in the raw data below",
                help="where the fields are meant, take the raw data away",
            )
    return bytes(data)


def _compiled(text: str, file: str, lines_before: int, seconds: float) -> bytes:
    too_slow = unreadable(file, f"iasl did not finish within {BUDGET_SECONDS:g} seconds")
    if seconds <= 0:
        raise too_slow
    with private_folder() as folder:
        (folder / "table.dsl").write_bytes(text.encode("latin-1"))
        try:
            outcome = run(COMMAND, cwd=folder, seconds=seconds)
        except TooSlowError:
            raise too_slow from None
        except TooMuchError as error:
            raise unreadable(file, str(error)) from None
        made = folder / "table.aml"
        if made.is_file():
            return made.read_bytes()
    raise _complaint(outcome.stdout + outcome.stderr, text, file, lines_before)


def _complaint(said: str, text: str, file: str, lines_before: int) -> Unreadable:
    """iasl's first complaint, at its line."""
    found = next(filter(None, map(_COMPLAINT.match, said.splitlines())), None)
    if found is None:
        first = next((line for line in said.splitlines() if line.strip()), "refused without saying why")
        return unreadable(file, f"iasl: {first.strip()}")
    line = int(found["line"])
    rows = text.split("\n")
    end = len(rows[line - 1]) + 1 if 0 < line <= len(rows) else 1
    place = Span(file, lines_before + line, 1, lines_before + line, max(end, 2))
    return unreadable(
        place,
        f"iasl: {found['text'].strip()}",
        help="a table that is disassembled without the others cannot always be read back: take them "
        "together, as with `iasl -e ssdt*.dat -d dsdt.dat`, or give the tables themselves",
    )
