"""Damage to bytes: any bytes at any place, and by the structure of the format, so that what reads them gets
further than to the first checksum."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

INTERESTING = (0, 1, 2, 3, 4, 9, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 36, 0x7F, 0xFF, 0x100, 0x1000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (
    b"",
    b"\0",
    b"\xff" * 8,
    b"9" * 5000,
    b"0x" + b"f" * 40,
    b"-1",
    b"\n" * 50,
    b"{}",
    b"\xc2\xb2",
    b": ",
    b"\x1b[2J",
)
YAML_VALUES = (
    b"0",
    b"-1",
    b"0xffffffffffffffff",
    b"18446744073709551616",
    b"1e999",
    b"1TiB",
    b"~",
    b"true",
    b"[]",
    b"{}",
    b"[[[[]]]]",
    b"{a: 1}",
    b"name",
    b"'0000:00:00.0'",
    b"[0, 0xff]",
    b"[0xff, 0]",
    b"*alias",
    b"&a [*a]",
    b"!!python/object x",
    b'"\\u202e"',
)
_NUMBER = re.compile(rb"(?<![\w.])(?:0x[0-9A-Fa-f_]+|\d+(?:[KMGT]iB)?)(?![\w.])")
_VALUE = re.compile(rb"(?<=: )[^\s,\[\]{}#][^,\[\]{}#\n]*")
_HEADER, _LENGTH_AT, _CHECKSUM_AT = 36, 4, 9
_STRUCTURES = {b"IORT": 1, b"DMAR": 2, b"IVRS": 2, b"VIOT": 2, b"RIMT": 2}
"""Tables that are structures one behind the other, and where in a structure its 16 bits of length are."""
_FIRST = 48
"""Where the first structure stands in all of these."""

Damage = Callable[[bytes, random.Random], bytes]


def damaged(data: bytes, dice: random.Random) -> bytes:
    """A few of: other bytes, a word in between, a part away, twice or elsewhere, the end away."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at, size = dice.randrange(len(out) + 1), dice.choice((1, 4, 16, 100))
        match dice.randrange(7):
            case 0 | 1 if at < len(out):
                out[at] = dice.choice((*INTERESTING, out[at] ^ 1 << dice.randrange(8)))
            case 2:
                out[at:at] = dice.choice(WORDS)
            case 3:
                del out[at : at + size]
            case 4:
                out[at:at] = out[at : at + size]
            case 5:
                other = dice.randrange(len(out) + 1)
                out[at : at + size] = out[other : other + size]
            case 6 if dice.random() < 0.3:
                del out[at:]
    return bytes(out)


def damaged_tables(data: bytes, dice: random.Random) -> bytes:
    """ACPI tables one behind the other: fields of any width changed, structures cut, doubled or left out;
    mostly with lengths and checksums that are right again."""
    tables = split_tables(data)
    if not tables or dice.random() < 0.1:
        return damaged(data, dice)
    at = dice.randrange(len(tables))
    table = bytearray(tables[at])
    for _ in range(dice.choice((1, 1, 2, 4))):
        _change_field(table, dice, dice.randrange(_HEADER if dice.random() < 0.9 else 4, max(len(table), 37)))
    match dice.randrange(8):
        case 0:
            del table[dice.randrange(len(table)) :]
        case 1:
            table += table[_HEADER : _HEADER + dice.choice((4, 16, 20, 64))]
        case 2:
            tables.insert(dice.randrange(len(tables)), bytes(table))
        case 3:
            del table[(cut := dice.randrange(len(table))) : cut + dice.choice((1, 4, 16, 20))]
        case 4 | 5:
            table[:] = _rearranged(bytes(table), dice)
    tables[at] = bytes(table) if dice.random() < 0.1 else with_checksum(bytes(table))
    return b"".join(tables)


