"""ACPICA as the oracle: tables as `iasl -d` prints them, AML as `acpiexec` evaluates it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rootplex.tools.runner import private_folder, run

_FIELD = re.compile(r"^\[([0-9A-F]+)h [0-9]+\s+(\d+)\]\s+(.*?) : (.*)$")
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
    found = (_FIELD.match(line) for line in text.splitlines())
    return [Field(int(each[1], 16), int(each[2]), each[3].strip(), each[4].strip()) for each in found if each]


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
