"""Platform descriptions by chance around one theme each, the same for the same seed and number.

What random topologies at large have seldom or not at all: bus numbers that firmware left half right, masks
and several entries of an iommu-map, SMMUs that share a host bridge, hot-plug ports with room to share,
SR-IOV that reaches other buses, VFs switched on, ARI with more than eight functions, buses that run out,
words of `pci=`, devices that the kernel knows by id."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from rootplex.campaign.topologies import (
    ACS_BITS,
    BRIDGES,
    MIB,
    SEGMENTS,
    Description,
    Devices,
    Tree,
    needed,
    number_buses,
    on_arm64,
    walk,
)
from rootplex.known.devices import Row, rows
from rootplex.model.bridge import Firmware

MASKS = (0xFFFF, 0xFFFF, 0xFFF8, 0xFF07, 0x7FFF, 0xFEFF)
SMMUS = 3


def themed(seed: int, number: int, firmware: Firmware) -> Description:
    """The arm64 description `number` of a seed; its theme goes by the number."""
    name, theme = THEMES[number % len(THEMES)]
    rng = random.Random(f"{seed}/{name}/{number}")
    bridges = [_bridge(rng, index, segment) for index, segment in enumerate(_segments(rng))]
    whole = on_arm64(f"random-{name}-{number}", firmware, bridges)
    theme(rng, whole)
    _translate(rng, whole)
    return whole


def themed_pc(seed: int, number: int) -> Description:
    """The x86 description `number` of a seed: a VT-d unit for most host bridges, whose stream is the RID."""
    name, theme = PC_THEMES[number % len(PC_THEMES)]
    rng = random.Random(f"{seed}/pc-{name}/{number}")
    bridges = [_bridge(rng, index, segment) for index, segment in enumerate(_segments(rng))]
    units: list[Description] = []
    for index, bridge in enumerate(bridges):
        bridge["windows"][0]["pci"] = 0xC000_0000 + index * 128 * MIB
        if rng.random() < 0.9:
            base = 0xFEC1_0000 + index * 0x1000
            units.append(
                {"name": f"unit{index}", "kind": "intel-vtd", "base": base, "segment": bridge["segment"]}
            )
    whole: Description = {
        "rootplex": 1,
        "platform": {"name": f"random-pc-{name}-{number}", "arch": "x86_64"},
        "iommus": units,
        "host_bridges": bridges,
    }
    theme(rng, whole)
    by_segment = {unit["segment"]: unit["name"] for unit in units}
    for bridge in bridges:
        _give_buses(rng, bridge)
        if bridge["segment"] in by_segment:
            bridge["iommu"] = {"unit": by_segment[bridge["segment"]]}
    return whole


def _segments(rng: random.Random) -> list[int]:
    return rng.sample(SEGMENTS, rng.choice((1, 1, 2)))


def _bridge(rng: random.Random, index: int, segment: int) -> Description:
    return {
        "name": f"b{index}",
        "segment": segment,
        "config": {"base": 0x50_0000_0000 + index * 256 * MIB},
        "windows": [{"space": "mem32", "pci": 0x1000_0000 + index * 128 * MIB, "size": 128 * MIB}],
        "devices": Tree(rng).root_bus(),
    }


def _translate(rng: random.Random, whole: Description) -> None:
    """What a theme left open: the bus range, and a map of all its buses to the one SMMU."""
    stream = 0
    for bridge in whole["host_bridges"]:
        _give_buses(rng, bridge)
        first, last = bridge["bus_range"]
        count = last - first + 1 << 8
        bridge.setdefault(
            "iommu", {"unit": "smmu", "map": [{"rid": first << 8, "id": stream, "count": count}]}
        )
        stream += count


def _give_buses(rng: random.Random, bridge: Description) -> None:
    """A bus range, where the theme has none."""
    if "bus_range" not in bridge:
        first = rng.choice((0, 0, rng.randrange(1, 0xA0)))
        bridge["bus_range"] = [first, first + min(needed(bridge["devices"]) + rng.randrange(4), 40) - 1]


def _each(whole: Description) -> Devices:
    return [device for bridge in whole["host_bridges"] for device in walk(bridge["devices"])]


def numbered(rng: random.Random, whole: Description) -> None:
    """Firmware's bus numbers: most right, some overlapping, reversed, or beyond the range."""
    keep = rng.random() < 0.6
    for bridge in whole["host_bridges"]:
        first = rng.choice((0, 0, 0x10))
        last = first + min(needed(bridge["devices"]) + rng.randrange(6), 24) - 1
        bridge["bus_range"] = [first, last]
        number_buses(rng, bridge["devices"], first, last)
        for device in walk(bridge["devices"]):
            if device["type"] in BRIDGES and rng.random() < 0.25:
                low = rng.randrange(first, last + 1)
                device["bus"] = [low, rng.randrange(low, last + 1)]
        if keep:
            bridge["preserve_boot_config"] = True


