"""ACPICA as the oracle: tables that `iasl` made, as `iasl -d` prints them, AML as `acpiexec` evaluates it.

The text of data tables is not the same in every release; what differs stands here and nowhere else.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from rootplex.readers.acpi.header import Table, read_table
from rootplex.tools.runner import private_folder, run

needs_iasl = pytest.mark.skipif(shutil.which("iasl") is None, reason="needs iasl")
needs_acpiexec = pytest.mark.skipif(
    shutil.which("acpiexec") is None or shutil.which("iasl") is None, reason="needs iasl and acpiexec"
)

# `[024h 0036   4]` by release 20200925, `[024h 0036 004h]` by 20250404.
_FIELD = re.compile(r"\[([0-9A-F]+)h [0-9]+ +(?:([0-9]+)|([0-9A-F]+)h)\] +(.*?) : (.*)")
_RESULT = re.compile(r"^Evaluation of (\S+) (returned object|failed with status|returned no).*$")
_INTEGER = re.compile(r"\[Integer\] = ([0-9A-F]+)")
_STRING = re.compile(r'\[String\] Length [0-9A-F]+ = "(.*)"')
_BUFFER = re.compile(r"\[Buffer\] Length ([0-9A-F]+) =")
_BYTES = re.compile(r"[0-9A-F]{4}: ((?:[0-9A-F]{2} )+)")
_PACKAGE = re.compile(r"\[Package\] Contains (\d+) Elements")


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a disassembled table."""

    offset: int
    size: int
    name: str
    text: str

    @property
    def number(self) -> int:
        return int(self.text.split()[0], 16)


def fields(table: bytes) -> list[Field]:
    """The fields of a data table, in order."""
    with private_folder() as folder:
        (folder / "table.dat").write_bytes(table)
        outcome = run(["iasl", "-d", "table.dat"], cwd=folder)
        assert outcome.status == 0, outcome.stderr
        text = (folder / "table.dsl").read_text()
    assert "Invalid" not in text
    assert "checksum" not in (outcome.stdout + outcome.stderr).lower()
    return [found for line in text.splitlines() if (found := field(line))]


def field(line: str) -> Field | None:
    """The field that a line of a disassembled table holds, if it holds one."""
    found = _FIELD.fullmatch(line)
    if found is None:
        return None
    offset, decimal, hexadecimal, name, text = found.groups()
    return Field(int(offset, 16), int(decimal or int(hexadecimal, 16)), name.strip(), text.strip())


def structures(listed: list[Field], first: str) -> Iterator[dict[str, Field]]:
    """The fields cut before each one called `first`; of equal names within a cut the first counts."""
    current: dict[str, Field] | None = None
    for field in listed:
        if field.name == first:
            if current is not None:
                yield current
            current = {}
        if current is not None:
            current.setdefault(field.name, field)
    if current is not None:
        yield current


