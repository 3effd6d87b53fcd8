"""Properties of the whole way: a random description is compiled, and Dom0 boots on its bytes.

What is compared with is the description itself, walked by rules of the PCI specifications alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dom0_boots import xen_groups_of, xen_of

from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.model.bridge import Firmware
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Grouping

Device = dict[str, Any]
Description = dict[str, Any]

FILE = "random.yaml"
ACS = ("sv", "tb", "rr", "cr", "uf")
acs = st.one_of(
    st.booleans(),
    st.sets(st.sampled_from(ACS)).map(lambda bits: sorted(bits, key=ACS.index)),
)


@st.composite
def slot(draw: st.DrawFn, dev: int, type: str, most: int = 3) -> list[Device]:
    """The functions of one device number, function 0 among them."""
    numbers = [0, *sorted(draw(st.sets(st.integers(1, 7), max_size=most - 1)))]
    return [
        {"dev": dev, "fn": fn, "type": type, "msix": 2}
        | ({} if type == "pci" else {"acs": draw(acs)})
        | ({"bars": [{"index": 0, "space": "mem32", "size": "4KiB"}]} if fn == 0 else {})
        for fn in numbers
    ]


@st.composite
def below_port(draw: st.DrawFn, depth: int) -> list[Device]:
    """What is behind a root or downstream port: nothing, endpoints, a switch, a bridge to PCI."""
    kinds = ("nothing", "endpoints", "endpoints", "pci") + (("switch", "switch") if depth < 2 else ())
    match draw(st.sampled_from(kinds)):
        case "endpoints":
            return draw(slot(0, "endpoint"))
        case "switch":
            ports = draw(st.sets(st.integers(0, 31), min_size=1, max_size=3))
            down = [
                {
                    "dev": dev,
                    "type": "downstream-port",
                    "acs": draw(acs),
                    "devices": draw(below_port(depth + 1)),
                }
                for dev in sorted(ports)
            ]
            return [{"dev": 0, "type": "upstream-port", "devices": down}]
        case "pci":
            devs = sorted(draw(st.sets(st.integers(0, 31), max_size=2)))
            functions = [each for dev in devs for each in draw(slot(dev, "pci", 2))]
            return [{"dev": 0, "type": "pcie-to-pci-bridge", "devices": functions}]
    return []


@st.composite
def root_bus(draw: st.DrawFn) -> list[Device]:
    found: list[Device] = []
    for dev in sorted(draw(st.sets(st.integers(0, 31), min_size=1, max_size=3))):
        if draw(st.integers(0, 3)) == 0:
            found += draw(slot(dev, "integrated-endpoint"))
        else:
            for fn in range(draw(st.integers(1, 2))):
                port = {"dev": dev, "fn": fn, "type": "root-port", "acs": draw(acs)}
                found.append(port | {"devices": draw(below_port(0))})
    return found


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    """A machine of one or two segments whose trees are random and whose numbers fit."""
    bridges = [
        {
            "name": f"bridge{index}",
            "segment": segment,
            "config": {"base": 0x40_0000_0000 + (index << 28)},
            "windows": [
                {
                    "space": "mem32",
                    "pci": 0x2000_0000,
                    "cpu": 0x50_0000_0000 + (index << 30),
                    "size": "256MiB",
                }
            ],
            "msi": {"controller": "its", "map": [{"rid": 0, "id": index << 16, "count": 0x10000}]},
            "iommu": {"unit": "smmu", "map": [{"rid": 0, "id": index << 16, "count": 0x10000}]},
            "devices": draw(root_bus()),
        }
        for index, segment in enumerate(draw(st.permutations((0, 1)))[: draw(st.integers(1, 2))])
    ]
    described = {
        "rootplex": 1,
        "platform": {"name": "random", "arch": "arm64", "firmware": ["dt"]},
        "memory": [{"base": 0x4000_0000, "size": "1GiB"}],
        "interrupt_controllers": [
            {
                "name": "gic",
                "kind": "arm-gic-v3",
                "distributor": {"base": 0x800_0000, "size": "64KiB"},
                "redistributors": {"base": 0x80A_0000, "size": 0xF6_0000},
            }
        ],
        "msi_controllers": [{"name": "its", "kind": "arm-gic-v3-its", "base": 0x808_0000}],
        "iommus": [{"name": "smmu", "kind": "arm-smmu-v3", "base": 0x905_0000}],
        "host_bridges": bridges,
    }
    for number, device in enumerate(devices(described)):
        device["name"] = f"d{number}"
    return described


def devices(description: Description) -> Iterator[Device]:
    def below(level: list[Device]) -> Iterator[Device]:
        for device in level:
            yield device
            yield from below(device.get("devices", []))

    for bridge in description["host_bridges"]:
        yield from below(bridge["devices"])


def bus_numbers(description: Description) -> None:
    """Write the numbers of a fresh enumeration into the bridges, depth first (PCIe 6.0 §7.5.1.3):
    as a boot firmware leaves them."""

    def number(level: list[Device], free: Iterator[int]) -> int:
        last = 0
        for device in sorted(level, key=lambda each: (each["dev"], each.get("fn", 0))):
            if "devices" in device:
                secondary = next(free)
                last = max(secondary, number(device["devices"], free))
                device["bus"] = [secondary, last]
        return last

    for bridge in description["host_bridges"]:
        number(bridge["devices"], count(1))


class Booted:
    """Dom0's functions of one boot, by the description's names."""

    def __init__(
        self, description: Description, firmware: Firmware = "dt", kernel: str = "linux-7.2"
    ) -> None:
        checked = read_checked(json.dumps(description).encode(), FILE)
        assert checked.is_sound, checked.findings
        examined = examine(checked, RunOptions(firmware=firmware, kernel=kernel))
        outcome = examined.outcome
        assert outcome is not None
        assert outcome.dom0.died is None
        assert xen_of(outcome).crash is None
        self.functions: list[Function] = list(outcome.dom0.functions)
        self.names = {function.page: examined.facts.pages[function.page] for function in self.functions}
        self.addresses = {self.names[function.page]: function.sbdf for function in self.functions}
        self.linux, self.safe = outcome.linux, outcome.safe
        self.partitions = {
            "linux": outcome.linux,
            "safe": outcome.safe,
            "xen": xen_groups_of(outcome),
        }

    def named(self, grouping: Grouping) -> set[frozenset[str]]:
        return {frozenset(self.names[each.page] for each in group.members) for group in grouping.groups}


def coarser(coarse: set[frozenset[str]], fine: set[frozenset[str]]) -> bool:
    return all(any(small <= large for large in coarse) for small in fine)


@settings(max_examples=40, deadline=None)
@given(descriptions())
def test_enumeration_visits_each_function_once(description: Description) -> None:
    booted = Booted(description)
    assert sorted(device["name"] for device in devices(description)) == sorted(booted.names.values())
    assert len(set(booted.addresses.values())) == len(booted.functions)
    bus_numbers(description)

    def expected(level: list[Device], segment: int, bus: int) -> Iterator[tuple[str, str]]:
        for device in level:
            yield device["name"], f"{segment:04x}:{bus:02x}:{device['dev']:02x}.{device.get('fn', 0)}"
            if "devices" in device:
                yield from expected(device["devices"], segment, device["bus"][0])

    for bridge in description["host_bridges"]:
        for name, address in expected(bridge["devices"], bridge["segment"], 0):
            assert booted.addresses[name] == address


@settings(max_examples=30, deadline=None)
@given(descriptions(), st.sampled_from(("linux-7.2", "linux-6.12", "linux-6.1", "jgg-v3")))
def test_groups_are_a_partition(description: Description, kernel: str) -> None:
    booted = Booted(description, kernel=kernel)
    for grouping in booted.partitions.values():
        members = [each for group in grouping.groups for each in group.members]
        members += [reason.function for reason in grouping.ungrouped]
        assert sorted(each.page for each in members) == sorted(booted.names)
    assert coarser(booted.named(booted.safe), booted.named(booted.linux)) or kernel == "jgg-v3"


@settings(max_examples=20, deadline=None)
@given(descriptions(), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_names(description: Description, random: Any) -> None:
    before = Booted(description)
    renamed = deepcopy(description)
    names = [device["name"] for device in devices(renamed)]
    new = [f"x{number}" for number in range(len(names))]
    random.shuffle(new)
    for device, name in zip(devices(renamed), new, strict=True):
        device["name"] = name
    for index, bridge in enumerate(renamed["host_bridges"]):
        bridge["name"] = f"y{9 - index}"
    after = Booted(renamed)
    translation = dict(zip(names, new, strict=True))
    assert {translation[name]: address for name, address in before.addresses.items()} == after.addresses
    for party, grouping in before.partitions.items():
        groups = {frozenset(map(translation.__getitem__, group)) for group in before.named(grouping)}
        assert groups == after.named(after.partitions[party])


@settings(max_examples=30, deadline=None)
@given(descriptions(), st.data())
def test_groups_only_grow_when_an_acs_bit_is_taken_away(
    description: Description, data: st.DataObject
) -> None:
    having = [device for device in devices(description) if device.get("acs")]
    if not having:
        return
    before = Booted(description)
    device = data.draw(st.sampled_from(having))
    if device["acs"] is True:
        bridges = ("root-port", "downstream-port")
        device["acs"] = [*ACS] if device["type"] in bridges else ["rr", "cr"]
    device["acs"].remove(data.draw(st.sampled_from(device["acs"])))
    after = Booted(description)
    assert before.addresses == after.addresses
    for party in ("linux", "safe"):
        assert coarser(after.named(after.partitions[party]), before.named(before.partitions[party]))


@settings(max_examples=12, deadline=None)
@given(descriptions(), st.booleans())
def test_both_firmwares_give_the_same_devices_and_groups(description: Description, numbered: bool) -> None:
    """Linux 7.2 groups as devices are added with either firmware (linux.md §10). A device tree's kernel
    numbers buses afresh, ACPI's keeps what firmware left: here those are the same, or none."""
    description["platform"]["firmware"] = ["dt", "acpi"]
    if numbered:
        bus_numbers(description)
    by_dt, by_acpi = Booted(description, "dt"), Booted(description, "acpi")
    assert by_dt.addresses == by_acpi.addresses
    for party, grouping in by_dt.partitions.items():
        assert by_dt.named(grouping) == by_acpi.named(by_acpi.partitions[party])
