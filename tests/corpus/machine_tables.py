"""Tables of our own that say of PCI what six machines' firmware says: a dump as `acpidump` prints it.

The vendors' dumps are not ours to copy. `machines/NAME.asl` has the host bridges and motherboard resources,
the other tables are made here from their fields; `expected/NAME.json` is what was read from the vendor's own
tables with `iasl -d` and acpiexec, so it does not come from here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from rootplex.tools.runner import ToolError, run

MCFG_ENTRY = struct.Struct("<QHBBxxxx")  # base of bus 0, segment, first and last bus


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """`dump`: the file in the collection linuxhw/ACPI. Each of `mcfgs` is a table's entries."""

    dump: str
    mcfgs: tuple[tuple[tuple[int, int, int, int], ...], ...]
    io_apics: tuple[tuple[int, int, int], ...]
    """Id, address, first interrupt."""


def _one_mcfg(base: int, last_bus: int) -> tuple[tuple[tuple[int, int, int, int], ...], ...]:
    return (((base, 0, 0, last_bus),),)


MACHINES = {
    "ideapad-z470": Machine(
        dump="C7F3CC0C50BF", mcfgs=_one_mcfg(0xF800_0000, 255), io_apics=((4, 0xFEC0_0000, 0),)
    ),
    "imac11-3": Machine(
        dump="9C99E007509B", mcfgs=_one_mcfg(0xE000_0000, 6), io_apics=((2, 0xFEC0_0000, 0),)
    ),
    "poweredge-r820": Machine(
        dump="E5985CCBA349",
        mcfgs=_one_mcfg(0xE000_0000, 255),
        io_apics=((0, 0xFEC0_0000, 0), (1, 0xFEC3_F000, 32)),
    ),
    "precision-t3600": Machine(
        dump="A82D1C626ADB",
        mcfgs=_one_mcfg(0x3000_0000, 63),
        io_apics=((0, 0xFEC0_0000, 0), (2, 0xFEC3_F000, 24)),
    ),
    "prime-z690-p": Machine(
        dump="71656898DEBA",
        mcfgs=(*_one_mcfg(0xC000_0000, 255), *_one_mcfg(0xC000_0000, 224)),
        io_apics=((2, 0xFEC0_0000, 0),),
    ),
    "proliant-dl165-g7": Machine(
        dump="1979FBF2D488",
        mcfgs=_one_mcfg(0xE000_0000, 255),
        io_apics=((0, 0xFEC0_0000, 0), (1, 0xFEC2_0000, 24)),
    ),
}


def dumped(name: str, folder: Path) -> Path:
    """The machine's dump, made in `folder`; ToolError where iasl or acpidump is missing or fails."""
    file = folder / f"{name}.acpidump.txt"
    if file.exists():
        return file
    machine = MACHINES[name]
    source = Path(__file__).parent / "machines" / f"{name}.asl"
    # -cr: a vendor's compiler lets a window's length differ from its ends
    _run(folder, "iasl", "-cr", "-p", str(folder / name), str(source))
    tables = [(folder / f"{name}.aml").read_bytes(), _madt(machine), *map(_mcfg, machine.mcfgs)]
    text = ""
    for number, table in enumerate(tables):
        part = folder / f"{name}-{number}.dat"
        part.write_bytes(table)
        text += _run(folder, "acpidump", "-f", part.name)
    file.write_text(text)
    return file


def _run(folder: Path, *argv: str) -> str:
    done = run(argv, cwd=folder)
    if done.status != 0:
        raise ToolError(f"{argv[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _mcfg(entries: tuple[tuple[int, int, int, int], ...]) -> bytes:
    """PCI Firmware 3.3, table 4-2."""
    return _table("MCFG", 1, bytes(8) + b"".join(MCFG_ENTRY.pack(*entry) for entry in entries))


def _madt(machine: Machine) -> bytes:
    """ACPI 6.5 §5.2.12: one processor's local APIC (type 0), the I/O APICs (type 1)."""
    body = struct.pack("<II", 0xFEE0_0000, 1) + struct.pack("<BBBBI", 0, 8, 0, 0, 1)
    for id, address, first in machine.io_apics:
        body += struct.pack("<BBBBII", 1, 12, id, 0, address, first)
    return _table("APIC", 3, body)


def _table(signature: str, revision: int, body: bytes) -> bytes:
    """ACPI 6.5 §5.2.6: the header, with the byte that makes the sum of all zero."""
    length = 36 + len(body)
    ids = (b"ROOTPL", b"MACHINE ", 1, b"TEST", 1)
    data = bytearray(struct.pack("<4sIBB6s8sI4sI", signature.encode(), length, revision, 0, *ids) + body)
    data[9] = -sum(data) & 0xFF
    return bytes(data)
