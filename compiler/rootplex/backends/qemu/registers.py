"""Whether a function of the description is what QEMU's device of that model shows.

What a device's properties can change is not compared: header bit 7, the slot number, hot-plug, a root
port's ACS capability as a whole, and bus numbers, which firmware and kernel write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rootplex.backends.qemu.machines import Abilities
from rootplex.backends.qemu.refusals import refusal
from rootplex.model.device import PORT_TYPES, Bar, Device
from rootplex.source.finding import Finding
from rootplex.source.rules import QEMU_REGISTER

DISABLE_ACS = frozenset({"pcie-root-port"})
"""QEMU's devices with the property `disable-acs` that have a capability to disable."""

NO_DISABLE_ACS = "10.1"
"""The property went with the machines of QEMU 3.1, for which it was made (10.0 has it, 11.1 does not)."""


def check_registers(device: Device, facts: Mapping[str, object], abilities: Abilities) -> Iterator[Finding]:
    """An error for each key in which the device differs from its model's facts."""
    stated, shown = _described(device), _modelled(facts, is_port=device.type in PORT_TYPES)
    for key, value in shown.items():
        if stated[key] != value:
            yield _differs(device, key, value)
    offered = facts.get("acs")
    expected = None if offered is None else frozenset(_list(offered))
    described = None if device.acs is None else frozenset(device.acs)
    if described != expected and not (described is None and can_disable_acs(facts, abilities)):
        yield _differs(device, "acs", sorted(expected) if expected is not None else False)


def can_disable_acs(facts: Mapping[str, object], abilities: Abilities) -> bool:
    return not abilities.has(NO_DISABLE_ACS) and _mapping(facts.get("qemu")).get("device") in DISABLE_ACS


def _differs(device: Device, key: str, value: object) -> Finding:
    return refusal(
        QEMU_REGISTER,
        device.at(key),
        f"{device.label} differs from QEMU's {device.model} in its {key}",
        note=f"QEMU's has {key}: {_shown(value)}",
        subject=device.label,
        help="leave the key to the model, or run it with --synthetic",
    )


def _described(device: Device) -> dict[str, object]:
    sriov = device.sriov
    return {
        "id": (device.vendor, device.device),
        "subsystem": device.subsystem,
        "revision": device.revision,
        "class": device.class_code,
        "pin": device.pin,
        "disintx": device.disintx,
        "bars": _shapes(device.bars),
        "rom": device.rom,
        "msi": device.msi,
        "msix": device.msix,
        "pm": device.pm,
        "flr": device.flr,
        "ats": device.ats,
        "ari": device.ari,
        "sriov": None
        if sriov is None
        else (sriov.total, sriov.offset, sriov.stride, sriov.vf_id, sriov.msix, _shapes(sriov.bars)),
        "aliases": device.aliases or (),
        "acs_quirk": None if device.acs_quirk == "none" else device.acs_quirk,
    }


def _shapes(bars: tuple[Bar, ...]) -> frozenset[tuple[int, str, int, bool]]:
    return frozenset((bar.index, bar.space, bar.size, bar.prefetchable) for bar in bars)


def _shapes_of(facts: Mapping[str, object]) -> frozenset[tuple[int, str, int, bool]]:
    bars = (_mapping(bar) for bar in _list(facts.get("bars", [])))
    return frozenset(
        (bar["index"], bar["space"], bar["size"], bar.get("prefetchable", False)) for bar in bars
    )


def _modelled(facts: Mapping[str, object], *, is_port: bool) -> dict[str, object]:
    sriov = _mapping(facts["sriov"]) if "sriov" in facts else None
    return {
        "id": _pair(facts["id"]),
        "subsystem": _pair(facts["subsystem"]) if "subsystem" in facts else None,
        "class": facts["class"],
        "pin": facts.get("pin"),
        "bars": _shapes_of(facts),
        "rom": facts.get("rom"),
        "sriov": sriov
        and (*(sriov.get(key) for key in ("total", "offset", "stride", "vf_id", "msix")), _shapes_of(sriov)),
        "ari": facts.get("ari", is_port),
        "aliases": (),
        "acs_quirk": None,
        **{key: facts.get(key, 0) for key in ("revision", "msi", "msix")},
        **{key: facts.get(key, False) for key in ("disintx", "pm", "flr", "ats")},
    }


def _pair(text: object) -> tuple[int, int]:
    vendor, _, device = str(text).partition(":")
    return int(vendor, 16), int(device, 16)


def _mapping(value: object) -> Mapping[str, Any]:
    assert isinstance(value, Mapping)
    return value


def _list(value: object) -> list[Any]:
    assert isinstance(value, list)
    return value


def _shown(value: object) -> str:
    match value:
        case None | False | ():
            return "none"
        case True:
            return "true"
        case (int(vendor), int(device)):
            return f"{vendor:04x}:{device:04x}"
        case int():
            return f"{value:#x}" if value > 9 else str(value)
        case frozenset():
            return (
                ", ".join(f"BAR {index} {space} {size:#x}" for index, space, size, _ in sorted(value))
                or "none"
            )
        case list():
            return f"[{', '.join(value)}]"
        case _:
            return str(value)
