"""A machine for Xen's tests: configuration pages at ECAM addresses, ports, and a Xen on top."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.readers.tree import Tree
from rootplex.simulator.hardware import BusError
from rootplex.simulator.inputs import Settings
from rootplex.simulator.xen.boot import Firmware, Wiring
from rootplex.simulator.xen.core import Options
from rootplex.simulator.xen.machine import Xen

ECAM = 0x40_1000_0000
ARM = Settings(arch="arm64", firmware="dt", discovery="xen")
LAB_TREES = Path(__file__).resolve().parents[2] / "cases" / "xen"


class Page:
    """One function's 4 KiB: `bytes`, and the bits that can be written."""

    def __init__(self, *, header: int = 0, class_: int = 0x0200, ids: int = 0x10001AF4) -> None:
        self.bytes = bytearray(4096)
        self.writable = bytearray(4096)
        self.put(0x00, 4, ids)
        self.put(0x0A, 2, class_)
        self.put(0x0E, 1, header)
        self.put(0x04, 2, 0, writable=0xFFFF)

    def put(self, offset: int, size: int, value: int, *, writable: int = 0) -> Page:
        self.bytes[offset : offset + size] = value.to_bytes(size, "little")
        self.writable[offset : offset + size] = writable.to_bytes(size, "little")
        return self

    def pcie(self, port_type: int, *, capabilities: int = 0) -> Page:
        """A PCI Express capability at 0x40 and an (empty) extended list."""
        self.put(0x06, 2, 0x10).put(0x34, 1, 0x40)
        return self.put(0x40, 2, 0x0010).put(0x42, 2, port_type << 4).put(0x44, 4, capabilities)

    def extended(self, offset: int, id_: int, next_: int = 0) -> Page:
        return self.put(offset, 4, id_ | 1 << 16 | next_ << 20)

    def read(self, register: int, size: int) -> int:
        return int.from_bytes(self.bytes[register : register + size], "little")

    def write(self, register: int, size: int, value: int) -> None:
        for at, byte in enumerate(value.to_bytes(size, "little"), register):
            mask = self.writable[at]
            self.bytes[at] = self.bytes[at] & ~mask | byte & mask


@dataclass
class FakeMachine:
    """ECAM `windows` (base, size) that all show the same `pages` by rid, bus 0 first."""

    pages: dict[int, Page] = field(default_factory=dict)
    windows: tuple[tuple[int, int], ...] = ((ECAM, 0x1000_0000),)
    port_address: int = 0

    def _page(self, address: int) -> tuple[Page | None, int]:
        for base, size in self.windows:
            if base <= address < base + size:
                return self.pages.get(address - base >> 12), address - base & 0xFFF
        raise BusError(address, 4)

    def read(self, address: int, size: int) -> int:
        page, register = self._page(address)
        return (1 << 8 * size) - 1 if page is None else page.read(register, size)

    def write(self, address: int, size: int, value: int) -> None:
        page, register = self._page(address)
        if page is not None:
            page.write(register, size, value)

    def _target(self, port: int) -> tuple[Page | None, int]:
        return self.pages.get(self.port_address >> 8 & 0xFFFF), self.port_address & 0xFC | port & 3

    def port_read(self, port: int, size: int) -> int:
        page, register = self._target(port)
        return (1 << 8 * size) - 1 if page is None else page.read(register, size)

    def port_write(self, port: int, size: int, value: int) -> None:
        if port == 0xCF8:
            self.port_address = value
            return
        page, register = self._target(port)
        if page is not None:
            page.write(register, size, value)


def virt_pages() -> dict[int, Page]:
    """What QEMU's `virt` shows on bus 0: its host bridge, and a virtio-net at 00:01.0."""
    return {0x00: Page(class_=0x0600, ids=0x00081B36), 0x08: Page()}


def tree_of(text: str) -> Tree:
    return read_dtb(compile_dts(text, "x.dts"), "x.dtb")


def case_text(name: str) -> str:
    """The source of a device tree whose outcome on a real Xen is known."""
    return next(LAB_TREES.glob(f"{name}-*.dts")).read_text()


def edited(text: str, *edits: tuple[str, str]) -> str:
    """The source with each text replaced; every one must be there."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


def arm(
    text: str,
    *,
    machine: FakeMachine | None = None,
    options: Options | None = None,
    wiring: Wiring | None = None,
    **settings: Any,
) -> Xen:
    """An arm64 Xen booted from a device tree source, on QEMU's `virt` unless told otherwise."""
    return Xen(
        replace(ARM, **settings),
        machine or FakeMachine(virt_pages()),
        Firmware(tree=tree_of(text)),
        options=options,
        wiring=wiring,
    )


def add(xen: Xen, segment: int, bus: int, devfn: int, *, flags: int = 0, physfn: int = 0) -> int | str:
    """`pci_device_add`: its result, or the kind of Xen's crash."""
    args = {"seg": segment, "bus": bus, "devfn": devfn, "flags": flags}
    call = xen.call("pci_device_add", args | {"physfn_bus": physfn >> 8, "physfn_devfn": physfn & 0xFF})
    return call.crash.kind if call.crash is not None else call.result or 0


def leftover(xen: Xen, segment: int, rid: int) -> str:
    """What a failed add left behind; a record that somebody owns is clean."""
    record = xen.core.records.find(segment, rid >> 8, rid & 0xFF)
    if record is None or record.owner is not None:
        return "clean"
    return "ownerless record" if record.streams is None else "ownerless record with IOMMU data"


def do(xen: Xen, op: str, segment: int, bus: int, devfn: int, **more: int) -> int | str:
    """Another physdev operation on a device, likewise."""
    call = xen.call(op, {"seg": segment, "bus": bus, "devfn": devfn} | more)
    return call.crash.kind if call.crash is not None else call.result or 0


def domctl(xen: Xen, op: str, domain: int, sbdf: int, **more: int) -> int:
    """A domctl on a device of segment 0 (or `sbdf` with its segment)."""
    result = xen.call(op, {"domain": domain, "machine_sbdf": sbdf} | more).result
    assert result is not None
    return result
