"""Platform descriptions by chance, the same for the same seed and number: what a kernel has to make sense of.

One to four host bridges on segments of any number, buses that do not begin at 0; root ports with full,
partial, empty and no ACS, also several in one slot; switches, PCIe-to-PCI bridges with conventional
functions and bridges, endpoints of several functions with gaps, a slot without function 0, devices that no
port reaches, SR-IOV without VFs, bus numbers left by firmware, ranges with too few buses.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from rootplex.model.bridge import Firmware

Description = dict[str, Any]
Devices = list[dict[str, Any]]

ACS_BITS = ("sv", "tb", "rr", "cr", "uf", "ec", "dt")
SEGMENTS = (0, 1, 2, 3, 5, 0x10, 0x7FFF, 0xFFFF)
CLASSES = ("nvme", "ethernet", "xhci", "ethernet")
MIB = 1 << 20
MOST_BUSES = 40
BRIDGES = frozenset(
    {
        "root-port", "upstream-port", "downstream-port",
        "pcie-to-pci-bridge", "pci-to-pcie-bridge", "pci-bridge",
    }
)  # fmt: skip


def description(seed: int, number: int, firmware: Firmware) -> Description:
    """The arm64 description `number` of a seed, for one firmware."""
    rng = random.Random(f"{seed}/{number}")
    count = rng.choice((1, 1, 2, 2, 3, 4))
    segments = rng.sample(SEGMENTS, count)
    bridges = []
    stream = 0
    for index, segment in enumerate(segments):
        found = bridge(rng, index, segment, 0, 0xD0)
        first, last = found["bus_range"]
        buses = last - first + 1
        # A bus without a StreamID now and then: its functions have no group.
        skipped = rng.choice((0,) * 12 + (1,)) if buses > 1 else 0
        ids = {"rid": first + skipped << 8, "id": stream, "count": buses - skipped << 8}
        bridges.append({**found, "iommu": {"unit": "smmu", "map": [ids]}})
        stream += buses << 8
    return on_arm64(f"random-{number}", firmware, bridges)


def on_arm64(name: str, firmware: Firmware, bridges: Devices) -> Description:
    """Host bridges of QEMU's arm64 machine."""
    platform = {"name": name, "arch": "arm64", "base": "qemu-virt", "firmware": [firmware]}
    return {"rootplex": 1, "platform": platform, "host_bridges": bridges}


def _to_one(iommu: Description) -> Description:
    """The map of a bridge, all of it to the machine's one IOMMU."""
    entries = [{key: value for key, value in each.items() if key != "unit"} for each in iommu.get("map", ())]
    return {**iommu, "unit": "iommu", **({"map": entries} if entries else {})}


def on_riscv(whole: Description) -> Description:
    """An arm64 description of a device tree as one of riscv64, with the machine's own IOMMU."""
    platform = {
        **whole["platform"],
        "name": whole["platform"]["name"].replace("random-", "random-riscv-"),
        "arch": "riscv64",
        "base": "qemu-riscv-virt",
    }
    bridges = [
        {**each, "iommu": _to_one(each["iommu"])} if "iommu" in each else each
        for each in whole["host_bridges"]
    ]
    kept = {key: value for key, value in whole.items() if key != "iommus"}
    return {**kept, "platform": platform, "host_bridges": bridges}


def x86_description(seed: int, number: int) -> Description:
    """The x86 description `number` of a seed: VT-d units of whole segments and of parts, or none."""
    rng = random.Random(f"{seed}/x86/{number}")
    segments = iter((*(0,) * rng.randrange(2), *rng.sample(SEGMENTS[1:], len(SEGMENTS) - 1)))
    bridges: list[Description] = []
    units: list[dict[str, Any]] = []
    for index in range(rng.choice((1, 2, 2, 3))):
        last = bridges[-1]["bus_range"][1] if bridges else 0
        shares = bool(bridges) and last < 0x80 and rng.random() < 0.5
        segment = bridges[-1]["segment"] if shares else next(segments)
        least = last + 1 + rng.randrange(3) if shares else 0
        found = bridge(rng, index, segment, least, least + 0x40)
        found["windows"] = [{"space": "mem32", "pci": 0xC000_0000 + index * 128 * MIB, "size": 128 * MIB}]
        if rng.random() < 0.85:
            if not (shares and "iommu" in bridges[-1] and rng.random() < 0.5):
                base = 0xFEC1_0000 + len(units) * 0x1000
                name = f"unit{len(units)}"
                units.append({"name": name, "kind": "intel-vtd", "base": base, "segment": segment})
                found["iommu"] = {"unit": name}
            else:
                found["iommu"] = bridges[-1]["iommu"]
        bridges.append(found)
    return {
        "rootplex": 1,
        "platform": {"name": f"random-x86-{number}", "arch": "x86_64"},
        "iommus": units,
        "host_bridges": bridges,
    }