def masks(rng: random.Random, whole: Description) -> None:
    """An iommu-map of several entries, with gaps, and a mask over the requester ids."""
    stream = 0
    for bridge in whole["host_bridges"]:
        buses = min(needed(bridge["devices"]) + 1, 20)
        bridge["bus_range"] = [0, buses - 1]
        entries = []
        mask = rng.choice(MASKS)
        for bus in range(buses):
            if rng.random() < 0.08:
                continue
            size = rng.choice((0x100, 0x100, 0x80))
            entry = {"rid": bus << 8, "id": stream + rng.choice((0, 0, 3)), "count": size}
            if not entry["rid"] & ~mask:
                entries.append(entry)
            stream += 0x110
        if entries:
            bridge["iommu"] = {"unit": "smmu", "map": entries, "mask": mask}


def smmus(rng: random.Random, whole: Description) -> None:
    """Two or three SMMUs; a host bridge's buses are shared out among them."""
    count = rng.randint(2, SMMUS)
    whole["iommus"] = [
        {"name": f"unit{index}", "kind": "arm-smmu-v3", "base": 0x0C10_0000 + index * 0x2_0000,
         "stream_id_bits": 16}
        for index in range(count)
    ]  # fmt: skip
    streams = [0] * count
    for bridge in whole["host_bridges"]:
        buses = min(needed(bridge["devices"]) + 1, 24)
        bridge["bus_range"] = [0, buses - 1]
        entries, unit, start = [], rng.randrange(count), 0
        for bus in range(1, buses + 1):
            if bus == buses or rng.random() < 0.3:
                size = bus - start << 8
                entries.append({"rid": start << 8, "id": streams[unit], "count": size, "unit": f"unit{unit}"})
                streams[unit] += size
                start, unit = bus, rng.randrange(count)
        bridge["iommu"] = {"unit": "unit0", "map": entries}


def hot_plug(rng: random.Random, whole: Description) -> None:
    """Hot-plug slots, buses to spare below bridges that firmware numbered, and `pci=hpbussize=`."""
    slot = 0
    for bridge in whole["host_bridges"]:
        first = rng.choice((0, 0x20))
        last = first + min(needed(bridge["devices"]) * rng.randint(1, 3) + rng.randrange(8), 40) - 1
        bridge["bus_range"] = [first, last]
        if rng.random() < 0.6:
            number_buses(rng, bridge["devices"], first, last)
            for device in bridge["devices"]:
                if "bus" in device and rng.random() < 0.7:
                    device["bus"] = [device["bus"][0], min(last, device["bus"][1] + rng.randrange(8))]
        for device in walk(bridge["devices"]):
            if device["type"] in ("root-port", "downstream-port") and rng.random() < 0.6:
                slot += 1
                device.update(hotplug=True, slot=slot)
    if rng.random() < 0.5:
        whole["platform"]["bootargs"] = f"pci=hpbussize={rng.choice((1, 2, 3, 5, 9))}"
    elif rng.random() < 0.4:
        for bridge in whole["host_bridges"]:
            bridge["preserve_boot_config"] = True