def _rearranged(table: bytes, dice: random.Random) -> bytes:
    """A whole structure left out, doubled, or put elsewhere; where the table has none, as it is."""
    length_at = _STRUCTURES.get(table[:4])
    if length_at is None:
        return table
    parts: list[bytes] = []
    at = _FIRST
    while at + length_at + 2 <= len(table):
        size = max(int.from_bytes(table[at + length_at : at + length_at + 2], "little"), length_at + 2)
        parts.append(table[at : at + size])
        at += size
    if parts:
        one = parts.pop(dice.randrange(len(parts)))
        for _ in range(dice.randrange(3)):
            parts.insert(dice.randrange(len(parts) + 1), one)
    return table[:_FIRST] + b"".join(parts) + table[at:]


def damaged_tree(data: bytes, dice: random.Random) -> bytes:
    """A device tree blob: words changed (tokens, lengths, name offsets, cells, header), properties cut."""
    if len(data) < 44 or dice.random() < 0.2:
        return damaged(data, dice)
    out = bytearray(data)
    structure = int.from_bytes(out[8:12], "big")
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        words = range(0, 40, 4) if dice.random() < 0.1 else range(structure, len(out) - 3, 4)
        if not words:
            break
        at = dice.choice(words)
        old = int.from_bytes(out[at : at + 4], "big")
        new = dice.choice((*NUMBERS, old + 1, old - 1, old ^ 1 << dice.randrange(32), old << 8)) & 0xFFFFFFFF
        out[at : at + 4] = new.to_bytes(4, "big")
    if dice.random() < 0.15:
        other, at = dice.randrange(len(out) - 8) & ~3, dice.randrange(len(out) - 8) & ~3
        out[at : at + 8] = out[other : other + 8]
    return bytes(out)


def damaged_yaml(data: bytes, dice: random.Random) -> bytes:
    """A description: numbers and values changed, lines moved, doubled, left out or indented."""
    if dice.random() < 0.15:
        return damaged(data, dice)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        match dice.randrange(6):
            case 0 | 1 | 2:
                data = _replaced(data, _NUMBER, dice)
            case 3:
                data = _replaced(data, _VALUE, dice)
            case _:
                data = _lines(data, dice)
    return data


def _replaced(data: bytes, pattern: re.Pattern[bytes], dice: random.Random) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    where, other = dice.choice(found), dice.choice(found)
    new = other[0] if dice.random() < 0.4 else dice.choice(YAML_VALUES)
    if where[0].isdigit() and dice.random() < 0.5:
        new = str(max(int(where[0][:18]) + dice.choice((-1, 1, 7, 256)), 0)).encode()
    return data[: where.start()] + new + data[where.end() :]


def _lines(data: bytes, dice: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = dice.randrange(len(lines)) if lines else 0
    match dice.randrange(5) if lines else 5:
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines[at] = b"  " + lines[at]
        case 3:
            lines[at] = lines[at].removeprefix(b"  ")
        case 4:
            other = dice.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
    return b"".join(lines)


def _change_field(table: bytearray, dice: random.Random, at: int) -> None:
    """Another number in a little-endian field of 1 to 8 bytes."""
    width = dice.choice((1, 1, 2, 4, 8))
    old = int.from_bytes(table[at : at + width], "little")
    new = dice.choice((*NUMBERS, old + 1, old - 1, old ^ 1 << dice.randrange(8 * width), len(table)))
    part = (new & (1 << 8 * width) - 1).to_bytes(width, "little")[: max(len(table) - at, 0)]
    table[at : at + len(part)] = part


def split_tables(data: bytes) -> list[bytes]:
    """The tables by their length fields; what does not fit is the last one's."""
    found: list[bytes] = []
    at = 0
    while len(data) - at >= _HEADER:
        (length,) = struct.unpack_from("<I", data, at + _LENGTH_AT)
        if not _HEADER <= length <= len(data) - at:
            break
        found.append(data[at : at + length])
        at += length
    if found and at < len(data):
        found[-1] += data[at:]
    return found


def with_checksum(table: bytes) -> bytes:
    """The table with its own length, summing up to 0."""
    if len(table) < _HEADER:
        return table
    out = bytearray(table)
    struct.pack_into("<I", out, _LENGTH_AT, len(out))
    out[_CHECKSUM_AT] = 0
    out[_CHECKSUM_AT] = -sum(out) & 0xFF
    return bytes(out)
