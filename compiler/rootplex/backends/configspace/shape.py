"""What the registers of a function depend on: two functions of one shape share their pages.

A large platform repeats itself. 65,536 functions have a few shapes, so that config.bin and the time
to make it follow the number of shapes, and only config.json grows with the functions.
"""

from __future__ import annotations

from typing import NamedTuple

from rootplex.model.device import BRIDGE_TYPES, Bar, Device, DeviceType, Sriov


class Shape(NamedTuple):
    """A device's own facts, and what its surroundings add.

    `buses` are primary, secondary and subordinate bus number; `occupied` tells whether anything is
    on the bus below; `next_function` is the ARI chain's (0 ends it).
    """

    type: DeviceType
    vendor: int
    device: int
    subsystem: tuple[int, int] | None
    revision: int
    class_code: int
    multifunction: bool
    acs: tuple[str, ...] | None
    ari: bool
    next_function: int
    ats: bool
    flr: bool
    pm: bool
    msi: int
    msix: int
    pin: str | None
    disintx: bool
    bars: tuple[Bar, ...]
    rom: int | None
    sriov: Sriov | None
    function: int
    slot: int | None
    hotplug: bool
    buses: tuple[int, int, int]
    occupied: bool

    @property
    def is_bridge(self) -> bool:
        return self.type in BRIDGE_TYPES


def shape_of(device: Device, bus: int, next_function: int) -> Shape:
    """The shape of a device on a bus of that number (as firmware left it; 0: not numbered)."""
    secondary, subordinate = device.bus or (0, 0)
    own = {name: getattr(device, name) for name in Shape._fields if name in Device.__struct_fields__}
    return Shape(
        **own,
        next_function=next_function,
        # Only the SR-IOV capability names the function; elsewhere it would tell equal pages apart.
        function=device.fn if device.sriov is not None else 0,
        buses=(bus if device.bus is not None else 0, secondary, subordinate),
        occupied=any(child.present for child in device.devices),
    )
