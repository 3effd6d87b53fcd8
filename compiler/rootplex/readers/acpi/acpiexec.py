"""One session of `acpiexec`, ACPICA's interpreter: commands in, what the objects evaluate to out.

Loading the tables is nearly all that a session costs, so one is asked again and again, and given our
own table when it is known what to ask. Commands go in through standard input (its batch option takes
1,024 characters). Two bits of its debug level matter: 0x2000, without which buffers over 16 bytes are not
printed by `All`; 0x800, with which each access to an operation region is. While tables are loaded neither
is set: they print megabytes then. Lengths print in hexadecimal. Its accounts of memory (`-dt`) are off: they
take up to nine tenths of its time (a list is walked for each piece).

What AML itself prints is no answer. It does so by the debug object, whose strings come out as they are,
line ends and all; without bit 1 of the debug level, from the start on, they do not come out
(`AcpiExDoDebugObject`). Answers stand between two words that AML cannot know.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rootplex.readers.acpi.header import Table
from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import FilePlace
from rootplex.tools.runner import Talk, ToolError, TooSlowError, path_of, private_folder, talking

LOOP_SECONDS = 1
BUDGET_SECONDS = 8.0
"""For all sessions about one source: AML waits and loops as long as it likes. Real ones take up to 1.6 s."""
TABLES_LIMIT = 512
"""Of one machine."""
DEPTH_LIMIT = 32

AmlObject: TypeAlias = "int | str | bytes | tuple[AmlObject, ...] | None"
"""An integer, string, buffer, package, or None for what has no value (a device, a region)."""

_LEVEL = "Level 2800 console"
_LOADED = "successfully installed and loaded"

# The answer to `help` is longer than a buffer of output, so all that went before has been written. It is not
# told to quit, which takes it up to 100 ms (to end its threads).
_FLUSH = "help"

# A BreakPoint of AML stops the method, and what follows is read as commands of a debugger.
_BREAK = "**break** Executed AML BreakPoint opcode"

# POST codes go to this port; nothing comes back from it.
_POST_PORT = ("SystemIO", 0x80)

_ALL_RESULT = re.compile(r"(\\\S*)\s+returned (AE_\w+)$")
_VALUE = re.compile(r"Evaluation of (\\\S*) returned object ")
_FAILED = re.compile(r"Evaluation of (\\\S*) failed with status (AE_\w+)")
_FOUND = re.compile(r"\s*(\\\S+)\s+\w+\s+0x[0-9a-f]+ ")
_ACCESS = re.compile(r"AeRegionHandler\s*: Operation Region request on (\w+) at (0x[0-9A-Fa-f]{1,16})")
_OBJECT = re.compile(r"\s*\[(?P<type>[^\]]+)\](?P<rest>.*)")
_BYTES = re.compile(r"\s*[0-9A-F]{4,}: (?P<bytes>(?:[0-9A-F]{2} )+)")
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ELEMENTS = re.compile(r"Contains (\d{1,8}) Elements")
_REFERENCE = re.compile(r"<Node>\s+Name (\S+)")


class Evaluation(Struct, frozen=True):
    """One object evaluated: its path, `AE_OK` or why not, its value, and which operation regions
    the evaluation touched (their space and first address), in order."""

    path: str
    status: str
    value: AmlObject
    touched: tuple[str, ...]


class Answers(Struct, frozen=True):
    """What the interpreter printed: evaluations by path, in namespace order for each `All`; and the
    paths that `Find` listed."""

    evaluations: dict[str, Evaluation]
    found: frozenset[str]


def budget() -> float:
    """When the time for one source's sessions ends, on the clock of `time.monotonic`."""
    return time.monotonic() + BUDGET_SECONDS


class Session:
    """An interpreter that has loaded a machine's tables."""

    def __init__(self, talk: Talk, folder: Path, source: FilePlace) -> None:
        self._talk = talk
        self._folder = folder
        self._source = source

    def answers(self, *commands: str) -> Answers:
        """What the interpreter says to these commands. Unreadable: AML that does not end in time or that
        stops, and where it did not load the tables."""
        return _read(self._lines(commands))

    def load(self, table: Table) -> None:
        """Add a table of ours to those of the machine; Unreadable where the interpreter refuses."""
        (self._folder / "more.aml").write_bytes(_with_checksum(table))
        if not any(line.endswith(_LOADED) for line in self._lines(["Load more.aml"])):
            raise unreadable(self._source, "acpiexec loads no table beside the machine's own")

    def _lines(self, commands: Sequence[str]) -> list[str]:
        first, last = os.urandom(8).hex(), os.urandom(8).hex()
        script = "\n".join((first, _LEVEL, *commands, last, _FLUSH, ""))
        try:
            printed = self._talk.say(script.encode(), last.encode())
        except TooSlowError:
            raise _too_slow(self._source) from None
        except ToolError as error:
            raise unreadable(self._source, f"the AML could not be evaluated: {error}") from None
        # It prompts before its second thread is ready, and a line of that one may end amid the echo of the
        # first word; but not amid its answer, which has the word in capitals.
        before, begun, answers = printed.partition(f"{first.upper()}: ")
        if not begun:
            complaints = (line for line in before.splitlines() if "Error" in line or "Could not" in line)
            raise unreadable(
                self._source, f"acpiexec does not load the tables: {next(complaints, 'no output').strip()}"
            )
        answers, done, _ = answers.partition(last)
        lines = answers.splitlines()
        if _BREAK in lines:
            raise unreadable(self._source, "the AML could not be evaluated: it stops at a BreakPoint")
        if not done:
            raise unreadable(self._source, "acpiexec stopped before it was done")
        return lines


