"""Host bridges of the description to the model, with what each firmware says differently."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from rootplex.formats.devicetree import GENERIC
from rootplex.formats.pci import BUS_SIZE
from rootplex.frontends.description.devices import build_devices, properties_of
from rootplex.frontends.description.values import U64, Fields
from rootplex.model.bridge import (
    AcpiView,
    ConfigSpace,
    DmaWindow,
    DtView,
    HostBridge,
    IdMapEntry,
    Intx,
    IntxEntry,
    IommuMap,
    MsiMap,
    Register,
    Special,
    Window,
)
from rootplex.model.controllers import InterruptController, IoApic, Iommu, RidIommu
from rootplex.model.numbers import BusRange
from rootplex.model.part import Places
from rootplex.readers.controllers import known_controller
from rootplex.source.node import Node

_ALL_SIZES = (1, 2, 4)
_IDS_PER_BUS = 256
U32 = (1 << 32) - 1


class Surroundings(Struct, frozen=True):
    """What a bridge refers to: the controllers that decide its defaults, and the names of all bridges."""

    interrupt_controllers: tuple[InterruptController, ...]
    iommus: tuple[Iommu, ...]
    bridges: frozenset[str]

    def trigger_of(self, controller: str) -> str:
        """level-low on an IO-APIC, level-high on everything else."""
        low = any(isinstance(each, IoApic) and each.name == controller for each in self.interrupt_controllers)
        return "level-low" if low else "level-high"

    def takes_ids(self, unit: str) -> bool:
        """Whether the unit's streams are requester ids, and there is no map."""
        return any(isinstance(each, RidIommu) and each.name == unit for each in self.iommus)


def build_bridge(fields: Fields, index: int, around: Surroundings) -> HostBridge:
    """One entry of `host_bridges`, its place in the list being `index`."""
    bus_range = _bus_range(fields, "bus_range") or BusRange(0, 0xFF)
    config = fields.get("config")
    hot_pluggable = fields.flag("hot_pluggable", default=False)
    return HostBridge(
        places=fields.places(),
        index=index,
        name=fields.text("name") or "",
        segment=fields.number("segment", 0, 0xFFFF),
        bus_range=bus_range,
        config=_config(Fields(config or Node({}, fields.node.place), fields.faults), bus_range),
        windows=_windows(fields) or (),
        dma_windows=_dma_windows(fields),
        intx=_intx(fields.map("intx"), around),
        msi=_msi(fields.map("msi"), bus_range, around),
        iommu=_iommu(fields.map("iommu"), bus_range, around),
        dma_coherent=fields.flag("dma_coherent", default=True),
        proximity=fields.number("proximity", 0, U32),
        hot_pluggable=hot_pluggable,
        enabled=fields.flag("enabled", default=True),
        preserve_boot_config=fields.flag("preserve_boot_config", default=False),
        acpi=_acpi_view(fields, bus_range, around, hot_pluggable=hot_pluggable),
        dt=_dt_view(fields, bus_range, around),
        devices=build_devices(fields, ""),
    )


def _bus_range(fields: Fields, key: str) -> BusRange | None:
    pair = fields.numbers(key, 0, 0xFF)
    return None if pair is None or len(pair) != 2 else BusRange(pair[0], pair[1])


def _config(fields: Fields, buses: BusRange) -> ConfigSpace:
    kind = fields.text("kind") or "ecam"
    needed = max(buses.count, 0) * BUS_SIZE.get(kind, 0)
    registers = tuple(
        Register(
            places=each.places(),
            name=each.text("name") or "",
            base=each.number("base") or 0,
            size=each.number("size") or 0,
        )
        for each in fields.maps("registers")
    )
    base, size = fields.number("base"), fields.number("size", 1)
    if registers and base is None:
        block = next((each for each in registers if each.name == "config"), None)
        if block is None:
            missing = (
                "'registers' has no entry 'config', and there is no 'base': where is configuration space?"
            )
            fields.faults.value(fields.node.keys["registers"], missing, help="name the entry that it is in")
        else:
            base, size = block.base, size or block.size
    compatible = _texts_or(fields, "compatible", (GENERIC[kind],) if kind in GENERIC else ())
    known = known_controller(compatible)
    if known is not None and known.config_block is not None and not registers and kind == "windowed":
        # The driver looks for this one block by name.
        place = fields.places()
        registers = (Register(places=place, name=known.config_block, base=base or 0, size=size or needed),)
    return ConfigSpace(
        places=fields.places(),
        kind=kind,  # type: ignore[arg-type]  # the schema's enum
        base=base or 0,
        size=size or needed,
        sizes=fields.numbers("sizes", 1, 8) or _ALL_SIZES,
        sizes_root_bus=fields.numbers("sizes_root_bus", 1, 8),
        special=tuple(_special(each, buses) for each in fields.maps("special")),
        compatible=compatible,
        registers=registers,
    )


def _special(fields: Fields, buses: BusRange) -> Special:
    bus = fields.get("bus")
    first = bus is None or bus.value == "first"
    return Special(
        places=fields.places(),
        bus=buses.first if first else fields.number("bus", 0, 0xFF) or 0,
        dev=fields.number("dev", 0, 31),
        behaviour=fields.text("behaviour") or "hidden",  # type: ignore[arg-type]  # the schema's enum
        register=fields.number("register"),
    )


def _windows(fields: Fields) -> tuple[Window, ...] | None:
    if fields.get("windows") is None:
        return None
    return tuple(
        Window(
            places=each.places(),
            space=each.text("space") or "mem32",  # type: ignore[arg-type]  # the schema's enum
            pci=each.number("pci") or 0,
            cpu=_first(each.number("cpu"), each.number("pci") or 0),
            size=each.number("size", 0, U64) or 0,
            prefetchable=each.flag("prefetchable", default=False),
        )
        for each in fields.maps("windows")
    )


