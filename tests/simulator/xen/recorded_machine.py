"""The machine of recorded answers: configuration pages as the real Xen's QEMU had them, and a player.

`sequences`, `faults`, `machines` (vPCI, ZynqMP, SMMUv2) and `trees` in `recorded/` are what a real Xen
4.23-unstable (c447b730, x86 and arm64, 2026-11-28) answered; the first line of a file of sequences holds the
machines.
"""

from __future__ import annotations

import base64
import json
import lzma
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rootplex.readers.acpi.dmar import read_dmar
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.mcfg import read_mcfg
from rootplex.readers.dtb import read_dtb
from rootplex.simulator.hardware import BusError
from rootplex.simulator.inputs import Settings
from rootplex.simulator.xen.boot import Firmware, Wiring
from rootplex.simulator.xen.core import Domain, Options, PhantomOption
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.records import DOMID_IO, DOMID_XEN

RECORDED = Path(__file__).parent / "recorded"
BRIDGE_NUMBERS = range(0x18, 0x1B)
COMMAND = range(4, 6)
OPERATIONS = {
    15: "manage_pci_add",
    16: "manage_pci_remove",
    19: "restore_msi",
    20: "manage_pci_add_ext",
    24: "pci_mmcfg_reserved",
    25: "pci_device_add",
    26: "pci_device_remove",
    27: "restore_msi_ext",
    30: "prepare_msix",
    31: "release_msix",
    32: "pci_device_reset",
}
OWNERS = {None: "NULL", DOMID_IO: "DomIO", DOMID_XEN: "d[XEN]"}

Json = dict[str, Any]


