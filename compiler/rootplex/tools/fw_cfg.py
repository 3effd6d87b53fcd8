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

from rootplex.tools.runner import Talk, ToolError, talking

_DIRECTORY = 0x19
_ENTRY = struct.Struct(">IHH56s")
_MOST = 4096
"""Files of a directory that are read; QEMU has some forty."""
_REQUEST, _BUFFER = 0x10000, 0x100000
_READ = 0x2 | 0x8  # FW_CFG_DMA_CTL_READ and _SELECT
_DMA = 0x514
_PIECE = 0x4000
_MARK = b"the end"


def files(argv: Sequence[str], registers: Iterable[tuple[int, int, int]], *, cwd: Path) -> dict[str, bytes]:
    """The files below `etc/acpi`, by name, of the machine that `argv` starts, after PCI configuration
    `registers` (devfn on bus 0, register, value) are written.

    ToolError where QEMU is missing, does not come up, or answers otherwise.
    """
    words = [*argv, "-display", "none", "-S", "-qtest", "stdio", "-qtest-log", "/dev/null"]
    with talking(words, cwd=cwd) as talk:
        for devfn, register, value in registers:
            address = 1 << 31 | devfn << 8 | register
            _ask(talk, f"outl 0xcf8 {address:#x}", f"outl 0xcfc {value:#x}")
        (count,) = struct.unpack(">I", _read(talk, _DIRECTORY, 4))
        directory = _read(talk, _DIRECTORY, 4 + _ENTRY.size * min(count, _MOST))[4:]
        entries = (_ENTRY.unpack_from(directory, at) for at in range(0, len(directory), _ENTRY.size))
        named = ((name.rstrip(b"\0").decode("latin-1"), key, size) for size, key, _, name in entries)
        return {name: _read(talk, key, size) for name, key, size in named if name.startswith("etc/acpi/")}


def _read(talk: Talk, key: int, size: int) -> bytes:
    request = struct.pack(">IIQ", key << 16 | _READ, size, _BUFFER)
    where = int.from_bytes(struct.pack(">I", _REQUEST), "little")
    _ask(
        talk,
        f"write {_REQUEST:#x} {len(request):#x} 0x{request.hex()}",
        f"outl {_DMA:#x} 0",
        f"outl {_DMA + 4:#x} {where:#x}",
    )
    made = b""
    for start in range(0, size, _PIECE):
        (answer,) = _ask(talk, f"read {_BUFFER + start:#x} {min(_PIECE, size - start):#x}")
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
