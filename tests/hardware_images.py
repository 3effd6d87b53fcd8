"""Hand-made hardware images for tests: registers by their offsets in the PCI and PCIe
specifications, independent of the project's own backend.

PCI Local Bus 3.0 §6.1 (header), PCI-to-PCI Bridge 1.2 §3.2 (type 1), PCIe 6.0 §7.5.3 (PCIe
capability), §7.7.11 (ACS), §7.8.8 (ARI), §9.3.3 (SR-IOV).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from rootplex.simulator.hardware import Hardware, read_image
from rootplex.simulator.inputs import Blob

ENDPOINT, LEGACY, ROOT_PORT, UPSTREAM, DOWNSTREAM, PCIE_TO_PCI, PCI_TO_PCIE, RCIEP, EVENT = (
    0,
    1,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
)
ACS_FULL = 0x5F


class Page:
    """Reset values and write mask of one function."""

    def __init__(self, vendor: int = 0x1234, device: int = 0x0100, class_code: int = 0x020000) -> None:
        self.reset = bytearray(4096)
        self.mask = bytearray(4096)
        self.w1c: list[list[int]] = []
        self._next = 0x40
        self._last_link = 0x34
        self._next_extended = 0x100
        self._last_extended: int | None = None
        self.put(0x00, 2, vendor)
        self.put(0x02, 2, device)
        self.put(0x04, 2, 0, writable=0x0547)
        self.put(0x08, 4, class_code << 8 | 1)
        self.put(0x3C, 1, 0, writable=0xFF)

    def put(self, offset: int, size: int, value: int, writable: int = 0) -> None:
        self.reset[offset : offset + size] = value.to_bytes(size, "little")
        self.mask[offset : offset + size] = writable.to_bytes(size, "little")

    def get(self, offset: int, size: int) -> int:
        return int.from_bytes(self.reset[offset : offset + size], "little")

    def capability(self, id: int, size: int) -> int:
        """Link a standard capability; returns its offset."""
        offset = self._next
        self._next += (size + 3) & ~3
        self.put(0x06, 2, self.get(0x06, 2) | 0x10)
        self.put(self._last_link, 1, offset)
        self.put(offset, 1, id)
        self._last_link = offset + 1
        return offset

    def extended(self, id: int, size: int, version: int = 1) -> int:
        """Link an extended capability; returns its offset."""
        offset = self._next_extended
        self._next_extended += (size + 3) & ~3
        if self._last_extended is not None:
            last = self._last_extended
            self.put(last, 4, self.get(last, 4) & 0xFFFFF | offset << 20)
        self.put(offset, 4, id | version << 16)
        self._last_extended = offset
        return offset

    def bar(self, index: int, size: int, kind: int = 0) -> Page:
        """A memory or I/O BAR with the given low type bits (0 mem32, 4 mem64, 8 prefetchable, 1 I/O)."""
        wide = kind & 7 == 4
        mask = ~(size - 1)
        self.put(0x10 + 4 * index, 4, kind, mask & 0xFFFFFFFF & ~(3 if kind & 1 else 0xF))
        if wide:
            self.put(0x14 + 4 * index, 4, 0, mask >> 32 & 0xFFFFFFFF)
        return self

    def rom(self, size: int) -> Page:
        self.put(0x38 if self.get(0x0E, 1) & 0x7F == 1 else 0x30, 4, 0, ~(size - 1) & 0xFFFFF800 | 1)
        return self

    def bridge(self, hotplug: bool = False, windows: bool = True) -> Page:
        """A type 1 header with bus numbers, and I/O, memory and 64-bit prefetchable windows."""
        self.put(0x0E, 1, self.get(0x0E, 1) & 0x80 | 1)
        self.put(0x09, 3, 0x060400)
        self.put(0x18, 4, 0, 0x00FFFFFF)
        self.put(0x20, 4, 0, 0xFFF0FFF0)
        if windows:
            self.put(0x1C, 2, 0x0101, 0xF0F0)
            self.put(0x24, 4, 0x00010001, 0xFFF0FFF0)
            self.put(0x28, 8, 0, (1 << 64) - 1)
            self.put(0x30, 4, 0, 0xFFFFFFFF)
        self.put(0x3E, 2, 0, 0x0FFF)
        self.hotplug = hotplug
        return self

    def pcie(self, type: int, ari_forwarding: bool = False) -> Page:
        """A version 2 PCIe capability: flags, device capabilities and control 2."""
        offset = self.capability(0x10, 0x3C)
        slot = 0x100 if getattr(self, "hotplug", False) else 0
        self.put(offset + 2, 2, 2 | type << 4 | slot)
        self.put(offset + 8, 2, 0, 0x7FFF)
        if slot:
            self.put(offset + 0x14, 4, 0x40)
        if ari_forwarding:
            self.put(offset + 0x24, 4, 0x20)
            self.put(offset + 0x28, 2, 0, 0x20)
        return self

    def acs(self, capability: int, control: int = 0) -> Page:
        offset = self.extended(0x0D, 8)
        self.put(offset + 4, 2, capability)
        self.put(offset + 6, 2, control, capability & 0x7F)
        return self

    def ari(self, next_function: int = 0) -> Page:
        offset = self.extended(0x0E, 8)
        self.put(offset + 4, 2, next_function << 8)
        return self

    def ats(self) -> Page:
        offset = self.extended(0x0F, 8)
        self.put(offset + 6, 2, 0, 0x801F)
        return self

    def msi(self, vectors_log2: int = 0) -> Page:
        offset = self.capability(0x05, 0x0E)
        self.put(offset + 2, 2, 0x80 | vectors_log2 << 1, 0x71)
        self.put(offset + 4, 8, 0, 0xFFFFFFFF_FFFFFFFC)
        self.put(offset + 12, 2, 0, 0xFFFF)
        return self

    def msix(self, vectors: int) -> Page:
        offset = self.capability(0x11, 0x0C)
        self.put(offset + 2, 2, vectors - 1, 0xC000)
        return self

    def sriov(self, total: int, offset: int, stride: int, vf_device: int = 0x0101, enabled: int = 0) -> Page:
        at = self.extended(0x10, 0x40)
        self.put(at + 8, 2, 1 if enabled else 0, 0x19)
        self.put(at + 0x0C, 2, total)
        self.put(at + 0x0E, 2, total)
        self.put(at + 0x10, 2, enabled, 0xFFFF)
        self.put(at + 0x14, 2, offset)
        self.put(at + 0x16, 2, stride)
        self.put(at + 0x1A, 2, vf_device)
        self.put(at + 0x1C, 4, 1)
        self.put(at + 0x20, 4, 1, 1)
        self.sriov_at = at
        return self

    def multifunction(self) -> Page:
        self.reset[0x0E] |= 0x80
        return self

    def pin(self, number: int, disintx: bool = False) -> Page:
        self.put(0x3D, 1, number)
        self.put(0x04, 2, 0, 0x0547 if disintx else 0x0147)
        return self

    def virtual(self) -> Page:
        """A VF's registers: vendor and device read all ones (PCIe 6.0 §9.3.4.1)."""
        self.put(0, 4, 0xFFFFFFFF)
        return self

    @property
    def bytes(self) -> bytes:
        return bytes(self.reset + self.mask)