def virtual(rng: random.Random, whole: Description) -> None:
    """Virtual functions that reach other buses, on most endpoints and one integrated endpoint a bridge."""
    for bridge in whole["host_bridges"]:
        integrated = True
        for device in walk(bridge["devices"]):
            device.pop("sriov", None)
            apart = device["type"] == "integrated-endpoint"  # beside others on its bus
            if device.get("fn", 0) or not ((apart and integrated) or device["type"] == "endpoint"):
                continue
            integrated = integrated and not apart
            if rng.random() < 0.7:
                device["sriov"] = {
                    "total": rng.choice((1, 4, 16, 64)),
                    "offset": rng.choice((0x100, 0x200) if apart else (8, 0x80, 0x100, 0x200)),
                    "stride": rng.choice((1, 2, 0x40, 0x100)),
                    "vf_id": 0x300,
                }
        _step_over(bridge["devices"])
        wanted = needed(bridge["devices"])
        bridge["bus_range"] = [0, max(1, min(wanted + 2, 40) - rng.choice((0, 0, 0, 6))) - 1]


def _step_over(bus: Devices) -> None:
    """A VF that would have the number of another function of its bus begins on the next bus."""
    taken = {device["dev"] << 3 | device.get("fn", 0) for device in bus}
    for device in bus:
        _step_over(device.get("devices", []))
        if sriov := device.get("sriov"):
            first, stride = (device["dev"] << 3 | device.get("fn", 0)) + sriov["offset"], sriov["stride"]
            if not taken.isdisjoint(range(first, first + stride * sriov["total"], stride)):
                sriov["offset"] += 0x100


def _add_port(rng: random.Random, bridge: Description, below: Description) -> None:
    """One more root port, with a device below."""
    free = next(dev for dev in range(31, 0, -1) if all(each["dev"] != dev for each in bridge["devices"]))
    port = {"dev": free, "type": "root-port", "acs": Tree(rng).acs(), "devices": [below]}
    bridge["devices"].append(port)


def enabled(rng: random.Random, whole: Description) -> None:
    """VFs switched on, with their PF's ACS, their own or none, on its bus and on others, as many as there are
    bus numbers for or more."""
    for bridge in whole["host_bridges"]:
        _add_port(rng, bridge, {"dev": 0, "type": "endpoint", "acs": Tree(rng).acs()})
    virtual(rng, whole)
    for bridge in whole["host_bridges"]:
        for device in walk(bridge["devices"]):
            if "sriov" not in device:
                continue
            device["ari"] = rng.random() < 0.7
            sriov = device["sriov"]
            sriov["enabled"] = min(sriov["total"], rng.choice((1, 2, 3, 5, 9)))
            if rng.random() < 0.6:
                sriov["acs"] = Tree(rng).acs()


def many_functions(rng: random.Random, whole: Description) -> None:
    """ARI: endpoints of more than eight functions, ports that forward and that do not."""
    for bridge in whole["host_bridges"]:
        for device in walk(bridge["devices"]):
            if device["type"] not in ("root-port", "downstream-port"):
                continue
            if rng.random() < 0.3:
                device["ari"] = False
            below = device.get("devices", [])
            if any(each["type"] != "endpoint" for each in below) or rng.random() < 0.4:
                continue
            numbers = [0, *sorted(rng.sample(range(1, 0x60), rng.randint(1, 6)))]
            device["devices"] = [
                {"dev": 0, "fn": fn, "type": "endpoint", "ari": True, "acs": Tree(rng).acs()}
                for fn in numbers
            ]
    if rng.random() < 0.25:
        whole["platform"]["bootargs"] = "pci=noari"


