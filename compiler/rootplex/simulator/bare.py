"""Linux on the bare machine, without Xen below it: what a boot under QEMU is compared with."""

from __future__ import annotations

from msgspec import Struct

from rootplex.simulator.firmware import AcpiFirmware, DtFirmware
from rootplex.simulator.groups.dom0 import group
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.hardware.image import read_image
from rootplex.simulator.inputs import Artifacts, Settings
from rootplex.simulator.linux.boot import boot
from rootplex.simulator.linux.state import Dom0State
from rootplex.simulator.routing.firmware import Firmware


class Bare(Struct, frozen=True):
    """What the kernel found, its groups, and the hardware as the boot left it."""

    kernel: Dom0State
    groups: Grouping
    hardware: Hardware


def bare_metal(
    artifacts: Artifacts, settings: Settings, dt: DtFirmware | None, acpi: AcpiFirmware | None
) -> Bare:
    """Boot by the firmware that `settings` names. ValueError where it or the hardware is missing."""
    firmware = dt if settings.firmware == "dt" else acpi
    if firmware is None or artifacts.config is None or artifacts.pages is None:
        raise ValueError(f"there is no {settings.firmware} firmware, or no hardware")
    hardware = Hardware(read_image(artifacts.config, artifacts.pages))
    state = boot(firmware, settings, hardware)
    return Bare(state, group(state, Firmware.of(dt, acpi), settings), hardware)