def evaluate(aml: bytes, *expressions: str) -> list[object]:
    """What each expression (a path, with arguments as acpiexec takes them) evaluates to.

    Integers, strings, buffers (bytes) and packages (lists); None where there is no such object.
    """
    script = "; ".join([*(f"Evaluate {each}" for each in expressions), "quit"])
    with private_folder() as folder:
        (folder / "table.aml").write_bytes(aml)
        outcome = run(["acpiexec", "-di", "-to", "2", "-b", script, "table.aml"], cwd=folder)
    blocks = re.split(r"^Evaluating ", outcome.stdout, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(expressions), outcome.stdout
    return [_value(block) for block in blocks]


def names(aml: bytes, segment: str) -> dict[str, object]:
    """Every object of that name in the namespace, by path."""
    with private_folder() as folder:
        (folder / "table.aml").write_bytes(aml)
        script = f"All {segment}; quit"
        outcome = run(["acpiexec", "-di", "-to", "2", "-b", script, "table.aml"], cwd=folder)
    blocks = re.split(r"^Evaluation of ", outcome.stdout, flags=re.MULTILINE)[1:]
    return {block.split()[0].replace("_SB_.", "_SB."): _value(block) for block in blocks}


def _value(block: str) -> object:
    if "AE_NOT_FOUND" in block:
        return None
    lines = iter(block.splitlines())
    for line in lines:
        if line.lstrip().startswith("["):
            return _object(line, lines)
    raise AssertionError(block)


def _object(line: str, lines: Iterator[str]) -> object:
    if match := _INTEGER.search(line):
        return int(match[1], 16)
    if match := _STRING.search(line):
        return match[1].replace('\\"', '"').replace("\\\\", "\\")
    if match := _PACKAGE.search(line):
        return [_object(next(lines), lines) for _ in range(int(match[1]))]
    match = _BUFFER.search(line)
    assert match, line
    length, data = int(match[1], 16), b""
    while True:
        if row := _BYTES.search(line):
            data += bytes.fromhex(row[1])
        if len(data) >= length:
            return data
        line = next(lines)


def compiled(source: str, name: str = "x") -> Table:
    """The table that iasl makes of a source: ASL, or the fields of a data table as 20200925 prints them.

    Later ones want a `_HID` or an `_ADR` in every ASL device.
    """
    with private_folder() as folder:
        (folder / "in.asl").write_text(_for_this_iasl(source))
        outcome = run(["iasl", "-p", "out", "in.asl"], cwd=folder)
        assert outcome.status == 0, outcome.stdout + outcome.stderr
        return read_table((folder / "out.aml").read_bytes(), name)


@cache
def template(signature: str) -> str:
    """The source of iasl's own example of a data table."""
    with private_folder() as folder:
        run(["iasl", "-T", signature], cwd=folder)
        return (folder / f"{signature.lower()}.asl").read_text()


def header(signature: str, revision: int = 0) -> str:
    """The fields of a table header; iasl corrects length and checksum."""
    return f'''[0004] Signature : "{signature}"
[0004] Table Length : 00000000
[0001] Revision : {revision:02X}
[0001] Checksum : 00
[0006] Oem ID : "VENDOR"
[0008] Oem Table ID : "BOARD   "
[0004] Oem Revision : 00000001
[0004] Asl Compiler ID : "INTL"
[0004] Asl Compiler Revision : 20200925
'''


_IORT, _DMAR = r'Signature : "(IORT)"', r'Signature : "(DMAR)"'
_SINCE = (
    (
        _IORT + r".*\n.*\n.*Revision : 0[^0]",
        "Identifier :",
        r"(Type : ..\n.*Length : .*\n.*Revision : ..\n.*)Reserved :",
        r"\1Identifier :",
    ),
    (_IORT, "DeviceID Valid", r"(.*Proximity Domain Valid : .*\n)", r"\1DeviceID Valid : 0\n"),
    (_IORT, "Ensured Coherency", r"(.*Device Attribute : .*\n)", r"\1Ensured Coherency of Accesses : 0\n"),
    (
        _IORT,
        "PASID Capabilities",
        r"\[0003\] +Reserved : 000000\n",
        "[0002] PASID Capabilities : 0000\n[0001] Reserved : 00\n",
    ),
    (
        _DMAR,
        "Size (pages, log2)",
        r"(.*\[Hardware Unit Definition\]\n.*\n\[0001\] +Flags : .*\n)\[0001\] +Reserved : 00\n",
        r"\1[0001] Size (decoded below) : 00\nSize (pages, log2) : 0\n",
    ),
)
"""What later releases ask for: in which tables, how the field is called, after or in place of what, what."""


def _for_this_iasl(source: str) -> str:
    """A source with the fields that the installed iasl wants and 20200925 did not know, all of them 0."""
    for table, name, before, after in _SINCE:
        found = re.search(table, source)
        if found and name not in source and name in template(found[1]):
            source = re.sub(before, after, source)
    return source
