"""Devices of the description to the model: catalogue facts below the author's keys, defaults filled in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import get_args

from rootplex.frontends.description.values import Fields, number_of
from rootplex.known.reader import class_code, class_names, model
from rootplex.model.device import BRIDGE_TYPES, PCIE_TYPE, Alias, Bar, Device, DeviceType, Pin, Sriov
from rootplex.source.node import Node, Scalar
from rootplex.source.place import Place
from rootplex.source.suggest import advice, nearest

_ACS_OF_PORTS = ("sv", "tb", "rr", "cr", "uf")
_ACS_ELSEWHERE = ("rr", "cr")
_ACS_PORTS = _ARI_PORTS = frozenset({"root-port", "downstream-port"})

# The default device id is 0x0100 plus the PCIe type number; conventional functions continue behind it.
_CONVENTIONAL_ID = {"pci": 0x10, "pci-bridge": 0x11, "host-bridge-function": 0x12}
_DEFAULT_VENDOR = 0x1234


def build_devices(parent: Fields, key: str) -> tuple[Device, ...]:
    """The devices below a host bridge or a bridge; `key` is the parent's position ("" at the top)."""
    below = parent.get("devices")
    if below is None:
        return ()
    merged = [Fields(_with_catalogue(node), parent.faults) for node in below.items]
    present = Counter(
        device.number("dev", 0, 31) or 0 for device in merged if device.flag("present", default=True)
    )
    return tuple(
        _device(
            fields, f"{key}.{i}" if key else str(i), crowded=present[fields.number("dev", 0, 31) or 0] > 1
        )
        for i, fields in enumerate(merged)
    )


def _with_catalogue(node: Node) -> Node:
    """The author's map with the catalogue's facts where he says nothing, inside of `sriov` too; they stand
    at his `model`."""
    name = node.get("model")
    if name is None or not isinstance(node.value, Mapping):
        return node
    try:
        facts = model(str(name.value))
    except KeyError:
        return node  # an unknown model is a finding of its own
    known = {
        key: _as_node(value, name.place)
        for key, value in facts.items()
        if key not in {"qemu", "title"} and key not in node.value
    }
    said, virtual = node.get("sriov"), facts.get("sriov")
    if said is not None and isinstance(said.value, Mapping) and isinstance(virtual, Mapping):
        more = {key: _as_node(value, name.place) for key, value in virtual.items()}
        known["sriov"] = Node({**more, **said.value}, said.place, said.keys)
        return Node({**node.value, **known}, node.place, node.keys)
    return Node({**known, **node.value}, node.place, node.keys)


