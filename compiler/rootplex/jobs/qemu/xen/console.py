"""What is typed on Xen's console, and what Xen says there.

Xen's lines begin with `(XEN) `, also within one of Dom0's; Dom0's stand as they are. Three times Ctrl-a turn
the keyboard to Xen (drivers/char/console.c: switch_serial_input); then `h` lists its keys, and `Q`, where it
has that one, its PCI devices with their owners (drivers/passthrough/pci.c: dump_pci_devices).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from msgspec import Struct

from rootplex.tools.initrd import MARK
from rootplex.tools.runner import ToolError

_LINE = re.compile(r"\(XEN\) ([^\r\n]*)\r*\n?")
_SWITCH = b"\x01\x01\x01"
_LAST_KEY = "key 'w'"  # the list is in the order of characters; every Xen has this one
_DEVICES_KEY = "key 'Q'"
_DEVICES = "==== PCI devices ===="
_ENDS = ("Manual reset required", "Hardware Dom0 crashed", "Hardware Dom0 halted", "Hardware Dom0 shutdown")


class Talk:
    """The listener of a boot (`tools.boot.run`): when Dom0 is done, ask Xen for its devices; end after them,
    or where Xen or Dom0 went down."""

    def __init__(self) -> None:
        self.has_devices_key = False
        self.asked = False

    def __call__(self, line: str) -> bytes | None:
        """What is typed after a line; None: nothing more is to come."""
        if any(end in line for end in _ENDS):
            return None
        if MARK in line:
            return _SWITCH
        if "Serial input to Xen" in line:
            return b"h"
        self.has_devices_key |= _DEVICES_KEY in line
        if _LAST_KEY in line:
            if self.asked or not self.has_devices_key:
                return None
            return b"Q"
        if _DEVICES in line:
            self.asked = True
            return b"h"
        return b""


class Area(Struct, frozen=True, order=True):
    """Configuration space as Xen knows it: CPU address of `first`'s (Arm) or of bus 0's (x86); the segment
    where Xen says it; whether it is used."""

    base: int
    segment: int | None
    first: int
    last: int
    used: bool = True

    def __str__(self) -> str:
        used = "" if self.used else ", not used"
        return f"{self.base:#x} for buses {self.first:02x}-{self.last:02x}{used}"


class XenLog(Struct, frozen=True, kw_only=True):
    """What a Xen said of one boot.

    `release` is its own name (`4.17.5`), `iommu` whether it translates, `areas` the configuration space it
    knows in its order, `added` the functions that it took from Dom0, in order, `refused` those it did
    not, by Dom0's word, `areas_refused` the MCFG areas likewise. `owners` are its devices (None: it has no
    key for them). `panic` is why it went down, `dom0_died` whether Dom0 did.
    """

    release: str
    iommu: bool
    areas: tuple[Area, ...]
    added: tuple[str, ...]
    refused: frozenset[str]
    areas_refused: frozenset[str]
    owners: Mapping[str, str] | None
    panic: str | None
    dom0_died: bool


_RELEASE = re.compile(r"Xen version (\S+)")
_ECAM = re.compile(r"ECAM at \[mem 0x([0-9a-f]+)-0x[0-9a-f]+\] for \[bus ([0-9a-f]+)-([0-9a-f]+)\]")
_ENTRY = re.compile(
    r"PCI: MCFG configuration \d+: base ([0-9a-f]+) segment ([0-9a-f]+) buses ([0-9a-f]+) - ([0-9a-f]+)"
)
_USED = re.compile(r"PCI: Using MCFG for segment ([0-9a-f]+) bus ([0-9a-f]+)-([0-9a-f]+)")
_SBDF = r"([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])"
_ADDED = re.compile(rf"PCI add (?:virtual function|extended function|device|extended device) {_SBDF}")
_REFUSED = re.compile(rf"\b{_SBDF}: Failed to add\b")
"""Linux's word (drivers/xen/pci.c: xen_pci_notifier)."""
_AREA_REFUSED = re.compile(
    r"Failed to report MMCONFIG reservation state for PCI MMCONFIG "
    r"([0-9a-f]{4} \[bus [0-9a-f]{2}-[0-9a-f]{2}\])"
)
_OWNER = re.compile(rf"^{_SBDF} - (\S+)")
_DIED = re.compile(r"Panic on CPU \d+:|Assertion '.*' failed|Xen BUG at|FATAL (?:TRAP|PAGE FAULT)")


def xen_log(text: str, talk: Talk) -> XenLog:
    """What a boot's console has of Xen; ToolError where it has nothing."""
    xen = _LINE.findall(text)
    lines = dom0_text(text).splitlines()
    release = next((found[1] for line in xen if (found := _RELEASE.search(line))), None)
    if release is None:
        _nothing()
    listed = xen[_last(xen, _DEVICES) :] if talk.asked else []
    return XenLog(
        release=release,
        iommu=any(line.startswith("I/O virtualisation enabled") for line in xen),
        areas=(*_ecam(xen), *_mcfg(xen)),
        added=tuple(dict.fromkeys(found[1] for line in xen if (found := _ADDED.search(line)))),
        refused=frozenset(found[1] for line in lines if (found := _REFUSED.search(line))),
        areas_refused=frozenset(found[1] for line in lines if (found := _AREA_REFUSED.search(line))),
        owners={m[1]: m[2] for line in listed if (m := _OWNER.match(line))} if talk.asked else None,
        panic=_panic(xen),
        dom0_died=any("Hardware Dom0 crashed" in line for line in xen),
    )


def dom0_text(text: str) -> str:
    """The console without Xen's lines; one of Dom0's that Xen spoke into is whole again."""
    return _LINE.sub("", text)


def _nothing() -> NoReturn:
    raise ToolError("the boot printed nothing of Xen")


def _last(lines: list[str], mark: str) -> int:
    return max(index for index, line in enumerate(lines) if mark in line)


def _ecam(lines: list[str]) -> list[Area]:
    found = (_ECAM.search(line) for line in lines)
    return [Area(int(m[1], 16), None, int(m[2], 16), int(m[3], 16)) for m in found if m]


def _mcfg(lines: list[str]) -> list[Area]:
    used = {tuple(int(word, 16) for word in m.groups()) for line in lines if (m := _USED.search(line))}
    entries = (_ENTRY.search(line) for line in lines)
    numbers = ([int(word, 16) for word in m.groups()] for m in entries if m)
    return [
        Area(base, segment, first, last, (segment, first, last) in used)
        for base, segment, first, last in numbers
    ]


def _panic(lines: list[str]) -> str | None:
    """Why Xen went down: the line behind `Panic on CPU`, or the assertion or BUG itself."""
    for index, line in enumerate(lines):
        if _DIED.search(line):
            behind = lines[index + 1 : index + 2] if line.startswith("Panic on CPU") else [line]
            return (behind or [line])[0].strip()
    return None
