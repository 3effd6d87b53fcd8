"""A host bridge of the namespace to an entry of `host_bridges`, with the ECAM that MCFG or `_CBA` give it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rootplex.formats.acpi import ADDRESS_SPACES, EXPRESS_ROOT_BRIDGE, OSC_CONTROLS, OSC_DEFAULT, ROOT_BRIDGE
from rootplex.formats.pci import ECAM_BUS
from rootplex.frontends.acpi.controllers import AcpiControllers
from rootplex.frontends.acpi.ids import iommu_of, msi_of
from rootplex.frontends.acpi.intx import intx_of
from rootplex.frontends.document import Hex, Missing, address, flag, leaf, listing, record, size, told, tree
from rootplex.readers.acpi.aml_facts import AcpiHostBridge, Value
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.acpi.resources import Resource
from rootplex.readers.buses import ALL_BUSES
from rootplex.source.node import Node
from rootplex.source.place import Place

_FOUR_GIB = 1 << 32
_PORTS = (0xCF8, 8)
"""Configuration mechanism 1 of the PC: address register and data register (PCI 3.0 §3.2.2.3.2)."""

_HID_FORM = re.compile(r"([A-Z]{3}|[A-Z0-9]{4})[0-9A-F]{4}")


def bridge_record(bridge: AcpiHostBridge, index: int, name: str, controllers: AcpiControllers) -> Node:
    """The entry; what the tables do not tell goes to the controllers's list."""
    return _Bridge(bridge, index, name, controllers).record()


