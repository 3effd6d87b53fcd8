"""When this kernel switches ACS on, and what it writes (linux.md §5.2, `pci.c:pci_enable_acs`)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from rootplex.simulator.function import (
    ACS_CONTROL,
    ACS_CR,
    ACS_EC,
    ACS_REQUIRED,
    ACS_RR,
    ACS_TB,
    Bus,
    Function,
)
from rootplex.simulator.linux.access import Accessor
from rootplex.simulator.linux.command_line import PciOptions

CAPABILITY = 4
ACS_BITS = 0x7F
REDIRECT = ACS_RR | ACS_CR | ACS_EC
"""What `disable_acs_redir` takes away."""

_ADDRESS = re.compile(r"(?i)(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])")
_STEP = re.compile(r"(?i)([0-9a-f]{1,2})\.([0-7])")
_IDS = re.compile(r"(?i)pci((?::[0-9a-f]{1,4}){2}|(?::[0-9a-f]{1,4}){4})")


class AcsPolicy(Struct):
    """The kernel's state: whether anything has asked for ACS yet, and the command line. `from_firmware`: bits
    that the command line leaves alone are firmware's, whatever this kernel wants (since 6.11); before, they
    are what the kernel has switched on."""

    requested: bool
    options: PciOptions = PciOptions()
    from_firmware: bool = True

    def apply(self, access: Accessor, function: Function, *, blocks_translation: bool) -> None:
        """Bring a function's control register to what this kernel wants, and note it in `acs`. Translation
        Blocking is switched on where it is asked for, and everywhere without ATS."""
        if not function.acs_capability or function.acs is None:
            return
        bus, devfn, offset = function.bus.number, function.devfn, function.acs_capability
        capability, firmware = function.acs
        control = firmware
        if self.requested and not function.acs_elsewhere:
            control |= capability & ACS_REQUIRED
            if blocks_translation or not self.options.ats:
                control |= capability & ACS_TB
        for mask, bits in self._forced(function):
            control = (firmware if self.from_firmware else control) & ~mask | bits & mask
        if control != firmware:
            width = 2 if function.acs_control == ACS_CONTROL else 4
            access.write(bus, devfn, offset + function.acs_control, width, control)
            control = access.read(bus, devfn, offset + function.acs_control, width)
        function.acs = (capability, control & ACS_BITS)

    def _forced(self, function: Function) -> Iterator[tuple[int, int]]:
        """(mask, bits under it) of each option that names the function."""
        options = self.options
        if options.disable_acs_redir and _first(options.disable_acs_redir.split(";"), function) is not None:
            yield REDIRECT, 0
        if options.config_acs:
            forced = _configured(options.config_acs, function)
            if forced is not None:
                yield forced


def _configured(text: str, function: Function) -> tuple[int, int] | None:
    """`<bits>@<device>;…` (`__pci_config_acs`): strings over 0, 1, x whose last character is bit 0. The first
    entry that names the function counts; one that cannot be read ends the list."""
    for entry in text.split(";"):
        flags, at, device = entry.partition("@")
        if not at or set(flags) - set("01xX"):
            return None
        mask = sum(1 << index for index, bit in enumerate(reversed(flags)) if bit in "01")
        if mask & ~ACS_BITS:
            return None
        match _matches(device, function):
            case None:
                return None
            case True:
                return mask, sum(1 << index for index, bit in enumerate(reversed(flags)) if bit == "1")
    return None


def _first(devices: list[str], function: Function) -> str | None:
    """The first entry that names the function; none behind one that cannot be read."""
    for device in devices:
        match _matches(device, function):
            case None:
                return None
            case True:
                return device
    return None


def _matches(text: str, function: Function) -> bool | None:
    """Whether a device string names the function (`pci_dev_str_match`): `[segment:]bus:dev.fn[/dev.fn]*`, or
    `pci:vendor:device[:subvendor:subdevice]`, where 0 is any. None: it cannot be read."""
    if text.startswith("pci:"):
        ids = _IDS.fullmatch(text)
        if ids is None:
            return None
        wanted = [int(part, 16) for part in ids[1].split(":")[1:]]
        own = [function.vendor, function.device, *(function.subsystem or (0, 0))]
        return all(want in (0, have) for want, have in zip(wanted, own, strict=False))
    address, *steps = text.split("/")
    at: Function | None = function
    for step in reversed(steps):
        match = _STEP.fullmatch(step)
        if match is None:
            return None
        if at is None or at.devfn != _devfn(match[1], match[2]):
            return False
        at = at.bus.bridge
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    if at is None:
        return False
    bus: Bus = at.bus
    place = (int(match[1] or "0", 16), int(match[2], 16), _devfn(match[3], match[4]))
    return place == (bus.segment, bus.number, at.devfn)


def _devfn(device: str, function: str) -> int:
    return int(device, 16) << 3 | int(function, 16)


def read(access: Accessor, function: Function, hidden: int = 0) -> tuple[int, int]:
    """(capability, control) of a function's ACS capability; `hidden` are capability bits that the kernel does
    not use. Notes in `gone` whether nothing answers: there are reserved bits, which read 0."""
    bus, devfn, offset = function.bus.number, function.devfn, function.acs_capability
    both = access.read(bus, devfn, offset + CAPABILITY, 4)
    function.gone = both == 0xFFFFFFFF
    control = both >> 16
    if function.acs_control != ACS_CONTROL:
        control = access.read(bus, devfn, offset + function.acs_control, 4)
    return both & ACS_BITS & ~hidden, control & ACS_BITS
