"""Linux's MCFG quirk table (`pci_mcfg.c`, linux.md §2.4): machines whose MCFG space is not ECAM.

A row matches OEM id, OEM table id, OEM revision and segment; the first match wins. Its accessor
replaces plain ECAM, and a row may bring its own window. The windows of ThunderX's PEMs stand for
two nodes, the second 1 << 44 and 10 segments further. The loongarch rows are not here: that is no
architecture of ours.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from rootplex.readers.acpi.mcfg import Mcfg


class Quirk(Struct, frozen=True):
    """One row. `windows` are segment → base of a window that replaces MCFG's; `size` its bytes."""

    oem_id: bytes
    table_id: bytes
    revisions: tuple[int, ...]
    segments: range
    accessor: str
    windows: tuple[tuple[int, int], ...] = ()
    size: int = 0


PEM_SIZE = 0x39000000
_PEM_NODE_0 = (
    (4, 0x88001F000000),
    (5, 0x884057000000),
    (6, 0x88808F000000),
    (7, 0x89001F000000),
    (8, 0x894057000000),
    (9, 0x89808F000000),
)
PEM_WINDOWS = _PEM_NODE_0 + tuple((segment + 10, base + (1 << 44)) for segment, base in _PEM_NODE_0)

ARM64: tuple[Quirk, ...] = (
    Quirk(b"AMAZON", b"GRAVITON", (0,), range(8), "al"),
    Quirk(b"QCOM  ", b"QDF2432 ", (1,), range(8), "32b"),
    Quirk(b"HISI  ", b"HIP05   ", (0,), range(4), "hisi"),
    Quirk(b"HISI  ", b"HIP06   ", (0,), range(4), "hisi"),
    Quirk(b"HISI  ", b"HIP07   ", (0,), range(16), "hisi"),
    Quirk(b"CAVIUM", b"THUNDERX", (1, 2), range(4, 10), "thunder-pem", PEM_WINDOWS, PEM_SIZE),
    Quirk(b"CAVIUM", b"THUNDERX", (1, 2), range(14, 20), "thunder-pem", PEM_WINDOWS, PEM_SIZE),
    Quirk(b"CAVIUM", b"THUNDERX", (1,), range(10, 11), "thunder-ecam"),
    Quirk(b"CAVIUM", b"THUNDERX", (2,), range(4), "thunder-ecam"),
    Quirk(b"CAVIUM", b"THUNDERX", (2,), range(10, 14), "thunder-ecam"),
    Quirk(b"NVIDIA", b"TEGRA194", (1,), range(6), "tegra194"),
    Quirk(b"APM   ", b"XGENE   ", (1, 2), range(5), "xgene"),
    Quirk(b"APM   ", b"XGENE   ", (3,), range(2), "xgene"),
    Quirk(b"APM   ", b"XGENE   ", (4,), range(3), "xgene"),
    Quirk(b"Ampere", b"Altra   ", (1,), range(16), "32b-read"),
)

Architecture = Literal["arm64", "arm", "x86_64", "riscv64"]


def quirk(mcfg: Mcfg | None, segment: int, arch: Architecture) -> Quirk | None:
    """The row for a segment of a machine, by its MCFG's header; only arm64 has rows here."""
    if mcfg is None or arch != "arm64":
        return None
    table = mcfg.table
    for row in ARM64:
        if (
            table.oem_id == row.oem_id
            and table.oem_table_id == row.table_id
            and table.oem_revision in row.revisions
            and segment in row.segments
        ):
            return row
    return None
