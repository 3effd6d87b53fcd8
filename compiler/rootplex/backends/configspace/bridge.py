"""A host bridge in config.json: what its hardware decodes, whatever the firmwares say of it."""

from __future__ import annotations

from rootplex.model.bridge import HostBridge, Special
from rootplex.model.controllers import AmdIommu, IntelVtd, Its, SmmuV2, SmmuV3
from rootplex.model.platform import Platform

DEFAULT_ID_BITS = 32
RID_BITS = 16
FUNCTION_REGISTERS = 4096
DEVICES = range(32)


def bridge_entry(platform: Platform, bridge: HostBridge, id: str) -> dict[str, object]:
    """The bridge's object of config.json; its schema says what each key is."""
    blocks = {register.base: register.name for register in bridge.config.registers}
    registers = [
        {"name": register.name, "base": register.base, "size": register.size}
        for register in bridge.config.registers
    ]
    special: list[dict[str, object]] = []
    for case in bridge.config.special:
        name = None
        if case.register is not None:
            name = blocks.get(case.register)
            if name is None:
                name = blocks[case.register] = f"special-{case.bus:02x}-{case.dev or 0:02x}"
                registers.append({"name": name, "base": case.register, "size": FUNCTION_REGISTERS})
        special += [
            {"bus": case.bus, "dev": dev, "behaviour": case.behaviour, "register": name}
            for dev in _devices(case)
        ]
    return {
        "id": id,
        "kind": bridge.config.kind,
        "base": bridge.config.base,
        "size": bridge.config.size,
        "first_bus": bridge.bus_range.first,
        "last_bus": bridge.bus_range.last,
        "sizes": list(bridge.config.sizes),
        "sizes_root_bus": None
        if bridge.config.sizes_root_bus is None
        else list(bridge.config.sizes_root_bus),
        "special": special,
        "registers": registers,
        "windows": [
            {
                "space": window.space,
                "pci": window.pci,
                "cpu": window.cpu,
                "size": window.size,
                "prefetchable": window.prefetchable,
            }
            for window in bridge.windows
        ],
        "stream_id_bits": _stream_id_bits(platform, bridge),
        "device_id_bits": _device_id_bits(platform, bridge),
    }


def _devices(case: Special) -> tuple[int, ...] | range:
    """The device numbers a case is about; one without a device number is about the whole bus."""
    if case.dev is not None:
        return (case.dev,)
    return DEVICES if case.behaviour in ("hidden", "all-ones") else (0,)


def _stream_id_bits(platform: Platform, bridge: HostBridge) -> int:
    unit = None if bridge.iommu is None else platform.controller(bridge.iommu.unit)
    if isinstance(unit, SmmuV3 | SmmuV2):
        return unit.stream_id_bits
    return RID_BITS if isinstance(unit, IntelVtd | AmdIommu) else DEFAULT_ID_BITS


def _device_id_bits(platform: Platform, bridge: HostBridge) -> int:
    controller = None if bridge.msi is None else platform.controller(bridge.msi.controller)
    return controller.device_id_bits if isinstance(controller, Its) else DEFAULT_ID_BITS
