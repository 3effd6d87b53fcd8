"""A pair of configuration space pages: what a register holds after reset, and what can be written to it.

A structure is a table of named registers. A register's bits are read-only (RO), writable (RW) or
cleared by writing one (RW1C), in the words of PCIe 6.0 §7.4.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

PAGE = 4096
"""Bytes of configuration space of a PCI Express function (PCIe 6.0 §7.2.2)."""

CONVENTIONAL = 256
"""Bytes of configuration space of a conventional function (PCI 3.0 §6.1)."""


class Register(NamedTuple):
    """A register: its name, offset in the structure, bytes, reset value, RW bits, RW1C bits."""

    name: str
    offset: int
    size: int
    reset: int = 0
    writable: int = 0
    clears: int = 0


class Bits(NamedTuple):
    """What a register of one function is, where the table cannot know it."""

    reset: int = 0
    writable: int = 0
    clears: int = 0


Table: TypeAlias = tuple[Register, ...]


class Page:
    """The two pages of one function while they are written, and its write-1-to-clear bits.

    `clears` are (offset, bytes, mask); those bits are not among the writable ones.
    """

    __slots__ = ("clears", "reset", "writable")

    def __init__(self) -> None:
        self.reset = bytearray(PAGE)
        self.writable = bytearray(PAGE)
        self.clears: list[tuple[int, int, int]] = []

    def write(self, base: int, table: Table, /, **values: int | Bits) -> None:
        """Write a structure at `base`; a value is a register's reset value, or its `Bits`."""
        for name, offset, size, reset, writable, clears in table:
            value = values.get(name, reset)
            if isinstance(value, Bits):
                reset, writable, clears = value
            else:
                reset = value
            at = base + offset
            self.reset[at : at + size] = reset.to_bytes(size, "little")
            self.writable[at : at + size] = writable.to_bytes(size, "little")
            if clears:
                self.clears.append((at, size, clears))

    def finish(self) -> bytes:
        """Reset page and writable page."""
        return bytes(self.reset + self.writable)
