"""What reading takes at the stated sizes: seconds of the processor, and the most memory.

    python -m bench.reading

Each input is as large as SECURITY.md allows, in the form that takes most. Reading is what comes before checks
and simulation. A table in Markdown is printed.
"""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rootplex.capture.pasted import reading
from rootplex.frontends.description.reading import read_description
from rootplex.jobs.sources import read_source
from rootplex.readers.acpi.header import SIZE_LIMIT as TABLE_LIMIT
from rootplex.readers.archives import archive_of
from rootplex.readers.dtb import NODE_LIMIT
from rootplex.readers.files import LIMIT
from rootplex.source.finding import Unreadable
from rootplex.source.yaml12 import MAX_NODES


def _blob(nodes: int) -> bytes:
    each = b"".join(struct.pack(">I12sI", 1, b"%08x" % number, 2) for number in range(nodes - 1))
    body = struct.pack(">II", 1, 0) + each + struct.pack(">II", 2, 9)
    head = struct.pack(">10I", 0xD00DFEED, 56 + len(body), 56, 56 + len(body), 40, 17, 16, 0, 0, len(body))
    return head + bytes(16) + body


def _table(signature: bytes, size: int) -> bytes:
    head = struct.pack("<4sIBB6s8sI4sI", signature, size, 1, 0, b"ROOTPX", b"SIZES   ", 1, b"RTPX", 1)
    return head + bytes(range(1, 256)) * ((size - 36) // 255) + bytes((size - 36) % 255)


def _dump() -> bytes:
    table = _table(b"MCFG", LIMIT // 54 * 16 - 16)
    rows = (f"    {at:04X}: {table[at : at + 16].hex(' ').upper()}\n" for at in range(0, len(table), 16))
    return ("MCFG @ 0x0000000000000000\n" + "".join(rows)).encode()[:LIMIT]


def _functions(line: str) -> bytes:
    places = ((at >> 16, at >> 8 & 255, at >> 3 & 31, at & 7) for at in range(reading.FUNCTIONS_LIMIT))
    return "".join(line.format("{:04x}:{:02x}:{:02x}.{}".format(*place)) for place in places).encode()


INPUTS: dict[str, Callable[[], bytes]] = {
    "nodes.dtb": lambda: _blob(NODE_LIMIT),
    "dump.txt": _dump,
    **{
        f"{name.lower()}.aml": lambda name=name: _table(name.encode(), TABLE_LIMIT)  # type: ignore[misc]
        for name in ("MCFG", "IORT", "DMAR", "IVRS", "VIOT", "RIMT")
    },
    "archive.tar": lambda: archive_of((f"ssdt{n}.dat", _table(b"OEM1", 7000)) for n in range(4000)),
    "lspci.txt": lambda: _functions("{} Bridge [0604]: Device [1b36:000c]\n"),
    "groups.txt": lambda: _functions("IOMMU Group 7 {} Bridge [0604]: Device [1b36:000c]\n"),
    "keys.yaml": lambda: b"{" + b",".join(b"k%x: 1" % n for n in range(MAX_NODES - 10)) + b"}",
    "maps.yaml": lambda: b"[" + b",".join([b"{}"] * (MAX_NODES - 10)) + b"]",
    "cells.dts": lambda: b"/dts-v1/; / { a = <" + b"1 " * ((4 << 20) - 100) + b">; };",
}


def _read(path: Path) -> None:
    begun = time.process_time()
    try:
        read_description(path.read_bytes(), path.name) if path.suffix == ".yaml" else read_source(
            path, path.name
        )
        came = "read"
    except Unreadable as error:
        came = error.findings[0].message
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = time.process_time() - begun + used[1].ru_utime + used[1].ru_stime
    memory = max(each.ru_maxrss for each in used) >> 10
    print(f"| {path.name} | {path.stat().st_size / (1 << 20):.1f} | {seconds:.1f} | {memory} | {came} |")


def main() -> int:
    """One input in this process where it is named, else all, each in one of its own."""
    if len(sys.argv) > 1:
        _read(Path(sys.argv[1]))
        return 0
    print("| input | MiB | seconds | MB | came to |\n|---|---:|---:|---:|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in INPUTS:
            path = Path(folder, name)
            # a process of its own writes it: a child begins with its parent's peak
            making = f"from bench.reading import *; Path({str(path)!r}).write_bytes(INPUTS[{name!r}]())"
            subprocess.run([sys.executable, "-c", making], check=True)
            subprocess.run([sys.executable, "-m", "bench.reading", str(path)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
