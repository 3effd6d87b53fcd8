"""When this kernel switches ACS on, and what it writes (linux.md §5.2, `pci.c:pci_enable_acs`)."""

from __future__ import annotations

import re

from msgspec import Struct

from rootplex.simulator.function import ACS_CR, ACS_EC, ACS_REQUIRED, ACS_RR, ACS_TB, Function
from rootplex.simulator.linux.access import Accessor

CAPABILITY, CONTROL = 4, 6
ACS_BITS = 0x7F

# Not compiled here: few command lines have such an option.
_ADDRESS = r"(?i)(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])"
_IDS = r"(?i)pci:([0-9a-f]{1,4}):([0-9a-f]{1,4})"


class Override(Struct, frozen=True):
    """One entry of `pci=disable_acs_redir=` or `pci=config_acs=`: bits to force on and off for a
    device, given by its address (segment, bus, devfn) or its ids (vendor, device)."""

    on: int
    off: int
    address: tuple[int, int, int] | None = None
    ids: tuple[int, int] | None = None

    def matches(self, function: Function) -> bool:
        if self.address is not None:
            return self.address == (function.segment, function.bus.number, function.devfn)
        return self.ids == (function.vendor, function.device)


def overrides(bootargs: str | None, config_acs: bool) -> tuple[Override, ...]:
    """The kernel's command line. `config_acs`: this kernel knows that option. Entries that do not
    parse are ignored, as the kernel does."""
    found: list[Override] = []
    for argument in (bootargs or "").split():
        if not argument.startswith("pci="):
            continue
        for option in argument.removeprefix("pci=").split(","):
            name, _, value = option.partition("=")
            if name == "disable_acs_redir":
                entries = [_override(0, ACS_RR | ACS_CR | ACS_EC, text) for text in value.split(";")]
            elif name == "config_acs" and config_acs:
                entries = [_forced(text) for text in value.split(";")]
            else:
                continue
            found += [entry for entry in entries if entry is not None]
    return tuple(found)


def _forced(text: str) -> Override | None:
    """`<bits>@<device>`: a string over 0, 1, x; its last character is bit 0."""
    bits, _, device = text.partition("@")
    if not bits or len(bits) > 7 or set(bits) - set("01x"):
        return None
    on = sum(1 << index for index, bit in enumerate(reversed(bits)) if bit == "1")
    off = sum(1 << index for index, bit in enumerate(reversed(bits)) if bit == "0")
    return _override(on, off, device)


def _override(on: int, off: int, device: str) -> Override | None:
    if match := re.fullmatch(_ADDRESS, device):
        segment, bus, dev, fn = (int(part or "0", 16) for part in match.groups())
        return Override(on, off, address=(segment, bus, dev << 3 | fn))
    if match := re.fullmatch(_IDS, device):
        return Override(on, off, ids=(int(match[1], 16), int(match[2], 16)))
    return None


class AcsPolicy(Struct):
    """The kernel's state: whether anything has asked for ACS yet, and the command line."""

    requested: bool
    overrides: tuple[Override, ...] = ()

    def apply(self, access: Accessor, function: Function, *, blocking: bool) -> None:
        """Bring a function's control register to what this kernel wants, and note it in `acs`.
        `blocking`: the port faces outward, so Translation Blocking is wanted too."""
        if not function.acs_capability or function.acs is None:
            return
        bus, devfn, offset = function.bus.number, function.devfn, function.acs_capability
        capability, firmware = function.acs
        control = firmware
        if self.requested:
            control |= capability & ACS_REQUIRED
            if blocking:
                control |= capability & ACS_TB
        for override in self.overrides:
            if override.matches(function):
                control = control & ~override.off | override.on & capability
        if control != firmware:
            access.write(bus, devfn, offset + CONTROL, 2, control)
            control = access.read(bus, devfn, offset + CONTROL, 2)
        function.acs = (capability, control & ACS_BITS)


def read(access: Accessor, bus: int, devfn: int, offset: int) -> tuple[int, int]:
    """(capability, control) of the ACS capability at an offset."""
    both = access.read(bus, devfn, offset + CAPABILITY, 4)
    return both & ACS_BITS, both >> 16 & ACS_BITS
