"""Our ACPI tables as those of the machine's own firmware, since Xen reads no others.

With `acpi=off` QEMU hands SeaBIOS no tables, and takes three files of the user's in their place: all tables
one behind the other, the RSDP, and the script by which SeaBIOS puts them into memory, makes offsets to
addresses and sums up. What we have no table for (FADT, MADT, HPET, DMAR, …) stays the one that QEMU makes.
Sources: QEMU's hw/acpi/bios-linker-loader.c; SeaBIOS src/fw/romfile_loader.c; ACPI 6.5 §5.2.5 to 5.2.10.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rootplex.tools import fw_cfg
from rootplex.tools.runner import ToolError

TABLES, RSDP, LOADER = "etc/acpi/tables", "etc/acpi/rsdp", "etc/table-loader"
REGISTERS = ((0x1F << 3, 0x40, 0x601), (0x1F << 3, 0x44, 0x80), (0, 0x64, 0), (0, 0x60, 0xB000_0001))
"""What SeaBIOS sets before the tables are made: PMBASE and ACPI_EN of the ICH9, PCIEXBAR of the Q35."""
_NAME = 56
_COMMAND = 128
_HIGH, _FSEG = 1, 2
_HEADER, _CHECKSUM = 36, 9
_FACS, _DSDT, _X_FACS, _X_DSDT = 36, 40, 132, 140
"""Pointers of the FADT."""


def machine_tables(argv: Sequence[str], folder: Path) -> dict[str, bytes]:
    """The tables that QEMU makes for the machine of `argv`, by signature. ToolError where it makes none."""
    blob = fw_cfg.files(argv, REGISTERS, cwd=folder).get(TABLES, b"")
    found = dict(_split(blob))
    if not {"FACP", "FACS"} <= found.keys():
        raise ToolError("QEMU makes no ACPI tables for this machine")
    return found


def _split(blob: bytes) -> Iterator[tuple[str, bytes]]:
    """Tables one behind the other, each with its signature and length first; zeros fill the rest."""
    at = 0
    while at + 8 <= len(blob):
        length = int.from_bytes(blob[at + 4 : at + 8], "little")
        if not blob[at] or length < 8:
            return
        yield blob[at : at + 4].decode("latin-1"), blob[at : at + length]
        at += length


def with_own(made: Mapping[str, bytes], own: Mapping[str, bytes]) -> dict[str, bytes]:
    """The machine's tables with ours (by file name) in place of those with the same signature."""
    ours = {data[:4].decode("latin-1"): data for data in own.values()}
    return {**{name: data for name, data in made.items() if name not in ("RSDT", "XSDT")}, **ours}


def linked(tables: Mapping[str, bytes]) -> dict[str, bytes]:
    """The three files: tables by signature, among them FACP, FACS, DSDT, laid out and linked."""
    layout = _Layout()
    facs, dsdt = layout.put(tables["FACS"]), layout.put(tables["DSDT"])
    fadt = bytearray(tables["FACP"])
    struct.pack_into("<II", fadt, _FACS, facs, dsdt)
    pointers = [(_FACS, 4), (_DSDT, 4)]
    if len(fadt) >= _X_DSDT + 8:
        struct.pack_into("<QQ", fadt, _X_FACS, 0, dsdt)
        pointers.append((_X_DSDT, 8))
    places = [layout.table(bytes(fadt), pointers)]
    places += [layout.table(data) for name, data in tables.items() if name not in ("FACS", "DSDT", "FACP")]
    entries = struct.pack(f"<{len(places)}I", *places)
    head = bytearray(tables["FACP"][:_HEADER])
    struct.pack_into("<4sIB", head, 0, b"RSDT", _HEADER + len(entries), 1)
    rsdt = layout.table(bytes(head) + entries, [(_HEADER + 4 * i, 4) for i in range(len(places))])
    rsdp = struct.pack("<8sB6sBI", b"RSD PTR ", 0, tables["FACP"][10:16], 0, rsdt)
    layout.point(RSDP, 16, 4)
    layout.sum(RSDP, 8, 0, len(rsdp))
    return {TABLES: bytes(layout.blob), RSDP: rsdp, LOADER: b"".join(layout.commands)}


class _Layout:
    """The tables so far, and the loader's commands for them."""

    def __init__(self) -> None:
        self.blob = bytearray()
        self.commands: list[bytes] = []
        for name, align, zone in ((TABLES, 64, _HIGH), (RSDP, 16, _FSEG)):
            self._say(struct.pack(f"<I{_NAME}sIB", 1, name.encode(), align, zone))

    def _say(self, command: bytes) -> None:
        self.commands.append(command.ljust(_COMMAND, b"\0"))

    def put(self, data: bytes) -> int:
        """Where it lies."""
        at = len(self.blob)
        self.blob += data
        return at

    def table(self, data: bytes, pointers: Sequence[tuple[int, int]] = ()) -> int:
        """A table with offsets in the blob at `pointers` (offset, size), which become addresses."""
        at = self.put(data)
        for offset, size in pointers:
            self.point(TABLES, at + offset, size)
        if pointers:
            self.blob[at + _CHECKSUM] = 0
            self.sum(TABLES, at + _CHECKSUM, at, len(data))
        return at

    def point(self, file: str, offset: int, size: int) -> None:
        """An offset in the tables becomes an address."""
        names = file.encode(), TABLES.encode()
        self._say(struct.pack(f"<I{_NAME}s{_NAME}sIB", 2, *names, offset, size))

    def sum(self, file: str, offset: int, start: int, length: int) -> None:
        """A byte that makes the sum of a stretch 0."""
        self._say(struct.pack(f"<I{_NAME}sIII", 3, file.encode(), offset, start, length))


def with_tables(argv: Sequence[str], files: Mapping[str, Path]) -> list[str]:
    """QEMU's command line with its own tables off and these files in their place."""
    words = list(argv)
    at = words.index("-machine") + 1
    words[at] += ",acpi=off"
    for name, file in files.items():
        words += ["-fw_cfg", f"name={name},file={str(file).replace(',', ',,')}"]
    return words
