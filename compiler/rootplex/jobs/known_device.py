"""`explain 8086:8c10`: what Linux makes of a device since it knows its id."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from rootplex.known.devices import Row, rows_of
from rootplex.known.kernels import PROFILES

KnownRow: TypeAlias = Row


class KnownDevice(Struct, frozen=True, kw_only=True):
    """What is known by an id: each row with the profiles whose kernels have it, none where all do."""

    id: str
    rows: tuple[tuple[KnownRow, tuple[str, ...]], ...]


def known_device(id: str) -> KnownDevice:
    """What Linux knows by `vendor:device`, hexadecimal."""
    vendor, _, device = id.partition(":")
    rows = rows_of(int(vendor, 16), int(device, 16))
    asked = (row for index, row in enumerate(rows) if not any(_before(each, row) for each in rows[:index]))
    return KnownDevice(id=id.lower(), rows=tuple((row, _kernels(row)) for row in asked))


def _before(earlier: Row, row: Row) -> bool:
    """Whether the earlier row of one function answers for all that the later one would."""
    of_one = earlier.kind == row.kind == "acs" and earlier.source == row.source
    same_kernels = earlier.since <= row.since and row.until <= earlier.until
    return of_one and same_kernels and not (earlier.types and set(row.types or ("",)) - set(earlier.types))


def _kernels(row: Row) -> tuple[str, ...]:
    having = tuple(name for name, profile in PROFILES.items() if row.in_kernel(profile.knows))
    return () if len(having) == len(PROFILES) else having
