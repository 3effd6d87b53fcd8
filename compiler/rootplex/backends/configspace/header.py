"""The configuration space header: type 0 and type 1.

Sources: PCIe 6.0 §7.5.1 (what of PCI is left in PCI Express), PCI 3.0 §6.1 and PCI-to-PCI Bridge 1.2
§3.2 (conventional functions, which have latency timers and the bridge controls of a real bus).
"""

from __future__ import annotations

from rootplex.backends.configspace.page import Bits, Page, Register, Table
from rootplex.backends.configspace.shape import Shape
from rootplex.model.device import Bar

STATUS_ERRORS = 0xF900  # parity, target abort, master abort, system error: RW1C in every status register
CAPABILITY_LIST = 0x0010
COMMAND_RW = 0x0147  # I/O, memory, bus master, parity, SERR
COMMAND_DISINTX = 0x0400
PCI_LATENCY = 0xF8

COMMON: Table = (
    Register("vendor", 0x00, 2),
    Register("device", 0x02, 2),
    Register("command", 0x04, 2, writable=COMMAND_RW),
    Register("status", 0x06, 2, clears=STATUS_ERRORS),
    Register("revision", 0x08, 1),
    Register("class_code", 0x09, 3),
    Register("cache_line_size", 0x0C, 1, writable=0xFF),
    Register("latency_timer", 0x0D, 1),
    Register("header_type", 0x0E, 1),
    Register("capabilities", 0x34, 1),
    Register("interrupt_line", 0x3C, 1, writable=0xFF),
    Register("interrupt_pin", 0x3D, 1),
)

TYPE_0: Table = (Register("subsystem_vendor", 0x2C, 2), Register("subsystem", 0x2E, 2))

TYPE_1: Table = (
    Register("primary_bus", 0x18, 1, writable=0xFF),
    Register("secondary_bus", 0x19, 1, writable=0xFF),
    Register("subordinate_bus", 0x1A, 1, writable=0xFF),
    Register("secondary_latency", 0x1B, 1),
    # Windows are shut after reset, base above limit, as QEMU's ports have them; the low bits say that
    # I/O addresses have 32 bits and prefetchable ones 64.
    Register("io_base", 0x1C, 1, 0xF1, writable=0xF0),
    Register("io_limit", 0x1D, 1, 0x01, writable=0xF0),
    Register("secondary_status", 0x1E, 2, clears=STATUS_ERRORS),
    Register("memory_base", 0x20, 2, 0xFFF0, writable=0xFFF0),
    Register("memory_limit", 0x22, 2, writable=0xFFF0),
    Register("prefetchable_base", 0x24, 2, 0xFFF1, writable=0xFFF0),
    Register("prefetchable_limit", 0x26, 2, 0x0001, writable=0xFFF0),
    Register("prefetchable_base_upper", 0x28, 4, writable=0xFFFF_FFFF),
    Register("prefetchable_limit_upper", 0x2C, 4, writable=0xFFFF_FFFF),
    Register("io_base_upper", 0x30, 2, writable=0xFFFF),
    Register("io_limit_upper", 0x32, 2, writable=0xFFFF),
    Register("bridge_control", 0x3E, 2, writable=0x005F),
)

CONVENTIONAL_BRIDGE_CONTROL = Bits(0, 0x0BFF, 0x0400)  # the discard timers and their status

BARS, ROM_TYPE_0, ROM_TYPE_1 = 0x10, 0x30, 0x38
BAR_TYPE = {"io": 0x1, "mem32": 0x0, "mem64": 0x4}
BAR_PREFETCHABLE = 0x8
PINS = {"A": 1, "B": 2, "C": 3, "D": 4}
PCI_FACING = frozenset({"pcie-to-pci-bridge", "pci-bridge"})
CONVENTIONAL = frozenset({"pci", "pci-bridge", "pci-to-pcie-bridge"})


def write_header(page: Page, shape: Shape, capabilities: int) -> None:
    """The header of a function whose first capability is at `capabilities` (0: it has none)."""
    header_type = (1 if shape.is_bridge else 0) | (0x80 if shape.multifunction else 0)
    page.write(
        0,
        COMMON,
        vendor=shape.vendor,
        device=shape.device,
        command=Bits(0, COMMAND_RW | (COMMAND_DISINTX if shape.disintx else 0)),
        status=Bits(CAPABILITY_LIST if capabilities else 0, 0, STATUS_ERRORS),
        revision=shape.revision,
        class_code=shape.class_code,
        latency_timer=Bits(0, PCI_LATENCY if shape.type in CONVENTIONAL else 0),
        header_type=header_type,
        capabilities=capabilities,
        interrupt_pin=0 if shape.pin is None else PINS[shape.pin],
    )
    if shape.is_bridge:
        _write_bridge(page, shape)
    else:
        vendor, device = shape.subsystem or (0, 0)
        page.write(0, TYPE_0, subsystem_vendor=vendor, subsystem=device)
    for bar in shape.bars:
        write_bar(page, BARS + 4 * bar.index, bar)
    if shape.rom is not None:
        size = rounded(shape.rom, 0x800)
        address = Register("rom", ROM_TYPE_1 if shape.is_bridge else ROM_TYPE_0, 4)
        page.write(0, (address,), rom=Bits(0, (-size & 0xFFFF_F800) | 1))


def _write_bridge(page: Page, shape: Shape) -> None:
    primary, secondary, subordinate = shape.buses
    below_is_pci = shape.type in PCI_FACING
    values: dict[str, int | Bits] = {
        "primary_bus": Bits(primary, 0xFF),
        "secondary_bus": Bits(secondary, 0xFF),
        "subordinate_bus": Bits(subordinate, 0xFF),
    }
    if below_is_pci:
        values["secondary_latency"] = Bits(0, PCI_LATENCY)
        values["bridge_control"] = CONVENTIONAL_BRIDGE_CONTROL
    page.write(0, TYPE_1, **values)


def write_bar(page: Page, at: int, bar: Bar) -> None:
    """A base address register of 4 or 8 bytes: address bits from the size up can be written."""
    kind = BAR_TYPE[bar.space] | (BAR_PREFETCHABLE if bar.prefetchable else 0)
    size = rounded(bar.size, 4 if bar.space == "io" else 16)
    width = 8 if bar.space == "mem64" else 4
    page.write(at, (Register("address", 0, width),), address=Bits(kind, -size & ((1 << width * 8) - 1)))


def rounded(size: int, least: int) -> int:
    """The power of two that a register decodes for `size` bytes; `least` is the smallest there is."""
    return max(least, 1 << (size - 1).bit_length())
