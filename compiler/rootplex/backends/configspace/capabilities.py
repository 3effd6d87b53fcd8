"""The capabilities of the first 256 bytes: subsystem ids of bridges, power management, MSI, MSI-X.

Sources: PCI-to-PCI Bridge 1.2 §3.2.5.13, PCI Power Management 1.2 §3.2, PCIe 6.0 §7.7.1 (MSI) and §7.7.2
(MSI-X). Every structure's first word, id and next pointer, is the list's and not in its table.
"""

from __future__ import annotations

from rootplex.backends.configspace.header import rounded
from rootplex.backends.configspace.page import Bits, Page, Register, Table
from rootplex.backends.configspace.shape import Shape
from rootplex.model.device import Bar

SUBSYSTEM_TABLE: Table = (Register("vendor", 4, 2), Register("device", 6, 2))

POWER_TABLE: Table = (
    Register("capabilities", 2, 2, 0x0003),  # version 3, no D1, D2 or PME
    Register("control", 4, 2, 0x0008, writable=0x0003),  # D0-D3; no soft reset on the way back
)

MSI_TABLE: Table = (
    Register("control", 2, 2),
    Register("address", 4, 4, writable=0xFFFF_FFFC),
    Register("address_upper", 8, 4, writable=0xFFFF_FFFF),
    Register("data", 12, 2, writable=0xFFFF),
)
MSI_64_BIT = 0x0080
MSI_CONTROL_RW = 0x0071  # enable, number of messages enabled

MSIX_TABLE: Table = (Register("control", 2, 2), Register("table", 4, 4), Register("pending", 8, 4))
MSIX_CONTROL_RW = 0xC000  # enable, mask all
MSIX_ENTRY = 16


def write_subsystem(page: Page, at: int, shape: Shape) -> None:
    vendor, device = shape.subsystem or (0, 0)
    page.write(at, SUBSYSTEM_TABLE, vendor=vendor, device=device)


def write_power(page: Page, at: int, shape: Shape) -> None:
    page.write(at, POWER_TABLE)


def write_msi(page: Page, at: int, shape: Shape) -> None:
    """64-bit MSI without masking; the vectors are rounded up to a power of two, all there can be."""
    messages = rounded(shape.msi, 1).bit_length() - 1
    page.write(at, MSI_TABLE, control=Bits(MSI_64_BIT | messages << 1, MSI_CONTROL_RW))


def write_msix(page: Page, at: int, shape: Shape) -> None:
    index, pending = msix_place(shape.bars, shape.msix)
    page.write(
        at,
        MSIX_TABLE,
        control=Bits(shape.msix - 1, MSIX_CONTROL_RW),
        table=index,
        pending=pending | index,
    )


def msix_place(bars: tuple[Bar, ...], vectors: int) -> tuple[int, int]:
    """(BAR index, offset of the pending bits); the vector table is at offset 0.

    The smallest memory BAR that holds both, the pending bits in its upper half, as Intel's and
    QEMU's devices have it. Without such a BAR, behind the table in BAR 0, which the language does not forbid.
    """
    table = vectors * MSIX_ENTRY
    pending = (vectors + 63) // 64 * 8
    fitting = [bar for bar in bars if bar.space != "io" and bar.size >= table + pending]
    if not fitting:
        return 0, table
    bar = min(fitting, key=lambda each: (each.size, each.index))
    half = bar.size // 2
    return bar.index, half if half >= table else table
