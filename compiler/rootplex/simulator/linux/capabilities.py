"""Walks of the capability lists, bounded as Linux bounds them (linux.md §4.4).

PCI Local Bus 3.0 §6.7 (standard list), PCIe 6.0 §7.6.3 (extended list).
"""

from __future__ import annotations

from rootplex.formats.pci import Capability
from rootplex.simulator.linux.access import Accessor

STATUS, CAP_LIST_BIT, CAP_POINTER, CARDBUS_POINTER = 0x06, 0x10, 0x34, 0x14
STANDARD_STEPS, EXTENDED_STEPS = 48, 480
EXTENDED_START, CONFIG_SIZE = 0x100, 4096


ALL_ONES = 0xFFFFFFFF
PCIX_FAST = 0xC0000000
"""PCI-X status bits 266 and 533 MHz: mode 2, with 4096 bytes of configuration space."""


def standard(access: Accessor, bus: int, devfn: int, header: int) -> dict[int, int]:
    """Offset by id, the first of each."""
    if not access.read(bus, devfn, STATUS, 2) & CAP_LIST_BIT:
        return {}
    found: dict[int, int] = {}
    position = access.read(bus, devfn, CARDBUS_POINTER if header == 2 else CAP_POINTER, 1)
    for _ in range(STANDARD_STEPS):
        if position < 0x40:
            break
        position &= 0xFC
        entry = access.read(bus, devfn, position, 2)
        if entry & 0xFF == 0xFF:
            break
        found.setdefault(entry & 0xFF, position)
        position = entry >> 8
    return found


def extended(access: Accessor, bus: int, devfn: int) -> dict[int, int]:
    """Offset by id, the first of each; for functions with 4096 bytes of configuration space."""
    found: dict[int, int] = {}
    position = EXTENDED_START
    for _ in range(EXTENDED_STEPS):
        header = access.read(bus, devfn, position, 4)
        if header == 0:
            break
        found.setdefault(header & 0xFFFF, position)
        position = header >> 20 & 0xFFC
        if position < EXTENDED_START:
            break
    return found


def config_size(
    access: Accessor, bus: int, devfn: int, class_code: int, caps: dict[int, int], reach: bool
) -> int:
    """256 or 4096 bytes (linux.md §1.7, `probe.c:pci_cfg_space_size`). `reach`: the bus can carry
    registers beyond 256. Conventional functions are asked only in PCI-X mode 2, host bridges and
    PCIe functions always; then 0x100 must not read all ones nor repeat the header."""
    if not reach:
        return 256
    if class_code >> 8 != 0x0600 and Capability.EXPRESS not in caps:
        pcix = caps.get(Capability.PCIX)
        if pcix is None or not access.read(bus, devfn, pcix + 4, 4) & PCIX_FAST:
            return 256
    if access.read(bus, devfn, EXTENDED_START, 4) == ALL_ONES or _repeats(access, bus, devfn):
        return 256
    return CONFIG_SIZE


def _repeats(access: Accessor, bus: int, devfn: int) -> bool:
    """Whether every 256 bytes begin with the id of the function (`pci_ext_cfg_is_aliased`)."""
    first = access.read(bus, devfn, 0, 4)
    return all(
        access.read(bus, devfn, position, 4) == first for position in range(EXTENDED_START, CONFIG_SIZE, 256)
    )