class _Bridge:
    def __init__(self, bridge: AcpiHostBridge, index: int, name: str, controllers: AcpiControllers) -> None:
        self.bridge = bridge
        self.index = index
        self.name = name
        self.controllers = controllers
        self.segment = bridge.segment or 0
        self.acpi: dict[str, Node | None] = {}
        self.extra: dict[str, Node | None] = {}

    def missing(self, what: str, why: str, place: Place) -> None:
        self.controllers.missing.append(Missing(f"{self.name}: {what}", why, place))

    def record(self) -> Node:
        bridge = self.bridge
        buses = self.buses()
        fields: dict[str, Node | None] = {
            "name": leaf(self.name, bridge.place),
            "enabled": self.enabled(),
            "segment": self.number("segment", "_SEG", bridge.seg, 0xFFFF),
            "bus_range": None
            if buses is None
            else listing((leaf(Hex(bus), bridge.crs.place) for bus in buses), bridge.crs.place, "_CRS"),
            "config": self.config(buses),
            "windows": listing(self.windows(), bridge.crs.place),
            "intx": intx_of(bridge, self.controllers, self.name),
            "msi": msi_of(self.controllers, self.segment, buses or (0, 0xFF), self.name),
            "iommu": iommu_of(self.controllers, self.segment, buses or (0, 0xFF), self.name),
            "dma_windows": self.dma_windows(),
            "dma_coherent": self.coherent(),
            "proximity": self.number("proximity", "_PXM", bridge.pxm, 0xFFFFFFFF),
            "preserve_boot_config": flag(True, bridge.preserve.place, "_DSM function 5 gives 0")
            if bridge.preserve.known == 0
            else None,
        }
        self.identity()
        fields |= self.extra
        fields["acpi"] = record(bridge.place, self.acpi) if any(self.acpi.values()) else None
        return record(bridge.place, fields, bridge.path)

    def number(self, what: str, object: str, value: Value[int], limit: int) -> Node | None:
        if value.state == "absent":
            return None
        if value.known is None:
            self.missing(what, value.reason or "not known", value.place)
            return None
        if not 0 <= value.known <= limit:
            self.missing(what, f"{object} is {value.known:#x}, beyond {limit:#x}", value.place)
            return None
        return leaf(value.known, value.place, object)

    def enabled(self) -> Node | None:
        status = self.bridge.sta
        if status.known is not None and not self.bridge.is_on:
            return flag(False, status.place, f"_STA is {status.known:#x}")
        if status.state in ("unknown", "failed"):
            self.missing("enabled", f"_STA: {status.reason}", status.place)
        return None

    def buses(self) -> tuple[int, int] | None:
        found = self.bridge.buses
        if found is not None and found.last <= ALL_BUSES.last:
            return found.first, found.last
        crs = self.bridge.crs
        self.missing("bus_range", crs.reason or "_CRS names no buses", crs.place)
        return None

    def config(self, buses: tuple[int, int] | None) -> Node:
        """By `_CBA`, else MCFG, else (x86) the I/O ports."""
        bridge = self.bridge
        first = buses[0] if buses is not None else bridge.bbn.known or 0
        entry = self.entry(buses or (first, first))
        base = bridge.cba
        if base.known is not None and base.known:
            if entry is not None:
                self.acpi["cba"] = flag(True, base.place)
                self.covered(entry, buses)
            else:
                self.extra["hot_pluggable"] = flag(True, base.place, "_CBA, and not in MCFG")
            return self.ecam(base.known, first, base.place, "_CBA")
        if base.state in ("unknown", "failed"):
            self.missing("config.base", f"_CBA: {base.reason}", base.place)
        if entry is not None:
            self.covered(entry, buses)
            return self.ecam(entry.base, first, entry.place, told(entry.place))
        self.acpi["mcfg"] = flag(False, bridge.place) if bridge.hid or bridge.cids else None
        if self.controllers.source.arch == "x86_64" and self.segment == 0:
            del self.acpi["mcfg"]
            place, length = _PORTS
            fields: dict[str, Node | None] = {
                "kind": leaf("windowed", bridge.place),
                "base": leaf(Hex(place), bridge.place),
                "size": leaf(length, bridge.place),
            }
            return record(bridge.place, fields, "no MCFG entry: by the I/O ports 0xcf8 to 0xcff")
        self.missing("config.base", "no MCFG entry covers its buses, and there is no _CBA", bridge.place)
        return record(bridge.place, {})

    def covered(self, entry: McfgEntry, buses: tuple[int, int] | None) -> None:
        """`mcfg`, where the entry is not for the bridge's buses alone; the first bridge has it."""
        span = (entry.start_bus, entry.end_bus)
        owner = self.controllers.entries_of.setdefault(entry.index, self.name)
        if owner != self.name:
            self.acpi["mcfg"] = flag(False, entry.place, f"the entry of {owner} covers it")
        elif buses is not None and span != buses:
            self.acpi["mcfg"] = listing((leaf(Hex(bus), entry.place) for bus in span), entry.place)

    def ecam(self, base: int, first: int, place: Place, remark: str) -> Node:
        """ECAM in the language's terms: the base is that of the first bus."""
        return record(place, {"base": leaf(address(base + first * ECAM_BUS), place)}, remark)

    def entry(self, buses: tuple[int, int]) -> McfgEntry | None:
        """The MCFG entry of the first bus, as Linux looks it up (`pci_mcfg_lookup`)."""
        mcfg = self.controllers.source.mcfg
        for entry in () if mcfg is None else mcfg.entries:
            if entry.segment == self.segment and entry.start_bus <= buses[0] <= entry.end_bus:
                return entry
        return None

    def windows(self) -> Iterator[Node]:
        crs = self.bridge.crs
        template = crs.value
        if template is None:
            if crs.state != "absent":
                self.missing("windows", f"_CRS: {crs.reason}", crs.place)
            return
        for item, sure in zip(template.resources, template.sure, strict=True):
            if item.type in ("memory", "io") and item.kind in ADDRESS_SPACES:
                yield from self.window(item, certain=sure or crs.state == "known")

    def window(self, item: Resource, *, certain: bool) -> Iterator[Node]:
        place = self.bridge.crs.place
        what = f"_CRS+{item.offset:#x}"
        if not certain:
            self.missing(f"window {what}", f"it is {self.bridge.crs.reason}", place)
        elif not item.span:
            reverse = item.length and item.minimum > item.maximum
            text = "it runs backwards, and Linux drops it" if reverse else "it has no bytes"
            self.missing(f"window {what}", text, place)
        elif not item.producer:
            self.missing(f"window {what}", "the bridge consumes it, and passes nothing down", place)
        else:
            cpu = item.cpu_minimum
            io = item.type == "io"
            wide = item.minimum + item.span > _FOUR_GIB
            space = "io" if io else "mem64" if wide else "mem32"
            yield record(
                place,
                {
                    "space": leaf(space, place),
                    "pci": leaf(address(item.minimum), place),
                    "cpu": None if cpu == item.minimum else leaf(address(cpu), place),
                    "size": leaf(size(item.span), place),
                    "prefetchable": flag(True, place) if item.prefetchable and not io else None,
                },
                what,
            )

    def dma_windows(self) -> Node | None:
        """What devices below reach, by `_DMA`; all of memory without."""
        dma = self.bridge.dma
        if dma.value is None:
            if dma.state != "absent":
                self.missing("dma_windows", f"_DMA: {dma.reason}", dma.place)
            return None
        nodes = []
        for item in dma.value.resources:
            what = f"_DMA+{item.offset:#x}"
            if item.type != "memory" or not item.span or item not in dma.value.certain:
                self.missing(f"dma window {what}", "it is no memory that can be relied on", dma.place)
                continue
            fields = {
                "pci": leaf(address(item.minimum), dma.place),
                "cpu": None if not item.translation else leaf(address(item.cpu_minimum), dma.place),
                "size": leaf(size(item.span), dma.place),
            }
            nodes.append(record(dma.place, fields, what))
        return listing(nodes, dma.place)

    def coherent(self) -> Node | None:
        value = self.bridge.cca
        if value.state == "absent":
            if self.controllers.source.arch != "x86_64":
                self.missing("dma_coherent", "there is no _CCA", value.place)
            return None
        if value.known is None:
            self.missing("dma_coherent", f"_CCA: {value.reason}", value.place)
            return None
        return None if value.known else flag(False, value.place, "_CCA is 0")

    def identity(self) -> None:
        """What stands in `acpi` only: `_UID`, `_HID`, `_CID`, `_OSC`."""
        bridge = self.bridge
        uid = bridge.uid
        if uid.known is not None and uid.known != self.index:
            fits = isinstance(uid.known, str) or uid.known <= 0xFFFFFFFF
            self.acpi["uid"] = leaf(uid.known, uid.place) if fits else None
        elif uid.state in ("unknown", "failed"):
            self.missing("acpi.uid", f"_UID: {uid.reason}", uid.place)
        ids = [each for each in (bridge.hid, *bridge.cids) if each is not None]
        if all(_HID_FORM.fullmatch(each) for each in ids):
            if bridge.hid is not None and bridge.hid != EXPRESS_ROOT_BRIDGE:
                self.acpi["hid"] = leaf(bridge.hid, bridge.place)
            if bridge.cids and list(bridge.cids) != [ROOT_BRIDGE]:
                self.acpi["cid"] = tree(list(bridge.cids), bridge.place)
        osc = bridge.osc
        if osc.known is not None and len(osc.known) >= 3:
            granted = [word for word, bit in OSC_CONTROLS.items() if osc.known[2] & bit]
            if set(granted) != set(OSC_DEFAULT):
                self.acpi["osc"] = tree(granted, osc.place)
        elif osc.state == "unknown":
            self.missing("acpi.osc", f"_OSC: {osc.reason}", osc.place)
