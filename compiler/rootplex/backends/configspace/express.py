"""The PCI Express capability, version 2, of every device and port type (PCIe 6.0 §7.5.3).

A link of one lane at 2.5 GT/s, as QEMU's ports show; root complex integrated functions have none.
"""

from __future__ import annotations

from rootplex.backends.configspace.page import Bits, Page, Register, Table
from rootplex.backends.configspace.shape import Shape
from rootplex.model.device import PCIE_TYPE, PORT_TYPES

SIZE = 0x3C
VERSION = 2
SLOT_IMPLEMENTED = 0x0100

ROLE_BASED_ERRORS = 1 << 15  # required since PCIe 1.1
FUNCTION_LEVEL_RESET = 1 << 28
DEVICE_CONTROL_RW = 0x78FF  # error reporting, relaxed ordering, payload, no snoop, read request
DEVICE_CONTROL_RESET = 0x2810  # relaxed ordering, no snoop, read requests of 512 bytes

LINK = 0x0000_0411  # 2.5 GT/s, x1, ASPM L0s
LINK_UP = 0x0011
LINK_ACTIVE_REPORTING, LINK_ACTIVE = 1 << 20, 0x2000
LINK_CONTROL_RW = 0x00CB  # ASPM, completion boundary, common clock, extended synch
PORT_LINK_CONTROL_RW = 0x00D3  # ASPM, link disable, common clock, extended synch

HOT_PLUG = 0x0004_0060  # surprise, capable, no command completed events
HOT_PLUG_CONTROL_RW = 0x1028  # presence detect, hot-plug interrupt, link state
SLOT_EVENTS = 0x011F
PRESENT = 0x0040

ROOT_CONTROL_RW = 0x000F
PME_STATUS = 1 << 16

COMPLETION_TIMEOUT_DISABLE = 0x10
ARI_FORWARDING = 0x20

TABLE: Table = (
    Register("capabilities", 0x02, 2),
    Register("device_capabilities", 0x04, 4),
    Register("device_control", 0x08, 2, DEVICE_CONTROL_RESET, writable=DEVICE_CONTROL_RW),
    Register("device_status", 0x0A, 2, clears=0x000F),
    Register("link_capabilities", 0x0C, 4),
    Register("link_control", 0x10, 2),
    Register("link_status", 0x12, 2),
    Register("slot_capabilities", 0x14, 4),
    Register("slot_control", 0x18, 2),
    Register("slot_status", 0x1A, 2),
    Register("root_control", 0x1C, 2),
    Register("root_status", 0x20, 4),
    Register("device_capabilities_2", 0x24, 4),
    Register("device_control_2", 0x28, 2),
)

_INTEGRATED = frozenset({"integrated-endpoint", "event-collector"})
_ROOT = frozenset({"root-port", "event-collector"})


def write_express(page: Page, at: int, shape: Shape) -> None:
    """The capability of a function that has one (`PCIE_TYPE`)."""
    has_slot = shape.type in PORT_TYPES and (shape.hotplug or shape.slot is not None)
    values: dict[str, int | Bits] = {
        "capabilities": VERSION | PCIE_TYPE[shape.type] << 4 | (SLOT_IMPLEMENTED if has_slot else 0),
        "device_capabilities": ROLE_BASED_ERRORS | (FUNCTION_LEVEL_RESET if shape.flr else 0),
    }
    if shape.type not in _INTEGRATED:
        values |= _link(shape)
    if has_slot:
        values |= _slot(shape)
    if shape.type in _ROOT:
        values |= {"root_control": Bits(0, ROOT_CONTROL_RW), "root_status": Bits(0, 0, PME_STATUS)}
    second = COMPLETION_TIMEOUT_DISABLE
    if shape.ari and shape.type in PORT_TYPES:
        second |= ARI_FORWARDING
    values |= {"device_capabilities_2": second, "device_control_2": Bits(0, second)}
    page.write(at, TABLE, **values)


def _link(shape: Shape) -> dict[str, int | Bits]:
    if shape.type not in PORT_TYPES:
        return {
            "link_capabilities": LINK,
            "link_control": Bits(0, LINK_CONTROL_RW),
            "link_status": LINK_UP,
        }
    return {
        "link_capabilities": LINK | LINK_ACTIVE_REPORTING,
        "link_control": Bits(0, PORT_LINK_CONTROL_RW),
        "link_status": LINK_UP | (LINK_ACTIVE if shape.occupied else 0),
    }


def _slot(shape: Shape) -> dict[str, int | Bits]:
    number = (shape.slot or 0) << 19
    present = PRESENT if shape.occupied else 0
    if not shape.hotplug:
        return {"slot_capabilities": number, "slot_status": present}
    return {
        "slot_capabilities": number | HOT_PLUG,
        "slot_control": Bits(0, HOT_PLUG_CONTROL_RW),
        "slot_status": Bits(present, 0, SLOT_EVENTS),
    }
