"""ACPI tables from what people keep them in: acpidump's text, tables and disassemblies, folders, archives.

Tables stay in the order of the source (files in natural order: ssdt2 before ssdt10), duplicates
too. What is no table in a folder or archive is passed over; a damaged table is a problem.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, islice, pairwise
from pathlib import Path

from msgspec import Struct

from rootplex.readers.acpi.asl import asl_signature, compile_asl, is_asl
from rootplex.readers.acpi.header import HEADER_SIZE, TABLES_LIMIT, Table, read_table, split_tables
from rootplex.readers.archives import FILES_LIMIT, each_unpacked, is_archive, members
from rootplex.readers.files import LIMIT, as_utf8, bytes_of
from rootplex.readers.problem import Problem
from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import FilePlace

# These have no table header (ACPI 6.5 §5.2.5.3, §5.2.10) and say nothing of PCI.
_HEADERLESS = ("RSD PTR", "RSDP", "FACS", "S3PT", "RSDT", "XSDT")
_AT = " @ 0x"
_SECTION = re.compile(rf"^(?P<name>[ -~]{{1,8}}?){_AT}[0-9A-Fa-f]+[^\S\n]*$", re.MULTILINE)
# The column of characters behind the pairs may begin with digits too.
_HEX_LINE = re.compile(
    r"^[^\S\n]{0,8}([0-9A-Fa-f]{4,8}): ((?:[0-9A-Fa-f]{2}(?: |(?=\r*$))){0,16}+)", re.MULTILINE
)
_PIECE = 1 << 20
_SIGNATURE = re.compile(rb"[A-Z0-9_]{4}")


class TableSet(Struct, frozen=True):
    """All tables of one source, and what could not be read of it."""

    file: str
    tables: tuple[Table, ...]
    problems: tuple[Problem, ...] = ()


def read_tables(path: Path, file: str | None = None) -> TableSet:
    """The tables of a file or folder; `file` names it in places, else its path does.

    Unreadable: nothing there, nothing in it that is a table, or more than 32 MiB.
    """
    name = str(path) if file is None else file
    if path.is_dir():
        return _collected(name, ((f"{name}/{part}", body) for part, body in _folder_files(path, name)))
    if not path.is_file():
        raise unreadable(name, "no such file")
    return tables_of(bytes_of(path, name), name)


def tables_of(data: bytes, file: str) -> TableSet:
    """The tables of a file's bytes: a zip or tar archive, acpidump's text, or tables back to back."""
    data = as_utf8(data)
    if is_archive(data):
        return _collected(file, sorted(_named(data, file), key=_natural))
    if _is_dump_text(data) or is_asl(data):
        return _collected(file, [(file, data)])
    return TableSet(file, split_tables(data, file))


def _is_dump_text(data: bytes) -> bool:
    return _SECTION.search(data[:4096].decode("latin-1")) is not None


def _collected(file: str, files: Iterable[tuple[str, bytes]]) -> TableSet:
    """The tables of several files; each keeps the whole source's name, with its own as a part."""
    tables: list[Table] = []
    problems: list[Problem] = []
    counts: Counter[str] = Counter()
    for name, data in _sources(files):
        for part, body in _bodies(name, data, problems):
            if len(body) < HEADER_SIZE or not _SIGNATURE.match(body) or body[:4] in (b"FACS", b"RSD "):
                continue
            try:
                table = read_table(body, part)
            except Unreadable as error:
                problems.extend(Problem("size", finding.at, finding.message) for finding in error.findings)
                continue
            if name != file:
                _refuse_other_digits(name)
            counts[table.signature] += 1
            tables.append(table.numbered(counts[table.signature]))
            if len(tables) > TABLES_LIMIT:
                raise unreadable(file, f"more than {TABLES_LIMIT} ACPI tables")
    if not tables:
        reason = f": {problems[0].text}" if problems else ""
        raise unreadable(file, f"no ACPI table in it{reason}")
    return TableSet(file, tuple(tables), tuple(problems))


def signature_of(data: bytes) -> str | None:
    """What a file's beginning says that it is, where it is one table or begins with one, in bytes or as text;
    None for a dump, an archive, anything else."""
    data = as_utf8(data)
    if is_archive(data) or _is_dump_text(data):
        return None
    if is_asl(data):
        return asl_signature(data)
    return data[:4].decode("latin-1") if _SIGNATURE.match(data) else None