def _first(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _dma_windows(fields: Fields) -> tuple[DmaWindow, ...] | None:
    if fields.get("dma_windows") is None:
        return None
    return tuple(
        DmaWindow(
            places=each.places(),
            pci=each.number("pci") or 0,
            cpu=_first(each.number("cpu"), each.number("pci") or 0),
            size=each.number("size", 0, U64) or 0,
        )
        for each in fields.maps("dma_windows")
    )


def _intx(fields: Fields | None, around: Surroundings) -> Intx | None:
    if fields is None:
        return None
    controller = fields.text("controller") or ""
    return Intx(
        places=fields.places(),
        controller=controller,
        irqs=fields.numbers("irqs", 0, U32) or (),
        swizzle=fields.flag("swizzle", default=True),
        map=tuple(
            IntxEntry(
                places=each.places(),
                dev=each.number("dev", 0, 31),
                pin=each.text("pin") or "A",  # type: ignore[arg-type]  # the schema's enum
                irq=each.number("irq", 0, U32) or 0,
            )
            for each in fields.maps("map")
        ),
        trigger=fields.text("trigger") or around.trigger_of(controller),
    )


def _id_map(fields: Fields, target_key: str, target: str, buses: BusRange) -> tuple[IdMapEntry, ...]:
    """The written map, else the identity over the bus range."""
    if fields.get("map") is None:
        first = buses.first * _IDS_PER_BUS
        return (
            IdMapEntry(
                places=Places(fields.node.place),
                rid=first,
                id=first,
                count=max(buses.count, 0) * _IDS_PER_BUS,
                target=target,
            ),
        )
    return tuple(
        IdMapEntry(
            places=each.places(),
            rid=each.number("rid", 0, U32) or 0,
            id=each.number("id", 0, U32) or 0,
            count=_first(each.number("count", 1, 1 << 32), 1),
            target=each.text(target_key) or target,
        )
        for each in fields.maps("map")
    )


def _msi(fields: Fields | None, buses: BusRange, around: Surroundings) -> MsiMap | None:
    if fields is None:
        return None
    controller = fields.text("controller") or ""
    return MsiMap(
        places=fields.places(),
        controller=controller,
        entries=_id_map(fields, "controller", controller, buses),
        mask=_first(fields.number("mask", 0, U32), U32),
        parent=fields.flag("parent", default=controller in around.bridges),
    )


def _iommu(fields: Fields | None, buses: BusRange, around: Surroundings) -> IommuMap | None:
    if fields is None:
        return None
    unit = fields.text("unit") or ""
    return IommuMap(
        places=fields.places(),
        unit=unit,
        entries=() if around.takes_ids(unit) else _id_map(fields, "unit", unit, buses),
        mask=_first(fields.number("mask", 0, U32), U32),
        ats=fields.flag("ats", default=False),
        pri=fields.flag("pri", default=False),
    )


def _override(
    bridge: Fields, key: Literal["acpi", "dt"], buses: BusRange, around: Surroundings
) -> dict[str, object]:
    """The fields that both views share; each replaces the bridge's whole."""
    view = bridge.map(key)
    if view is None:
        return {}
    segment: int | Literal["none"] | None = None
    if view.get("segment") is not None:
        segment = "none" if _is_none(view, "segment") else view.number("segment", 0, 0xFFFF)
    own_buses = _bus_range(view, "bus_range")
    config = view.get("config")
    enabled = view.get("enabled")
    there = own_buses or buses
    return {
        "places": view.places(),
        "present": view.flag("present", default=True),
        "segment": segment,
        "bus_range": own_buses,
        "config": None if config is None else _config(Fields(config, view.faults), there),
        "windows": _windows(view),
        "msi": "none" if _is_none(view, "msi") else _msi(view.map("msi"), there, around),
        "iommu": "none" if _is_none(view, "iommu") else _iommu(view.map("iommu"), there, around),
        "enabled": None if enabled is None else enabled.value is True,
    }


def _is_none(view: Fields, key: str) -> bool:
    """Whether this firmware is to say nothing of it."""
    node = view.get(key)
    return node is not None and node.value == "none"


def _acpi_view(bridge: Fields, buses: BusRange, around: Surroundings, *, hot_pluggable: bool) -> AcpiView:
    view = bridge.map("acpi")
    if view is None:
        return AcpiView(cba=hot_pluggable, mcfg=not hot_pluggable)
    mcfg: bool | BusRange = not hot_pluggable
    if (node := view.get("mcfg")) is not None:
        mcfg = node.value if isinstance(node.value, bool) else _bus_range(view, "mcfg") or mcfg
    uid = view.get("uid")
    return AcpiView(
        **_override(bridge, "acpi", buses, around),  # type: ignore[arg-type]
        uid=None if uid is None else uid.value if isinstance(uid.value, int) else str(uid.value),
        hid=view.text("hid") or AcpiView().hid,
        cid=_texts_or(view, "cid", AcpiView().cid),
        osc=_texts_or(view, "osc", AcpiView().osc),
        mcfg=mcfg,
        cba=view.flag("cba", default=hot_pluggable),
    )


def _texts_or(fields: Fields, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    texts = fields.texts(key)
    return default if texts is None else texts


def _dt_view(bridge: Fields, buses: BusRange, around: Surroundings) -> DtView:
    view = bridge.map("dt")
    if view is None:
        return DtView()
    return DtView(
        **_override(bridge, "dt", buses, around),  # type: ignore[arg-type]
        label=view.text("label"),
        properties=properties_of(view),
    )
