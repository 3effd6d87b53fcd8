"""Devices of the catalogue as the model has them, without a frontend."""

from __future__ import annotations

from typing import Any

from tests.backends.platforms import bar, device

from rootplex.known.reader import model
from rootplex.model.device import Alias, Device, Sriov


def catalogued(entry: str, dev: int = 0, fn: int = 0, /, **overrides: Any) -> Device:
    """The device of a catalogue entry; keywords win over its facts."""
    facts: dict[str, Any] = dict(model(entry))
    facts.pop("title")
    facts.pop("qemu", None)
    vendor, device_id = _pair(facts.pop("id"))
    values: dict[str, Any] = {"model": entry, "vendor": vendor, "device": device_id}
    values["class_code"] = facts.pop("class")
    if "subsystem" in facts:
        values["subsystem"] = _pair(facts.pop("subsystem"))
    if "acs" in facts:
        values["acs"] = tuple(facts.pop("acs"))
    if "sriov" in facts:
        virtual = dict(facts.pop("sriov"))
        virtual["bars"] = tuple(bar(**each) for each in virtual.pop("bars", ()))
        values["sriov"] = Sriov(**{"enabled": 0, **virtual})
    values["aliases"] = tuple(Alias(**each) for each in facts.pop("aliases", ()))
    values["bars"] = tuple(bar(**each) for each in facts.pop("bars", ()))
    return device(dev, fn, **{**values, **facts, **overrides})


def _pair(text: str) -> tuple[int, int]:
    vendor, device_id = text.split(":")
    return int(vendor, 16), int(device_id, 16)