def bridge(rng: random.Random, index: int, segment: int, least: int, most: int) -> Description:
    """A host bridge with its tree, its first bus from `least` on and below `most`."""
    devices = Tree(rng).root_bus()
    first = rng.choice((least, least, rng.randrange(least + 1, most)))
    buses = min(needed(devices) + rng.randrange(4), MOST_BUSES)
    if rng.random() < 0.08:
        buses = max(1, buses - rng.randrange(1, 4))
    if rng.random() < 0.25:
        number_buses(rng, devices, first, first + buses - 1)
    return {
        "name": f"b{index}",
        "segment": segment,
        "bus_range": [first, first + buses - 1],
        "config": {"base": 0x50_0000_0000 + index * 256 * MIB},
        "windows": [{"space": "mem32", "pci": 0x1000_0000 + index * 128 * MIB, "size": 128 * MIB}],
        "devices": devices,
    }


def needed(devices: Devices) -> int:
    """Buses from the first on: one a bridge, what SR-IOV may reserve."""
    found = 1
    for device in walk(devices):
        found += device["type"] in BRIDGES
        sriov = device.get("sriov")
        if sriov is not None:
            found += 1 + (sriov["offset"] + sriov["stride"] * sriov["total"] + 0xFF >> 8)
    return found


def walk(devices: Devices) -> Iterator[dict[str, Any]]:
    """Every device, parents first."""
    for device in devices:
        yield device
        yield from walk(device.get("devices", []))


def number_buses(rng: random.Random, devices: Devices, bus: int, last: int) -> int:
    """Firmware's bus numbers, depth first, on most of the bridges; the last number given."""
    for device in sorted(devices, key=lambda each: (each["dev"], each.get("fn", 0))):
        if device["type"] not in BRIDGES or bus >= last:
            continue
        secondary = bus + 1
        bus = number_buses(rng, device.get("devices", []), secondary, last)
        if rng.random() < 0.9:
            device["bus"] = [secondary, bus]
    return bus