def exhausted(rng: random.Random, whole: Description) -> None:
    """Fewer buses than there are bridges, up to 0xff now and then."""
    for bridge in whole["host_bridges"]:
        wanted = needed(bridge["devices"])
        buses = max(1, min(wanted - rng.randint(1, 4), 30))
        first = rng.choice((0, 0x30, 0x100 - buses))
        bridge["bus_range"] = [first, first + buses - 1]
        if rng.random() < 0.4:
            number_buses(rng, bridge["devices"], first, first + buses - 1)
            if rng.random() < 0.5:
                bridge["preserve_boot_config"] = True
    if any("preserve_boot_config" in bridge for bridge in whole["host_bridges"]):
        for bridge in whole["host_bridges"]:
            bridge["preserve_boot_config"] = True


def words(rng: random.Random, whole: Description) -> None:
    """ACS by the command line, ports that face outward, devices where no link leads."""
    said = []
    for bridge in whole["host_bridges"]:
        for device in walk(bridge["devices"]):
            if device["type"] in ("root-port", "downstream-port") and rng.random() < 0.25:
                device["external_facing"] = True
    segment = f"{rng.choice(whole['host_bridges'])['segment']:04x}"
    device_text = rng.choice(
        (f"{segment}:00:0{rng.randrange(8)}.0", "pci:1234:0104", "pci:0:0", f"{segment}:01:00.0")
    )
    bits = "".join(rng.choice("01x") for _ in range(rng.randint(1, len(ACS_BITS))))
    if rng.random() < 0.5:
        said.append(f"config_acs={bits}@{device_text}")
    if rng.random() < 0.5:
        said.append(f"disable_acs_redir={device_text}")
    if rng.random() < 0.3:
        said.append("noats")
    if rng.random() < 0.3:
        said.append("pcie_scan_all")
        for device in _each(whole):
            below = device.get("devices", [])
            if device["type"] == "root-port" and below and rng.random() < 0.5:
                below.append({"dev": rng.randint(1, 31), "type": "endpoint", "acs": Tree(rng).acs()})
    if said:
        whole["platform"]["bootargs"] = "pci=" + ",".join(said)


def known(rng: random.Random, whole: Description) -> None:
    """Devices that the kernel knows by id, all but a few: each of the type, class, subsystem and revision
    that it asks for, or now and then of another. A driver's own fix-up is there where the driver is: none."""
    everywhere = [row for row in rows() if row.source.startswith("quirks.c:")]
    (hidden,) = (row for row in everywhere if row.effect == "secondary")
    for bridge in whole["host_bridges"]:
        for device in walk(bridge["devices"]):
            fitting = [row for row in everywhere if not row.types or device["type"] in row.types]
            kinds = sorted({row.kind for row in fitting})
            if rng.random() < 0.85:
                kind = rng.choice(kinds)
                device.update(
                    _as_known(rng, rng.choice([row for row in fitting if row.kind == kind]), device)
                )
        if rng.random() < 0.5:  # only these can stand below a port
            below = {
                **Tree(rng).pci_bridge(0, "pci-bridge"),
                **_as_known(rng, hidden, {"type": "pci-bridge"}),
            }
            _add_port(rng, bridge, below)


def _as_known(rng: random.Random, row: Row, device: Description) -> Description:
    """The keys by which a device is one of a row's."""
    vendor = rng.choice(sorted(row.devices))
    first, last = rng.choice(row.devices[vendor])
    found: Description = {"id": f"{vendor:04x}:{rng.randint(first, last):04x}"}
    if row.classes and device["type"] not in BRIDGES:
        found["class"] = int(rng.choice(row.classes).ljust(6, "0"), 16)
    if row.subsystems and rng.random() < 0.8:
        found["subsystem"] = "{:04x}:{:04x}".format(*rng.choice(row.subsystems))
    if row.revision is not None and rng.random() < 0.8:
        found["revision"] = row.revision
    if row.below < 0x100:
        found["revision"] = rng.choice((row.below - 1, row.below))
    return found


