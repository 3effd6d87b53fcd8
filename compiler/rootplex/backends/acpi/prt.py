"""`_PRT`: which interrupt each pin of each device number on the first bus raises (ACPI 6.5 §6.2.13).

Entries name a global system interrupt directly (source 0), whose trigger a table cannot say: Linux takes
level, high with a GIC and low with an IO-APIC (linux.md §6.2).
"""

from __future__ import annotations

from msgspec import Struct

from rootplex.model.bridge import HostBridge, Intx
from rootplex.model.controllers import DtNode, GicV2, GicV3, IoApic
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding
from rootplex.source.place import Place
from rootplex.source.rules import INTERRUPT_TRIGGER

_DEVICES = 32
_PINS = "ABCD"
_SPI_BASE = 32  # the interrupt ID of SPI 0


class Route(Struct, frozen=True):
    """Device number, pin (0 is INTA), global system interrupt, and where the wire was written."""

    device: int
    pin: int
    gsi: int
    source: Place

    @property
    def address(self) -> int:
        """The `_ADR` form of every function of the device."""
        return self.device << 16 | 0xFFFF


def routes(platform: Platform, bridge: HostBridge) -> tuple[Route, ...]:
    """The entries by device and pin; none without INTx, and none for a controller that ACPI does not have."""
    if bridge.intx is None:
        return ()
    controller = platform.controller(bridge.intx.controller)
    if isinstance(controller, GicV2 | GicV3):
        offset = _SPI_BASE
    elif isinstance(controller, IoApic):
        offset = 0
    else:
        return ()
    return tuple(
        Route(device, pin, offset + irq, place)
        for (device, pin), (irq, place) in sorted(_wires(bridge.intx).items(), key=lambda wire: wire[0])
    )


def trigger_fault(platform: Platform, bridge: HostBridge) -> Finding | None:
    """What is wrong where the lines have another trigger than the one that `_PRT` implies."""
    if bridge.intx is None:
        return None
    controller = platform.controller(bridge.intx.controller)
    if controller is None or isinstance(controller, DtNode):
        return None
    implied = "level-low" if isinstance(controller, IoApic) else "level-high"
    if bridge.intx.trigger == implied:
        return None
    return INTERRUPT_TRIGGER.finding(
        bridge.intx.at("trigger"),
        f"the INTx lines of {bridge.name} are {bridge.intx.trigger}, which _PRT cannot say",
        related=((controller.at(), "the interrupt controller"),),
        notes=(f"a _PRT entry with a plain interrupt number is {implied} on this controller",),
        help=f"write {implied}, or leave acpi out of the platform's firmware",
        subject=bridge.name,
    )


def _wires(intx: Intx) -> dict[tuple[int, int], tuple[int, Place]]:
    """(device, pin) → number and place; of two entries for the same wire the first holds."""
    wires: dict[tuple[int, int], tuple[int, Place]] = {}
    for entry in intx.map:
        for device in range(_DEVICES) if entry.dev is None else (entry.dev,):
            wires.setdefault((device, _PINS.index(entry.pin)), (entry.irq, entry.at("irq")))
    lines = len(intx.irqs)
    for device in range(_DEVICES):
        for pin in range(lines):
            line = (pin + device) % lines if intx.swizzle else pin
            wires.setdefault((device, pin), (intx.irqs[line], intx.at(f"irqs.{line}")))
    return wires