@contextmanager
def session(tables: Sequence[Table], *, fill: int = 0, until: float | None = None) -> Iterator[Session]:
    """An interpreter with these tables loaded (a DSDT and SSDTs, or SSDTs alone). `fill` is the byte that
    all memory behind operation regions holds; `until` is the source's `budget`, by default one of its own.
    No `_INI` is run on loading.

    Unreadable: too many tables, a budget that is spent. ToolError: no acpiexec.
    """
    path_of("acpiexec")
    source = FilePlace(tables[0].file) if tables else FilePlace("")
    if not tables or len(tables) > TABLES_LIMIT:
        raise unreadable(source, f"{len(tables)} AML tables, between 1 and {TABLES_LIMIT} can be read")
    left = (budget() if until is None else until) - time.monotonic()
    if left <= 0:
        raise _too_slow(source)
    with private_folder() as folder:
        names = []
        for index, table in enumerate(tables):
            names.append(f"t{index}.aml")
            (folder / names[-1]).write_bytes(_with_checksum(table))
        options = ["-di", "-dt", "-x", "0", "-to", str(LOOP_SECONDS), "-fv", f"{fill:#x}"]
        with talking(["acpiexec", *options, *names], cwd=folder, seconds=left) as talk:
            yield Session(talk, folder, source)


def _too_slow(source: FilePlace) -> Unreadable:
    return unreadable(source, f"the AML does not come to an end: it was given {BUDGET_SECONDS:g} seconds")


def _with_checksum(table: Table) -> bytes:
    """The table with a right checksum: Linux only warns of a wrong one, acpiexec refuses it."""
    if table.checksum_ok:
        return table.data
    body = bytearray(table.data)
    body[9] = 0
    body[9] = -sum(body) & 0xFF
    return bytes(body)


def plain(path: str) -> str:
    """A path without the underscores that pad its names: `\\_SB_.PCI0` is `\\_SB.PCI0`."""
    return "\\" + ".".join(name.rstrip("_") or "_" for name in path.lstrip("\\").split("."))


def _read(lines: Sequence[str]) -> Answers:
    evaluations: dict[str, Evaluation] = {}
    found: set[str] = set()
    touched: dict[str, None] = {}
    pending: Evaluation | None = None
    finding = False
    at = 0

    def keep(path: str, status: str, value: AmlObject = None) -> None:
        name = plain(path)
        evaluations.setdefault(name, Evaluation(name, status, value, tuple(touched)))
        touched.clear()

    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("- "):
            finding = line.startswith("- Find")
            touched.clear()
        elif access := _ACCESS.search(line):
            if (access[1], int(access[2], 16)) != _POST_PORT:
                touched.setdefault(f"{access[1]} at {access[2]}")
        elif result := _ALL_RESULT.match(line):
            # `All` prints the outcome of an evaluation, then its value, if there is one.
            name = plain(result[1])
            pending = evaluations.setdefault(name, Evaluation(name, result[2], None, tuple(touched)))
            touched.clear()
        elif value := _VALUE.match(line):
            parsed, at = _object(lines, at, 0)
            name = plain(value[1])
            if pending is not None and pending.path == name:
                evaluations[name] = replace(pending, value=parsed)
                pending = None
            else:
                keep(value[1], "AE_OK", parsed)
        elif failed := _FAILED.match(line):
            keep(failed[1], failed[2])
        elif finding and (listed := _FOUND.match(line)):
            found.add(plain(listed[1]))
    return Answers(evaluations, frozenset(found))


def _object(lines: Sequence[str], at: int, depth: int) -> tuple[AmlObject, int]:
    """The object printed from line `at` on, and the line after it."""
    if at == len(lines):
        return None, at
    indent, integer, digits = lines[at].partition("[Integer] = ")
    if integer and indent.isspace():  # nearly every line of a `_PRT`
        return _integer(digits), at + 1
    head = _OBJECT.match(lines[at])
    if head is None:
        return None, at
    at += 1
    rest = head["rest"].strip()
    match head["type"]:
        case "String":
            return _string(rest), at
        case "Buffer":
            return _buffer(lines, at, rest)
        case "Package":
            count = int(found[1]) if (found := _ELEMENTS.match(rest)) else 0
            elements: list[AmlObject] = []
            while len(elements) < count and depth < DEPTH_LIMIT:
                before = at
                element, at = _object(lines, at, depth + 1)
                if at == before:
                    break
                elements.append(element)
            return tuple(elements), at
        case "Object Reference":
            name = _REFERENCE.search(rest)
            return (name[1] if name else None), at
    return None, at


def _buffer(lines: Sequence[str], at: int, rest: str) -> tuple[bytes, int]:
    """`Length 12 = ` and rows of 16 bytes, the first on the same line where it is the only one."""
    length_text, _, inline = rest.partition("=")
    length = _integer(length_text.removeprefix("Length")) or 0
    data = bytearray()
    row = _BYTES.match(inline)
    while True:
        if row is not None:
            data += bytes.fromhex(row["bytes"])
        if len(data) >= length or at == len(lines):
            break
        row = _BYTES.match(lines[at])
        if row is None:
            break
        at += 1
    return bytes(data[:length]), at


def _integer(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _string(text: str) -> str:
    """`Length 05 = "abc"`, what is not plain text in it escaped as in C (`AcpiUtPrintString`)."""
    quoted = re.search(r'= "(.*)"', text)
    return re.sub(r"\\(?:x([0-9A-F]{2})|(.))", _unescaped, quoted[1]) if quoted else ""


def _unescaped(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    return chr(int(code, 16)) if code else _LETTERS.get(letter, letter)
