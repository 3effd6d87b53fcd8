"""The hardware image: its form, what is in it and what is left out, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from msgspec.structs import replace
from tests.backends.platforms import bar, config, device, host_bridge, platform

from rootplex.backends.configspace import HardwareImage, config_space
from rootplex.model.bridge import AcpiView, Special
from rootplex.model.device import Alias, Sriov
from rootplex.model.numbers import BusRange
from rootplex.simulator.hardware.image import read_image
from rootplex.simulator.inputs import Blob
from rootplex.source.finding import Unreadable


def content(made: HardwareImage) -> Mapping[str, Any]:
    return json.loads(made.config.data)  # type: ignore[no-any-return]


def tree() -> HardwareImage:
    disk = device(key="0.0", name="disk")
    port = device(1, key="0", type="root-port", devices=(disk, device(0, 1, key="0.1", present=False)))
    gone = device(2, key="1", type="root-port", present=False, devices=(device(key="1.0"),))
    second = host_bridge(name="second", bus_range=BusRange(0x80, 0xFF), devices=(device(3, 2, key="0"),))
    return config_space(platform(host_bridge(devices=(port, gone)), second))


def test_the_image_keeps_to_its_schema(checkout: Path) -> None:
    schema = json.loads((checkout / "schemas" / "config.schema.json").read_text())
    Draft7Validator.check_schema(schema)
    quirks = (
        Special(bus=0, dev=None, behaviour="hidden", register=None),
        Special(bus=1, dev=2, behaviour="elsewhere", register=0xF260_0000),
    )
    odd = host_bridge(config=config(kind="quirk", special=quirks, sizes_root_bus=(4,)), iommu=None, msi=None)
    sriov = Sriov(total=3, offset=1, stride=1, vf_id=2, enabled=1)
    view = AcpiView(config=config(kind="quirk", special=quirks))
    seen = host_bridge(config=config(kind="windowed"), acpi=view, iommu=None, msi=None)
    busy = host_bridge(devices=(device(key="0", sriov=sriov, aliases=(Alias(dev=0, fn=1),)),))
    for made in (tree(), *(config_space(platform(*each)) for each in ([odd], [seen], [busy], []))):
        errors = Draft7Validator(schema).iter_errors(content(made))
        assert [f"{list(error.path)}: {error.message}" for error in errors] == []
        read_image(Blob("config.json", made.config.data), Blob("config.bin", made.pages.data))


def test_ids_join_functions_and_bridges_to_the_description() -> None:
    made = tree()
    assert made.bridges == {"main": "h0", "second": "h1"}
    assert [made.ids[function["id"]] for function in content(made)["functions"]] == [
        ("main", "0"),
        ("main", "0.0"),
        ("second", "0"),
    ]


def test_places_are_parents_and_devfns_never_bus_numbers() -> None:
    functions = content(tree())["functions"]
    assert [(each["bridge"], each["parent"], each["devfn"]) for each in functions] == [
        ("h0", None, 8),
        ("h0", functions[0]["id"], 0),
        ("h1", None, 26),
    ]


def test_equal_functions_share_a_page() -> None:
    devices = tuple(device(dev, key=str(dev), name=f"d{dev}") for dev in range(32))
    made = config_space(platform(host_bridge(devices=devices)))
    assert len(made.pages.data) == 8192
    assert {function["page"] for function in content(made)["functions"]} == {0}


def test_what_a_function_does_not_share_has_a_page_of_its_own() -> None:
    same = device(0, key="0", msix=2, bars=(bar(),))
    changes: tuple[dict[str, Any], ...] = (
        {"revision": 1}, {"acs": ()}, {"bars": (bar(size=0x2000),)}, {"pin": "A"}, {"flr": True},
    )  # fmt: skip
    others = [replace(same, key=str(n), dev=n, **change) for n, change in enumerate(changes, start=1)]
    made = config_space(platform(host_bridge(devices=(same, *others))))
    assert len(made.pages.data) == 8192 * 6


def test_virtual_functions_follow_their_physical_one() -> None:
    sriov = Sriov(total=4, offset=0x80, stride=2, vf_id=0x10CA, enabled=0)
    made = config_space(platform(host_bridge(devices=(device(key="0", sriov=sriov),))))
    functions = content(made)["functions"]
    assert [each.get("vf_index") for each in functions] == [None, 0, 1, 2, 3]
    assert {each["vf_of"] for each in functions[1:]} == {functions[0]["id"]}
    assert made.ids[functions[2]["id"]] == ("main", "0/vf1")
    vf = made.pages.data[functions[1]["page"] * 8192 :][:64]
    assert vf[:4] == b"\xff\xff\xff\xff"
    assert vf[0x10:0x28] == bytes(24)


def test_a_vf_that_no_requester_id_is_left_for_is_not_there() -> None:
    """The PF is 00:00.0: with offset 0xff00 only 256 requester ids follow."""
    sriov = Sriov(total=1000, offset=0xFF00, stride=1, vf_id=1, enabled=0)
    made = config_space(platform(host_bridge(devices=(device(key="0", sriov=sriov),))))
    assert len(content(made)["functions"]) == 1 + 256


def test_bounded() -> None:
    sriov = Sriov(total=0xFFFF, offset=1, stride=1, vf_id=1, enabled=0)
    devices = tuple(device(dev, key=str(dev), sriov=sriov) for dev in range(32))
    with pytest.raises(Unreadable, match="more than 1048576 functions"):
        config_space(platform(host_bridge(devices=devices)))


def test_write_one_to_clear_bits_are_not_writable() -> None:
    port = device(1, type="root-port", hotplug=True, acs=("sv",), key="0")
    made = config_space(platform(host_bridge(devices=(port,))))
    for offset, size, mask in content(made)["functions"][0]["w1c"]:
        writable = int.from_bytes(made.pages.data[4096 + offset : 4096 + offset + size], "little")
        assert writable & mask == 0, hex(offset)


def test_a_special_case_of_a_whole_bus_is_one_of_every_device() -> None:
    hidden = Special(bus=0, dev=None, behaviour="hidden", register=None)
    single = Special(bus=1, dev=None, behaviour="single-device", register=None)
    made = config_space(platform(host_bridge(config=config(kind="quirk", special=(hidden, single)))))
    special = content(made)["bridges"][0]["special"]
    assert [each["dev"] for each in special if each["behaviour"] == "hidden"] == list(range(32))
    assert [each["dev"] for each in special if each["behaviour"] == "single-device"] == [0]


def test_registers_elsewhere_are_a_block_of_the_bridge() -> None:
    case = Special(bus=0, dev=3, behaviour="elsewhere", register=0xF260_0000)
    bridge = content(config_space(platform(host_bridge(config=config(kind="quirk", special=(case,))))))[
        "bridges"
    ][0]
    assert bridge["registers"] == [{"name": "special-00-03", "base": 0xF260_0000, "size": 4096}]
    assert bridge["special"][0]["register"] == "special-00-03"


def test_the_hardware_does_not_follow_a_firmwares_override() -> None:
    """What one firmware says differently, or hides, is still the same hardware."""
    from rootplex.model.bridge import DtView

    plain = content(config_space(platform(host_bridge())))
    overridden = host_bridge(dt=DtView(bus_range=BusRange(0, 1), present=False), enabled=False)
    assert content(config_space(platform(overridden))) == plain


def test_a_firmware_that_sets_up_another_kind_makes_a_view() -> None:
    """A window that UEFI makes show ECAM is there for ACPI; another base of one kind is nowhere."""
    own = config(kind="windowed", base=0x3010_0000, size=0x10_0000)
    set_up = AcpiView(bus_range=BusRange(0, 1), config=config(base=0x3000_0000, size=0x20_0000))
    moved = AcpiView(config=config(kind="windowed", base=0x5000_0000, size=0x10_0000))
    first, second = content(
        config_space(
            platform(host_bridge(config=own, acpi=set_up), host_bridge(name="other", config=own, acpi=moved))
        )
    )["bridges"]
    assert second["views"] == []
    (view,) = first["views"]
    assert (first["kind"], first["base"], first["last_bus"]) == ("windowed", 0x3010_0000, 0xFF)
    assert (view["firmware"], view["kind"], view["base"], view["size"]) == (
        "acpi",
        "ecam",
        0x3000_0000,
        0x20_0000,
    )
    assert (view["first_bus"], view["last_bus"]) == (0, 1)


def test_the_same_platform_gives_the_same_bytes() -> None:
    first, second = tree(), tree()
    assert (first.config, first.pages) == (second.config, second.pages)
    lines = first.config.data.decode().split("\n")
    assert lines[-1] == ""
    assert sum(line.startswith("  {") for line in lines) == 2 + 3


def test_a_large_platform_of_one_shape_has_one_page() -> None:
    devices = tuple(device(n % 32, n // 32 % 8, key=str(n)) for n in range(20_000))
    made = config_space(platform(host_bridge(devices=devices)))
    assert len(made.pages.data) == 8192
    assert len(made.ids) == 20_000
