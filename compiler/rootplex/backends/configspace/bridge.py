"""A host bridge in config.json: what its hardware decodes, whatever the firmwares say of it."""

from __future__ import annotations

from rootplex.model.bridge import ConfigSpace, Firmware, HostBridge, Special
from rootplex.model.controllers import Its, RidIommu, SmmuV2, SmmuV3
from rootplex.model.numbers import BusRange
from rootplex.model.platform import Platform

DEFAULT_ID_BITS = 32
RID_BITS = 16
FUNCTION_REGISTERS = 4096
DEVICES = range(32)


def bridge_entry(platform: Platform, bridge: HostBridge, id: str) -> dict[str, object]:
    """The bridge's object of config.json; its schema says what each key is."""
    registers = [
        {"name": register.name, "base": register.base, "size": register.size}
        for register in bridge.config.registers
    ]
    special = _special(bridge.config, registers)
    views = [_view(bridge, firmware, registers) for firmware in _firmwares_with_views(bridge)]
    return {
        "id": id,
        **_space(bridge.config, bridge.bus_range),
        "special": special,
        "views": views,
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


def _special(config: ConfigSpace, registers: list[dict[str, object]]) -> list[dict[str, object]]:
    """The special cases slot by slot; a register block that one needs and nobody named is added."""
    blocks = {register["base"]: register["name"] for register in registers}
    special: list[dict[str, object]] = []
    for case in config.special:
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
    return special


def _firmwares_with_views(bridge: HostBridge) -> list[Firmware]:
    """The firmwares that set up configuration space of another kind: a bridge that moves a window can
    be made to show several buses at once. Another base of the same kind is a firmware's error, which
    the hardware does not follow."""
    configs: dict[Firmware, ConfigSpace | None] = {"acpi": bridge.acpi.config, "dt": bridge.dt.config}
    return [
        firmware
        for firmware, config in configs.items()
        if config is not None and config.kind != bridge.config.kind
    ]


def _view(bridge: HostBridge, firmware: Firmware, registers: list[dict[str, object]]) -> dict[str, object]:
    seen = bridge.acpi if firmware == "acpi" else bridge.dt
    assert seen.config is not None
    return {
        "firmware": firmware,
        **_space(seen.config, seen.bus_range or bridge.bus_range),
        "special": _special(seen.config, registers),
    }


def _space(config: ConfigSpace, buses: BusRange) -> dict[str, object]:
    """Where configuration space is, for which buses, and which access sizes it takes."""
    root_sizes = config.sizes_root_bus
    return {
        "kind": config.kind,
        "base": config.base,
        "size": config.size,
        "first_bus": buses.first,
        "last_bus": buses.last,
        "sizes": list(config.sizes),
        "sizes_root_bus": None if root_sizes is None else list(root_sizes),
    }


def _devices(case: Special) -> tuple[int, ...] | range:
    """The device numbers a case is about; one without a device number is about the whole bus."""
    if case.dev is not None:
        return (case.dev,)
    return DEVICES if case.behaviour in ("hidden", "all-ones") else (0,)


def _stream_id_bits(platform: Platform, bridge: HostBridge) -> int:
    unit = next((platform.controller(ids.unit) for ids in bridge.iommu_maps), None)
    if isinstance(unit, SmmuV3 | SmmuV2):
        return unit.stream_id_bits
    return RID_BITS if isinstance(unit, RidIommu) else DEFAULT_ID_BITS


def _device_id_bits(platform: Platform, bridge: HostBridge) -> int:
    controller = next((platform.controller(ids.controller) for ids in bridge.msi_maps), None)
    return controller.device_id_bits if isinstance(controller, Its) else DEFAULT_ID_BITS