def lines(name: str) -> Iterator[Json]:
    """The objects of a recorded file, one a line."""
    with lzma.open(RECORDED / f"{name}.jsonl.xz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


class Recorded:
    """Configuration pages by rid behind ECAM `windows` (base, size, first bus), and x86's ports. What can
    be written: the command register, a bridge's bus numbers, and 64-bit BARs of known size. On arm64
    (`routed`) what is not on bus 0 answers only while a bridge leads there. `memory` (base, size) reads
    as zeros. Where `writable` has the bits of each header that were seen to change, these can be written."""

    def __init__(self, facts: Json) -> None:
        self.routed = facts["arch"] == "arm"
        self.windows = facts["windows"]
        self.memory = facts.get("ram", [])
        self._pages = {
            int(rid, 16): bytearray(unpacked(data).ljust(4096, b"\0")) for rid, data in facts["pages"].items()
        }
        self._bars: dict[tuple[int, int], tuple[int, int]] = {}
        for rid, bars in facts.get("sizing", {}).items():
            for at, length in bars:
                mask = -length & (1 << 64) - 1
                self._bars[int(rid, 16), at] = mask & 0xFFFFFFF0, 0xF
                self._bars[int(rid, 16), at + 4] = mask >> 32, 0
        self._selected = 0
        self._masks = {int(rid, 16): _mask_bytes(masks) for rid, masks in facts.get("writable", {}).items()}

    def _leads(self, rid: int) -> bool:
        if not self.routed or rid < 0x100:
            return True
        bridges = (page for page in self._pages.values() if page[0x0E] & 0x7F == 1)
        return any(page[0x19] and page[0x19] <= rid >> 8 <= page[0x1A] for page in bridges)

    def _page(self, rid: int) -> bytearray | None:
        return self._pages.get(rid) if self._leads(rid) else None

    def config_read(self, rid: int, register: int, size: int) -> int:
        page = self._page(rid)
        if page is None:
            return (1 << 8 * size) - 1
        return int.from_bytes(page[register : register + size], "little")

    def config_write(self, rid: int, register: int, size: int, value: int) -> None:
        page = self._page(rid)
        if page is None:
            return
        if (rid, register) in self._bars:
            writable, kept = self._bars[rid, register]
            made = value & writable | page[register] & kept
            page[register : register + 4] = made.to_bytes(4, "little")
        masks = self._masks.get(rid, {})
        for at, byte in enumerate(value.to_bytes(size, "little"), register):
            if at in masks:
                page[at] = page[at] & ~masks[at] | byte & masks[at]
            elif at in COMMAND or (page[0x0E] & 0x7F == 1 and at in BRIDGE_NUMBERS):
                page[at] = byte

    def _rid(self, address: int, size: int) -> int | None:
        """The function at an address; None for memory."""
        for base, length, first in self.windows:
            if base <= address and address + size <= base + length:
                return int((address - base >> 12) + (first << 8))
        if any(base <= address < base + length for base, length in self.memory):
            return None
        raise BusError(address, size)

    def read(self, address: int, size: int) -> int:
        rid = self._rid(address, size)
        return 0 if rid is None else self.config_read(rid, address & 0xFFF, size)

    def write(self, address: int, size: int, value: int) -> None:
        rid = self._rid(address, size)
        if rid is not None:
            self.config_write(rid, address & 0xFFF, size, value)

    def port_read(self, port: int, size: int) -> int:
        return self.config_read(self._selected >> 8 & 0xFFFF, self._selected & 0xFC | port & 3, size)

    def port_write(self, port: int, size: int, value: int) -> None:
        if port == 0xCF8:
            self._selected = value
        else:
            self.config_write(self._selected >> 8 & 0xFFFF, self._selected & 0xFC | port & 3, size, value)


class Everywhere:
    """Behind a DesignWare bridge's window: one and the same function wherever it is pointed to."""

    def __init__(self, page: bytearray) -> None:
        self._page = page

    def read(self, bus: int, devfn: int, register: int, size: int) -> int:
        return int.from_bytes(self._page[register : register + size], "little")

    def write(self, bus: int, devfn: int, register: int, size: int, value: int) -> None:
        for at, byte in enumerate(value.to_bytes(size, "little"), register):
            if at in COMMAND:
                self._page[at] = byte


def _mask_bytes(masks: dict[str, int]) -> dict[int, int]:
    """Offset to mask, byte by byte."""
    return {
        int(register, 16) + at: byte
        for register, mask in masks.items()
        for at, byte in enumerate(mask.to_bytes(4, "little"))
    }


def mcfg_of(entries: list[list[int]]) -> bytes:
    """An MCFG of these (base, segment, first bus, last bus)."""
    body = bytes(8) + b"".join(struct.pack("<QHBBI", *entry, 0) for entry in entries)
    header = struct.pack("<4sIBB6s8sI4sI", b"MCFG", 36 + len(body), 1, 0, b"BOCHS ", b"BXPC", 1, b"BXPC", 1)
    table = bytearray(header + body)
    table[9] = -sum(table) & 0xFF
    return bytes(table)


class Player:
    """A machine of recorded facts, booted with the simulated Xen, that plays steps."""

    def __init__(self, facts: Json, version: str = "xen-unstable") -> None:
        self.hardware = Recorded(facts)
        iommu = facts["iommu"]
        if self.hardware.routed:
            settings = Settings(
                arch="arm64",
                firmware="dt",
                discovery="xen",
                iommu=iommu,
                pci_passthrough=facts["passthrough"],
                vpci=facts.get("vpci", False),
                xen=version,
            )
            firmware = Firmware(tree=read_dtb(unpacked(facts["dtb"]), "x.dtb"))
            shown = Everywhere(bytearray(unpacked(facts["pages"][facts.get("child", "0")])))
            outbound = (lambda base: shown) if "child" in facts else None
            wiring = Wiring(stream_bits=lambda bridge: 16, outbound=outbound)
            self.xen = Xen(settings, self.hardware, firmware, wiring=wiring)
            return
        settings = Settings(
            arch="x86_64",
            firmware="acpi",
            discovery="xen",
            iommu=iommu,
            xen=version,
            vpci=facts.get("vpci", False),
        )
        dmar = facts.get("dmar")
        firmware = Firmware(
            mcfg=read_mcfg(read_table(mcfg_of(facts["mcfg"]), "mcfg.aml")),
            dmar=None if dmar is None else read_dmar(read_table(bytes.fromhex(dmar), "dmar.aml")),
        )
        options = Options(
            bios_year=2014,
            physical_bits=40,
            reserved=tuple((base, size) for base, size, _ in facts["windows"]),
            x86_iommu="amd" if "amd" in facts else "vtd",
            hidden=frozenset((0, int(rid, 16)) for rid in facts.get("amd", {}).get("hidden", [])),
            phantom=tuple(PhantomOption(*each) for each in facts.get("phantom", [])),
            quarantine=facts.get("quarantine", True),
        )
        self.xen = Xen(settings, self.hardware, firmware, options=options)

    def step(self, name: str, fields: Json | None) -> Any:
        """What the simulated Xen answers, in the form of the record: a number, `crash`, [0, devices] of
        the group query, the sorted devices with their owners of `dump`."""
        if self.xen.crash is not None:
            return "crash"
        match name:
            case "store":
                return self._store(fields or {})
            case "load":
                return self._load(fields or {})
            case "dump":
                known = self.xen.core.records
                return sorted(f"{one.sbdf} {OWNERS.get(one.owner, f'd{one.owner}')}" for one in known)
            case "domain":
                number = (fields or {})["domain"]
                self.xen.core.domains[number] = Domain(number, f"guest{number}", (fields or {})["iommu"])
                return 0
            case "physdev":
                number = (fields or {})["cmd"]
                empty = not (fields or {})["bytes"]
                name, fields = OPERATIONS.get(number, f"physdev{number}"), None if empty else {}
        call = self.xen.call(name, fields)
        if call.crash is not None:
            return "crash"
        if name == "get_device_group" and call.result == 0:
            return [call.result, sorted(call.devices)]
        return call.result

    def _store(self, fields: Json) -> int:
        """A store of Dom0's: to an address, on x86 also to rid << 8 | register by the ports."""
        where, size, value = fields["addr"], fields["size"], fields["value"]
        if self.hardware.routed or where >> 24:
            self.xen.write(where, size, value)
        else:
            self.xen.port_write(0xCF8, 4, 1 << 31 | where & 0xFFFFFC)
            self.xen.port_write(0xCFC + where % 4, size, value)
        return 0

    def _load(self, fields: Json) -> int:
        """A load of Dom0's, as the signed number that it prints."""
        where, size = fields["addr"], fields["size"]
        if self.hardware.routed or where >> 24:
            value = self.xen.read(where, size)
        else:
            self.xen.port_write(0xCF8, 4, 1 << 31 | where & 0xFFFFFC)
            value = self.xen.port_read(0xCFC + where % 4, size)
        return value - (1 << 64) if value >> 63 else value