def own_devices(rng: random.Random, whole: Description) -> None:
    """QEMU's own devices on its one bridge: disks with VFs switched on and without, below ports with ACS and
    without, and below switches."""
    pc = whole["platform"]["arch"] == "x86_64"
    bridge: Description = {"name": "b0", "segment": 0, "devices": []}
    for dev in sorted(rng.sample(range(1, 0x1F), rng.randint(2, 4))):
        port = {"dev": dev, "type": "root-port", "model": "qemu:pcie-root-port"}
        if rng.random() < 0.4:
            port["acs"] = False
        bridge["devices"].append({**port, "devices": [_own_device(rng)]})
    if pc:
        bridge["devices"] += [
            {"dev": dev, "fn": fn, "model": f"qemu:{name}"}
            for dev, fn, name in (
                (0, 0, "q35-mch"),
                (31, 0, "ich9-lpc"),
                (31, 2, "ich9-ahci"),
                (31, 3, "ich9-smbus"),
            )
        ]
    whole["platform"]["base"] = "qemu-q35" if pc else "qemu-virt"
    whole["host_bridges"] = [{**bridge, **(Q35_BRIDGE if pc else VIRT_BRIDGE)}]
    if pc:
        whole.update(iommus=[], memory=[{"base": 0, "size": 1 << 30}])


def _own_device(rng: random.Random) -> Description:
    """A disk, most with VFs; or a switch of them."""
    if rng.random() < 0.25:
        ports = [
            {
                "dev": dev,
                "type": "downstream-port",
                "model": "qemu:xio3130-downstream",
                "devices": [_own_disk(rng)],
            }
            for dev in sorted(rng.sample(range(8), rng.randint(1, 2)))
        ]
        return {"dev": 0, "type": "upstream-port", "model": "qemu:x3130-upstream", "devices": ports}
    return _own_disk(rng)


def _own_disk(rng: random.Random) -> Description:
    if rng.random() < 0.2:
        return {"dev": 0, "model": "qemu:nvme"}
    return {"dev": 0, "model": "qemu:nvme-sriov", "sriov": {"enabled": rng.randint(0, 4)}}


VIRT_BRIDGE: Description = {
    "bus_range": [0, 0x3F],
    "config": {"base": 0x40_1000_0000},
    "windows": [
        {"space": "io", "pci": 0, "cpu": 0x3EFF_0000, "size": 0x1_0000},
        {"space": "mem32", "pci": 0x1000_0000, "size": 0x2EFF_0000},
        {"space": "mem64", "pci": 0x80_0000_0000, "size": 0x80_0000_0000},
    ],
    "msi": {"controller": "its"},
    "iommu": {"unit": "smmu"},
}
Q35_BRIDGE: Description = {
    "bus_range": [0, 0xFF],
    "config": {"base": 0xB000_0000},
    "windows": [
        {"space": "io", "pci": 0, "size": 0xCF8},
        {"space": "io", "pci": 0xD00, "size": 0xF300},
        {"space": "mem32", "pci": 0xC000_0000, "size": 0x3EC0_0000},
        {"space": "mem64", "pci": 0x8_0000_0000, "size": 32 << 30},
    ],
    "iommu": {"unit": "vtd"},
}

Theme = Callable[[random.Random, dict[str, Any]], None]
THEMES: tuple[tuple[str, Theme], ...] = (
    ("numbered", numbered),
    ("masks", masks),
    ("smmus", smmus),
    ("hot-plug", hot_plug),
    ("virtual", virtual),
    ("enabled", enabled),
    ("functions", many_functions),
    ("exhausted", exhausted),
    ("words", words),
    ("known", known),
    ("own-devices", own_devices),
)
PC_THEMES = tuple((name, theme) for name, theme in THEMES if theme not in (masks, smmus))
"""Those that are of no map, which VT-d does not have."""
