"""The catalogue is data that the language accepts, and its reader answers by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from rootplex.known.reader import class_code, class_names, model, names

UNREGISTERED = {"nxp:lx2160a-root-port"}  # known to the kernel's quirks.c only


@pytest.fixture(scope="module")
def device_schema(checkout: Path) -> Draft7Validator:
    schema = json.loads((checkout / "schemas" / "platform.schema.json").read_text())
    return Draft7Validator({"$ref": "#/definitions/device", "definitions": schema["definitions"]})


@pytest.mark.parametrize("name", names())
def test_an_entry_is_a_device_of_the_language(name: str, device_schema: Draft7Validator) -> None:
    entry: dict[str, Any] = dict(model(name))
    assert entry.pop("title")
    entry.pop("qemu", None)
    errors = device_schema.iter_errors({"dev": 0, "model": name, **entry})
    assert [error.message for error in errors] == []


def test_every_entry_is_read_as_in_the_whole_file(checkout: Path) -> None:
    folder = checkout / "compiler" / "rootplex" / "known"
    whole = {}
    for file in ("qemu.yaml", "real.yaml"):
        whole.update(yaml.safe_load((folder / file).read_text(encoding="utf-8")))
    assert whole == {name: dict(model(name)) for name in names()}


@pytest.mark.parametrize("name", class_names())
def test_a_class_name_can_be_written_in_a_description(name: str, device_schema: Draft7Validator) -> None:
    assert [error.message for error in device_schema.iter_errors({"dev": 0, "class": name})] == []
    assert 0 <= class_code(name) <= 0xFF_FFFF


def test_class_codes_are_those_of_the_specification() -> None:
    """PCI Code and ID Assignment Specification: NVMe, AHCI, Ethernet, VGA, xHCI, PCI bridge."""
    known = {
        "nvme": 0x010802,
        "ahci": 0x010601,
        "ethernet": 0x020000,
        "vga": 0x030000,
        "xhci": 0x0C0330,
        "pci-bridge": 0x060400,
    }
    assert {name: class_code(name) for name in known} == known


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        model("qemu:nvm")
    with pytest.raises(KeyError):
        class_code("nvm")


def test_every_other_vendor_is_in_the_register(pci_ids: dict[str, set[str]]) -> None:
    """pci.ids (Debian's package of that name) knows each id of a real device."""
    for name in names():
        vendor, _, device = str(model(name)["id"]).partition(":")
        if not name.startswith("qemu:") and name not in UNREGISTERED:
            assert device in pci_ids.get(vendor, set()), name


@pytest.fixture(scope="module")
def pci_ids() -> dict[str, set[str]]:
    register = Path("/usr/share/misc/pci.ids")
    if not register.is_file():
        pytest.skip("pci.ids is not installed (on Debian: apt-get install pci.ids)")
    known: dict[str, set[str]] = {}
    vendor = ""
    for line in register.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("C "):
            break
        if line[:1].isalnum():
            vendor = line[:4]
        elif line.startswith("\t") and line[1:2].isalnum():
            known.setdefault(vendor, set()).add(line[1:5])
    return known