def endpoint(**page: int) -> Page:
    return Page(**page).pcie(ENDPOINT)


def root_port(acs: int | None = None, **options: bool) -> Page:
    hotplug = options.pop("hotplug", False)
    page = (
        Page(device=0x0104).bridge(hotplug=hotplug).pcie(ROOT_PORT, ari_forwarding=options.get("ari", True))
    )
    return page if acs is None else page.acs(acs)


def switch_port(type: int, acs: int | None = None) -> Page:
    page = Page(device=0x0100 + type).bridge().pcie(type, ari_forwarding=type == DOWNSTREAM)
    return page if acs is None else page.acs(acs)


Tree = list[Any]
"""[(id, devfn, Page, [children…])…]"""


class Image:
    """Collects bridges and functions; equal pages are stored once."""

    def __init__(self) -> None:
        self.bridges: list[dict[str, Any]] = []
        self.functions: list[dict[str, Any]] = []
        self.pages: dict[bytes, int] = {}

    def bridge(self, id: str = "h0", **fields: Any) -> Image:
        first, last = fields.get("first_bus", 0), fields.get("last_bus", 255)
        self.bridges.append(
            {
                "id": id,
                "kind": "ecam",
                "base": 0x4000_0000_00,
                "size": (last - first + 1) << 20,
                "first_bus": first,
                "last_bus": last,
                "sizes": [1, 2, 4],
                "sizes_root_bus": None,
                "special": [],
                "registers": [],
                "stream_id_bits": 16,
                "device_id_bits": 16,
                **fields,
            }
        )
        return self

    def function(self, id: str, page: Page, *, bridge: str = "h0", **fields: Any) -> Image:
        self.functions.append(
            {
                "id": id,
                "page": self.pages.setdefault(page.bytes, len(self.pages)),
                "bridge": bridge,
                "parent": None,
                "devfn": 0,
                "acs_quirk": None,
                "aliases": [],
                "w1c": page.w1c,
                "vf_of": None,
                **fields,
            }
        )
        return self

    def tree(self, tree: Tree, *, bridge: str = "h0", parent: str | None = None) -> Image:
        for id, devfn, page, *children in tree:
            self.function(id, page, bridge=bridge, parent=parent, devfn=devfn)
            for below in children:
                self.tree(below, bridge=bridge, parent=id)
        return self

    def blobs(self) -> tuple[Blob, Blob]:
        text = json.dumps(
            {"rootplex_config": 1, "bridges": self.bridges, "functions": self.functions},
            indent=1,
            sort_keys=True,
        )
        return Blob("config.json", (text + "\n").encode()), Blob("config.bin", b"".join(self.pages))

    def hardware(self) -> Hardware:
        return Hardware(read_image(*self.blobs()))


def ids(tree: Tree) -> Iterator[str]:
    for id, _, _, *children in tree:
        yield id
        for below in children:
            yield from ids(below)


def dword(data: bytes, offset: int) -> int:
    return int(struct.unpack_from("<I", data, offset)[0])
