"""What QEMU's machine hands its firmware: the files of `fw_cfg`, read from a machine that never runs.

QEMU's qtest protocol over standard input and output does what a processor would do: the firmware's registers
are set as SeaBIOS sets them, since ACPI tables are made as they stand; then files are read by DMA. Sources:
QEMU's docs/specs/fw_cfg.rst and system/qtest.c; SeaBIOS src/fw/pciinit.c (mch_mmconfig_setup,
ich9_lpc_setup).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from rootplex.tools.runner import Talk, ToolError, talking

_DIRECTORY = 0x19
_ENTRY = struct.Struct(">IHH56s")
_MOST = 4096
"""Files of a directory that are read; QEMU has some forty."""
_REQUEST, _BUFFER = 0x10000, 0x100000
_READ = 0x2 | 0x8  # FW_CFG_DMA_CTL_READ and _SELECT
_PIECE = 0x4000
_MARK = b"the end"


class Reach(Struct, frozen=True):
    """How a processor gets at `fw_cfg`: its DMA address register, an I/O port or (`mapped`) memory, and where
    RAM begins."""

    dma: int
    mapped: bool = False
    ram: int = 0


PC = Reach(0x514)
ARM_VIRT = Reach(0x0902_0010, mapped=True, ram=0x4000_0000)
RISCV_VIRT = Reach(0x1010_0010, mapped=True, ram=0x8000_0000)


def files(
    argv: Sequence[str], registers: Iterable[tuple[int, int, int]], *, cwd: Path, reach: Reach = PC
) -> dict[str, bytes]:
    """The files below `etc/acpi`, by name, of the machine that `argv` starts, after PCI configuration
    `registers` (devfn on bus 0, register, value) of a PC are written.

    ToolError where QEMU is missing, does not come up, or answers otherwise.
    """
    words = [*argv, "-display", "none", "-S", "-qtest", "stdio", "-qtest-log", "/dev/null"]
    with talking(words, cwd=cwd) as talk:
        for devfn, register, value in registers:
            address = 1 << 31 | devfn << 8 | register
            _ask(talk, f"outl 0xcf8 {address:#x}", f"outl 0xcfc {value:#x}")
        (count,) = struct.unpack(">I", _read(talk, reach, _DIRECTORY, 4))
        directory = _read(talk, reach, _DIRECTORY, 4 + _ENTRY.size * min(count, _MOST))[4:]
        entries = (_ENTRY.unpack_from(directory, at) for at in range(0, len(directory), _ENTRY.size))
        named = ((name.rstrip(b"\0").decode("latin-1"), key, size) for size, key, _, name in entries)
        return {
            name: _read(talk, reach, key, size) for name, key, size in named if name.startswith("etc/acpi/")
        }


def _read(talk: Talk, reach: Reach, key: int, size: int) -> bytes:
    place, buffer = reach.ram + _REQUEST, reach.ram + _BUFFER
    request = struct.pack(">IIQ", key << 16 | _READ, size, buffer)
    address = struct.pack(">Q", place)
    started = [f"write {reach.dma:#x} 0x8 0x{address.hex()}"]
    if not reach.mapped:
        high, low = struct.unpack("<II", address)
        started = [f"outl {reach.dma:#x} {high:#x}", f"outl {reach.dma + 4:#x} {low:#x}"]
    _ask(talk, f"write {place:#x} {len(request):#x} 0x{request.hex()}", *started)
    made = b""
    for start in range(0, size, _PIECE):
        (answer,) = _ask(talk, f"read {buffer + start:#x} {min(_PIECE, size - start):#x}")
        made += bytes.fromhex(answer.removeprefix("0x"))
    return made


def _ask(talk: Talk, *lines: str) -> list[str]:
    """The answers, of one word or none, to requests of the protocol."""
    text = "".join(f"{line}\n" for line in lines).encode()
    answers = talk.say(text + _MARK + b"\n", b"FAIL Unknown command")
    found = re.findall(r"^OK ?(\S*)$", answers, re.MULTILINE)
    if len(found) != len(lines):
        raise ToolError("QEMU does not tell what it hands its firmware")
    return [word for word in found if word]