def _as_node(value: object, place: Place) -> Node:
    if isinstance(value, Mapping):
        return Node({str(key): _as_node(item, place) for key, item in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node(tuple(_as_node(item, place) for item in value), place)
    scalar: Scalar = value if isinstance(value, bool | int | float | str) else None
    return Node(scalar, place)


def _device(fields: Fields, key: str, *, crowded: bool) -> Device:
    kind: DeviceType = fields.text("type") or "endpoint"  # type: ignore[assignment]  # the schema's enum
    ari = fields.flag("ari", default=kind in _ARI_PORTS)
    vendor, device = _ids(fields.text("id")) or (
        _DEFAULT_VENDOR,
        0x0100 + PCIE_TYPE.get(kind, _CONVENTIONAL_ID.get(kind, 0)),
    )
    bus = fields.numbers("bus", 0, 0xFF)
    return Device(
        places=fields.places(),
        key=key,
        name=fields.text("name"),
        dev=fields.number("dev", 0, 31) or 0,
        fn=fields.number("fn", 0, 255) or 0,
        type=kind,
        model=fields.text("model"),
        vendor=vendor,
        device=device,
        subsystem=_ids(fields.text("subsystem")),
        revision=fields.number("revision", 0, 0xFF) or 0,
        class_code=_class(fields, kind),
        multifunction=fields.flag("multifunction", default=crowded),
        acs=_acs(fields, kind),
        acs_quirk=fields.text("acs_quirk"),  # type: ignore[arg-type]  # the schema's enum
        aliases=None
        if fields.get("aliases") is None
        else tuple(
            Alias(
                places=alias.places(), dev=alias.number("dev", 0, 31) or 0, fn=alias.number("fn", 0, 7) or 0
            )
            for alias in fields.maps("aliases")
        ),
        ari=ari,
        ats=fields.flag("ats", default=False),
        flr=fields.flag("flr", default=False),
        pm=fields.flag("pm", default=False),
        msi=fields.number("msi", 0, 32) or 0,
        msix=fields.number("msix", 0, 2048) or 0,
        pin=_pin(fields.text("pin")),
        disintx=fields.flag("disintx", default=False),
        dma_bits=fields.number("dma_bits", 1, 64) or 64,
        bars=tuple(_bar(bar) for bar in fields.maps("bars")),
        rom=fields.number("rom"),
        sriov=_sriov(fields.map("sriov"), device),
        slot=fields.number("slot", 0, 0x1FFF),
        hotplug=fields.flag("hotplug", default=False),
        external_facing=fields.flag("external_facing", default=False),
        bus=(bus[0], bus[1]) if bus is not None and len(bus) == 2 else None,
        present=fields.flag("present", default=True),
        properties=properties_of(fields),
        devices=build_devices(fields, key),
    )


def properties_of(fields: Fields) -> tuple[tuple[str, object], ...]:
    """The `properties` key, of a device or of `dt`: vendor property → value, in the order written."""
    node = fields.get("properties")
    plain = {} if node is None else node.plain()
    return tuple(plain.items()) if isinstance(plain, dict) else ()


def _ids(text: str | None) -> tuple[int, int] | None:
    """`"8086:1533"` as two numbers."""
    if text is None:
        return None
    vendor, _, device = text.partition(":")
    return int(vendor, 16), int(device, 16)


def _class(fields: Fields, kind: DeviceType) -> int:
    node = fields.get("class")
    if node is None:
        return 0x060400 if kind in BRIDGE_TYPES else 0x060000 if kind == "host-bridge-function" else 0x020000
    if number_of(node.value) is not None:
        return fields.bounded(node, "class", 0, 0xFFFFFF)
    try:
        return class_code(str(node.value))
    except KeyError:
        fields.faults.value(
            node.place,
            f"no class is named {node.value!r}",
            help=advice(str(node.value), class_names(), "class"),
            meant=nearest(str(node.value), class_names()),
        )
        return 0x020000


def _acs(fields: Fields, kind: DeviceType) -> tuple[str, ...] | None:
    node = fields.get("acs")
    if node is None or node.value is False:
        return None
    if node.value is True:
        return _ACS_OF_PORTS if kind in _ACS_PORTS else _ACS_ELSEWHERE
    return tuple(str(item.value) for item in node.items)


def _pin(text: str | None) -> Pin | None:
    return text if text in get_args(Pin) else None  # type: ignore[return-value]


def _bar(fields: Fields) -> Bar:
    return Bar(
        places=fields.places(),
        index=fields.number("index", 0, 5) or 0,
        space=fields.text("space") or "mem32",  # type: ignore[arg-type]  # the schema's enum
        size=fields.number("size") or 0,
        prefetchable=fields.flag("prefetchable", default=False),
    )


def _sriov(fields: Fields | None, device: int) -> Sriov | None:
    if fields is None:
        return None
    vf_id = fields.number("vf_id", 0, 0xFFFF)
    return Sriov(
        places=fields.places(),
        total=fields.number("total", 0, 0xFFFF) or 0,
        offset=fields.number("offset", 0, 0xFFFF) or 0,
        stride=fields.number("stride", 0, 0xFFFF) or 0,
        vf_id=device if vf_id is None else vf_id,
        enabled=fields.number("enabled", 0, 0xFFFF) or 0,
        bars=tuple(_bar(bar) for bar in fields.maps("bars")),
        own_acs=fields.get("acs") is not None,
        acs=_acs(fields, "endpoint"),
        msix=fields.number("msix", 0, 2048),
    )
