"""A file of results, a line each, that a later run goes on with.

Lines are added as they come, so that an interruption loses none. At the end the file is replaced whole by one
in the order of the boards, without what is of another version, other options or other inputs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os.path import samestat
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
from msgspec import Struct

from rootplex.fleet.work import KEY_BYTES, Record
from rootplex.jobs.result import Glance, Verdict
from rootplex.jobs.survey import LINE_LIMIT, LineFinding, NotResultsError
from rootplex.source.finding import UNREADABLE, Level
from rootplex.tools.replacing import lock, replacing


class _Line(Struct):
    """What is read of a line."""

    rootplex: Literal[1]
    key: str
    file: str
    platform: str | None
    verdict: Verdict
    findings: tuple[LineFinding, ...]


_decoded = msgspec.json.Decoder(_Line).decode


class Results:
    """An open file of results, and where in it each key's line is. `torn` counts lines that are cut off or
    none of ours."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._lines: dict[bytes, int] = {}
        self.torn = 0
        at = 0
        while line := file.readline(LINE_LIMIT):
            read = _read(line)
            if read is not None:
                self._lines[bytes.fromhex(read.key)] = at
            elif at == 0 and not b'{"key":"'.startswith(line[:8]):
                raise NotResultsError(f"{path} is no file of results: name another by --resume")
            else:
                self.torn += 1
            at += len(line)
        self.end = at
        """Where what it held at the start ends; what lies behind was made in this run."""

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._lines

    def __len__(self) -> int:
        return len(self._lines)

    def place(self, key: str) -> int:
        """Where the line of a key that is there begins."""
        return self._lines[bytes.fromhex(key)]

    def add(self, key: str, line: str) -> int:
        """A result, written out before the next one comes; its place."""
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, end - 1))
        if self._file.read(1) not in (b"", b"\n"):
            end += self._file.write(b"\n")
        self._file.write(line.encode())
        self._file.flush()
        self._lines[bytes.fromhex(key)] = end
        return end

    def record(self, key: str, *, strict: bool = False) -> Record:
        """The result of a key that is there."""
        data = self._line(self.place(key))
        line = _read(data)
        assert line is not None
        return Record(
            key=key, line=data.decode(), glance=_glance(line, strict=strict), platform=line.platform
        )

    def finish(self, places: Iterable[int]) -> None:
        """Replace the file by one with the lines at these places, each once, in this order."""
        taken: set[int] = set()
        with replacing(self._path) as fresh:
            for place in places:
                if place not in taken:
                    taken.add(place)
                    fresh.write(self._line(place))

    def _line(self, place: int) -> bytes:
        self._file.seek(place)
        return self._file.readline(LINE_LIMIT)


@contextmanager
def results_of(path: Path) -> Iterator[Results]:
    """The results of a file, which is made where there is none, and ours until the end of the block.

    NotResultsError: it holds something else. OSError: it cannot be opened.
    """
    while True:
        with path.open("a+b") as file:
            lock(file.fileno())
            if not samestat(path.stat(), os.fstat(file.fileno())):  # another run of ours has replaced it
                continue
            file.seek(0)
            yield Results(path, file)
            return


def _glance(line: _Line, *, strict: bool) -> Glance:
    counts = Counter(each.level for each in line.findings if not each.expected)
    unjudged = line.verdict == "unknown"
    return Glance(
        file=line.file,
        verdict=line.verdict,
        unreadable=unjudged and any(each.code == UNREADABLE.code for each in line.findings),
        errors=counts[Level.ERROR],
        warnings=counts[Level.WARNING],
        notes=counts[Level.NOTE],
        expected=sum(each.expected for each in line.findings),
        status=2 if unjudged else int(bool(counts[Level.ERROR] or (strict and counts[Level.WARNING]))),
    )


def _read(line: bytes) -> _Line | None:
    """A line of ours that is whole."""
    if not line.endswith(b"\n"):
        return None
    try:
        read = _decoded(line)
        return read if len(bytes.fromhex(read.key)) == KEY_BYTES else None
    except ValueError:  # msgspec's are such
        return None