class Tree:
    """The functions below one host bridge."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.bridges = 0

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def room(self) -> bool:
        """Whether one more bridge is wanted: a boot should stay short."""
        self.bridges += 1
        return self.bridges <= 5

    def acs(self) -> Any:
        return self.rng.choice(
            (True, False, False, [], sorted(self.rng.sample(ACS_BITS, self.rng.randrange(1, 7))))
        )

    def slots(self, least: int, most: int) -> list[int]:
        return sorted(self.rng.sample(range(32), self.rng.randint(least, most)))

    def functions(self, most: int = 3) -> list[int]:
        """Function numbers of a slot: mostly one, else with gaps; 0 is missing now and then."""
        if self.chance(0.4):
            return [0]
        above = sorted(self.rng.sample(range(1, 8), self.rng.randint(1, most)))
        return above if self.chance(0.05) else [0, *above]

    def root_bus(self) -> Devices:
        found: Devices = []
        for dev in self.slots(1, 3):
            kind = self.rng.choice(("ports", "ports", "ports", "integrated", "bridge", "conventional"))
            if kind == "ports":
                for fn in self.functions(2):
                    port = {"dev": dev, "fn": fn, "type": "root-port", "acs": self.acs()}
                    found.append({**port, "devices": self.below_port() if self.room() else []})
            elif kind == "integrated":
                found += [self.integrated(dev, fn) for fn in self.functions()]
            elif kind == "bridge" and self.room():
                found.append(self.pci_bridge(dev, "pcie-to-pci-bridge"))
            else:
                found += [{"dev": dev, "fn": fn, "type": "pci"} for fn in self.functions(2)]
        return found

    def integrated(self, dev: int, fn: int) -> dict[str, Any]:
        kind = "event-collector" if self.chance(0.1) else "integrated-endpoint"
        found: dict[str, Any] = {"dev": dev, "fn": fn, "type": kind, "acs": self.acs()}
        return {**found, "class": 0x080700} if kind == "event-collector" else found

    def below_port(self) -> Devices:
        match self.rng.choice(("endpoint", "endpoint", "endpoint", "switch", "switch", "bridge", "nothing")):
            case "switch" if self.room():
                return self.switch()
            case "bridge" if self.room():
                return [self.pci_bridge(0, "pcie-to-pci-bridge")]
            case "nothing":
                return []
        return self.endpoints()

    def endpoints(self) -> Devices:
        functions = self.functions()
        found: Devices = [
            {"dev": 0, "fn": fn, "type": "endpoint", "acs": self.acs(), "class": self.rng.choice(CLASSES)}
            for fn in functions
        ]
        if self.chance(0.15):
            total, stride = self.rng.randint(1, 16), self.rng.choice((1, 2))
            offset = self.rng.choice((8, 128, 256))
            found[0]["sriov"] = {"total": total, "offset": offset, "stride": stride, "vf_id": 0x200}
        if self.chance(0.08):
            found.append({"dev": self.rng.randint(1, 31), "type": "endpoint"})  # where no link leads
        if self.chance(0.05):
            found[-1]["present"] = False
        return found

    def switch(self) -> Devices:
        ports: Devices = []
        for dev in self.slots(1, 3):
            for fn in self.functions(1) if self.chance(0.3) else [0]:
                port = {"dev": dev, "fn": fn, "type": "downstream-port", "acs": self.acs()}
                ports.append({**port, "devices": self.below_port() if self.room() else []})
        up: Devices = [{"dev": 0, "type": "upstream-port", "acs": self.acs(), "devices": ports}]
        if self.chance(0.2):
            up.append({"dev": 0, "fn": self.rng.randint(1, 7), "type": "endpoint", "acs": self.acs()})
        return up

    def pci_bridge(self, dev: int, kind: str) -> dict[str, Any]:
        below: Devices = []
        for slot in self.slots(0, 2):
            if self.chance(0.2) and self.room():
                below.append(self.pci_bridge(slot, "pci-bridge"))
            else:
                below += [{"dev": slot, "fn": fn, "type": "pci"} for fn in self.functions(2)]
        return {"dev": dev, "type": kind, "devices": below}


def smaller(whole: Description) -> Iterator[Description]:
    """The description with one thing less, the largest things first: host bridges, then each device with
    all below it, then keys of devices."""
    if len(whole["host_bridges"]) > 1:
        for index in range(len(whole["host_bridges"])):
            less = copy.deepcopy(whole)
            del less["host_bridges"][index]
            yield less
    for path in sorted(_paths(whole), key=len):
        less = copy.deepcopy(whole)
        found = _list_at(less, path[:-1])
        del found[path[-1]]
        if less["host_bridges"][path[0]]["devices"]:
            yield less
    for path in _paths(whole):
        for key in ("sriov", "bus", "acs"):
            if _list_at(whole, path[:-1])[path[-1]].get(key):
                less = copy.deepcopy(whole)
                del _list_at(less, path[:-1])[path[-1]][key]
                yield less


def _paths(whole: Description) -> list[tuple[int, ...]]:
    """Where each device is: the index of its host bridge, then those down the tree."""

    def below(devices: Devices, path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        for index, device in enumerate(devices):
            yield (*path, index)
            yield from below(device.get("devices", []), (*path, index))

    return [
        path
        for number, bridge in enumerate(whole["host_bridges"])
        for path in below(bridge["devices"], (number,))
    ]


def _list_at(whole: Description, path: tuple[int, ...]) -> Devices:
    found: Devices = whole["host_bridges"][path[0]]["devices"]
    for index in path[1:]:
        found = found[index]["devices"]
    return found