def _sources(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The files but for text of a table that is there itself: what a disassembler has written beside it."""
    found = [(name, as_utf8(data)) for name, data in files]
    texts = {name for name, data in found if not _is_dump_text(data) and is_asl(data)}
    tables = {_stem(name) for name, data in found if name not in texts and _SIGNATURE.match(data)}
    return ((name, data) for name, data in found if name not in texts or _stem(name) not in tables)


def _stem(name: str) -> str:
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.partition('.')[0].lower()}"


def _bodies(name: str, data: bytes, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
    """What may be tables in a file: acpidump's sections, the tables of a text, or the file itself."""
    if _is_dump_text(data):
        yield from _sections(data, name, problems)
    elif is_asl(data):
        yield from ((name, table) for table in compile_asl(data, name))
    elif name.lower().endswith(".dsl"):
        raise unreadable(
            name, "no ACPI table in this text", help="disassemble it again: iasl may have failed"
        )
    else:
        yield name, data


def _sections(data: bytes, file: str, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
    """The tables of acpidump's text; a section whose bytes have a gap is cut there."""
    text = data.decode("latin-1")
    for heading, following in pairwise(chain(_headings(text), [None])):
        assert heading is not None
        if heading["name"] in _HEADERLESS:
            continue
        body = bytearray()
        for rows in _rows(text, heading.end(), len(text) if following is None else following.start()):
            told = [int(offset, 16) for offset, _ in rows]
            had = list(accumulate([(len(pairs) + 1) // 3 for _, pairs in rows], initial=len(body)))
            gap = len(rows)
            if told != had[:-1]:
                gap = next(at for at, offset in enumerate(told) if offset != had[at])
            body += bytes.fromhex("".join([pairs for _, pairs in rows[:gap]]))
            if gap < len(rows):
                lacks = f"a gap: {len(body):#x} bytes, then offset {rows[gap][0]}"
                problems.append(
                    Problem("cut-off", FilePlace(file), f"the dump of {heading['name']} has {lacks}")
                )
                break
        yield file, bytes(body)


def _rows(text: str, at: int, end: int) -> Iterator[list[tuple[str, str]]]:
    """Offsets and pairs of digits of a section's lines, some at a time: there may be millions."""
    while at < end:
        stop = text.find("\n", at + _PIECE, end)
        stop = end if stop < 0 else stop + 1
        yield _HEX_LINE.findall(text, at, stop)
        at = stop


def _headings(text: str) -> Iterator[re.Match[str]]:
    """The lines that begin a section, looked for by what few other lines have."""
    at = text.find(_AT)
    while at >= 0:
        found = _SECTION.match(text, text.rfind("\n", max(0, at - 9), at) + 1)
        if found and found.end("name") == at:
            yield found
        end = text.find("\n", at)
        at = text.find(_AT, end) if end >= 0 else -1


def _named(data: bytes, file: str) -> Iterator[tuple[str, bytes]]:
    return ((f"{file}/{name}" if name else file, body) for name, body in members(data, file))


def _natural(named: tuple[str, object]) -> list[tuple[int, str]]:
    """A name's numbers by their value, which may be one of thousands of digits."""
    parts = re.split(r"([0-9]+)", named[0].lower())
    numbers = (part.lstrip("0") if at % 2 else part for at, part in enumerate(parts))
    return [(len(part) if at % 2 else 0, part) for at, part in enumerate(numbers)]


def _refuse_other_digits(name: str) -> None:
    """Unreadable where a table's file is numbered by digits that give it no place among the others."""
    last = name.rpartition("/")[2]
    digit = next((letter for letter in last if letter.isdigit() and not letter.isascii()), None)
    if digit is not None:
        raise unreadable(
            name,
            f"the table in {last} has no place in the order: {digit} is none of the digits 0 to 9",
            help="tables are loaded in the order of the numbers in their names: rename it",
        )


def _folder_files(path: Path, file: str) -> Iterator[tuple[str, bytes]]:
    entries = [(entry.name, entry) for entry in path.iterdir() if entry.is_file()]
    # What Linux has loaded since it booted (`/sys/firmware/acpi/tables/dynamic`).
    loaded = path / "dynamic"
    if loaded.is_dir():
        entries += [(f"dynamic/{entry.name}", entry) for entry in loaded.iterdir() if entry.is_file()]
    files = ((name, bytes_of(entry, f"{file}/{name}")) for name, entry in sorted(entries, key=_natural))
    left = LIMIT
    for name, data in each_unpacked(islice(files, FILES_LIMIT), file):
        left -= len(data)
        if left < 0:
            raise unreadable(file, f"more than {LIMIT >> 20} MiB of tables")
        yield name, data
