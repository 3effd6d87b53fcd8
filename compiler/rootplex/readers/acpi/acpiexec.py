"""One session of `acpiexec`, ACPICA's interpreter: commands in, what the objects evaluate to out.

Commands go in through standard input (its batch option takes 1,024 characters). Two bits of the
console's debug level matter: 0x2000, without which buffers over 16 bytes are not printed by `All`;
0x800, with which each access to an operation region is. Lengths print in hexadecimal.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rootplex.readers.acpi.header import Table
from rootplex.source.finding import unreadable
from rootplex.source.place import FilePlace
from rootplex.tools.runner import ToolError, path_of, private_folder, run_until

LOOP_SECONDS = 2
SESSION_SECONDS = 60.0
TABLES_LIMIT = 513
"""A machine's 512, and the one that asks."""
DEPTH_LIMIT = 32

AmlObject: TypeAlias = "int | str | bytes | tuple[AmlObject, ...] | None"
"""An integer, string, buffer, package, or None for what has no value (a device, a region)."""

# On `quit` it takes up to 100 ms to end its threads. So we end it when it has echoed a last word, which
# AML cannot print (its strings to the debug object come out as they are). The answer to `help` behind
# it is longer than a buffer of output, so all that went before has been written.
_FLUSH = "help"

# POST codes go to this port; nothing comes back from it.
_POST_PORT = ("SystemIO", 0x80)

_ALL_RESULT = re.compile(r"(\\\S*)\s+returned (AE_\w+)$")
_VALUE = re.compile(r"Evaluation of (\\\S*) returned object ")
_FAILED = re.compile(r"Evaluation of (\\\S*) failed with status (AE_\w+)")
_FOUND = re.compile(r"\s*(\\\S+)\s+\w+\s+0x[0-9a-f]+ ")
_ACCESS = re.compile(r"AeRegionHandler\s*: Operation Region request on (\w+) at (0x[0-9A-Fa-f]+)")
_OBJECT = re.compile(r"\s*\[(?P<type>[^\]]+)\](?P<rest>.*)")
_BYTES = re.compile(r"\s*[0-9A-F]{4,}: (?P<bytes>(?:[0-9A-F]{2} )+)")
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_REFERENCE = re.compile(r"<Node>\s+Name (\S+)")


class Evaluation(Struct, frozen=True):
    """One object evaluated: its path, `AE_OK` or why not, its value, and which operation regions
    the evaluation touched (their space and first address), in order."""

    path: str
    status: str
    value: AmlObject
    touched: tuple[str, ...]


class Session(Struct, frozen=True):
    """What a session printed: evaluations by path, in namespace order for each `All`; and the
    paths that `Find` listed."""

    evaluations: dict[str, Evaluation]
    found: frozenset[str]


def run_session(tables: Sequence[Table], commands: Sequence[str], *, fill: int = 0) -> Session:
    """Load the tables (a DSDT and SSDTs, or SSDTs alone) and run commands. `fill` is the byte that
    all memory behind operation regions holds. No `_INI` is run on loading.

    Unreadable: too many tables, or AML that does not finish in a minute. ToolError: no acpiexec.
    """
    program = path_of("acpiexec")
    source = FilePlace(tables[0].file) if tables else FilePlace("")
    if not tables or len(tables) > TABLES_LIMIT:
        raise unreadable(source, f"{len(tables)} AML tables, between 1 and {TABLES_LIMIT - 1} can be read")
    last = os.urandom(8).hex()
    script = "\n".join(("level 2800 console", *commands, last, _FLUSH, "quit", ""))
    with private_folder() as folder:
        names = []
        for index, table in enumerate(tables):
            names.append(f"t{index}.aml")
            (folder / names[-1]).write_bytes(_with_checksum(table))
        options = ["-di", "-to", str(LOOP_SECONDS), "-fv", f"{fill:#x}"]
        try:
            printed = run_until(
                last.encode(),
                [program, *options, *names],
                cwd=folder,
                seconds=SESSION_SECONDS,
                stdin=script.encode(),
            )
        except ToolError as error:
            raise unreadable(source, f"the AML could not be evaluated: {error}") from None
    answers, done, _ = printed.partition(last)
    lines = answers.splitlines()
    # Its prompt and its first answer come from two threads: now and then a line ends between them.
    start = next((at for at, line in enumerate(lines) if line.startswith(("- level", "level"))), None)
    if start is None:
        complaint = next((line for line in lines if "Error" in line or "Could not" in line), "no output")
        raise unreadable(source, f"acpiexec does not load the tables: {complaint.strip()}")
    if not done:
        raise unreadable(source, "acpiexec stopped before it was done")
    return _session(lines[start:])


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


def _session(lines: Sequence[str]) -> Session:
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
    return Session(evaluations, frozenset(found))


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
            count = int(found[1]) if (found := re.match(r"Contains (\d+) Elements", rest)) else 0
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
