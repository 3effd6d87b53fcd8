"""Results for the picture and the page, made by hand: as large as a test wants, with what a name can hold."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.jobs.result import (
    BootResult,
    BridgeResult,
    Device,
    Ecam,
    Group,
    Machine,
    Numbers,
    Result,
    Stream,
    Stretch,
    Why,
    WindowResult,
)

HOSTILE = '</script><img src=x onerror="alert(1)">"\'`{{7*7}} */ $(id) \u202e'
"""A name that no description can hold; a vendor's strings can."""


def device(sbdf: str, **more: object) -> Device:
    """A function of this SBDF; anything else as given."""
    fields: dict[str, object] = {
        "name": None, "parent": None, "vendor": 0x1B36, "device": 0x10, "subsystem": None, "revision": 0,
        "class_code": 0x010802, "header": 0, "bus": None, "type": "endpoint", "physfn": None, "acs": None,
        "group": None, "group_at_boot": True, "stream": None, "msi": None, "intx": None, "aliases": (),
        "bars": (), "guest": None,
    }  # fmt: skip
    return Device(sbdf=sbdf, **{**fields, **more})  # type: ignore[arg-type]


def bridge(name: str, segment: int, cpu: int = 0x8000_0000) -> BridgeResult:
    """A bridge of all buses with one window."""
    return BridgeResult(
        name=name,
        enabled=True,
        segment=segment,
        bus_range=(0, 0xFF),
        ecam=Ecam(base=0x40_1000_0000 + (segment << 28), size=256 << 20),
        windows=(WindowResult(space="mem32", prefetchable=False, pci=cpu, cpu=cpu, size=1 << 28),),
        numbers=Numbers(dt=segment, mcfg=segment, dom0=segment),
        in_mcfg=True,
        registered=True,
    )


def small() -> Result:
    """Two segments; a port that does not isolate, with two functions below it in its group."""
    devices = (
        device("0000:00:01.0", name="port", type="root-port", bus=(1, 1), group=0),
        device("0000:01:00.0", name="disk", parent="0000:00:01.0", group=0, guest="router"),
        device("0000:01:00.1", name=HOSTILE, parent="0000:00:01.0", group=0),
        device("0001:00:00.0", name="nic", group=1, stream=Stream(unit="smmu", id=7)),
    )
    why = Why(sbdf="0000:00:01.0", text="0000:00:01.0 is a root port without ACS", kind="acs-absent")
    groups = (
        Group(id=0, members=tuple(each.sbdf for each in devices[:3]), guest="router", why=(why,)),
        Group(id=1, members=("0001:00:00.0",), guest=None, why=()),
    )
    machine = Machine(
        bridges=(bridge("first", 0), bridge("second", 1, 0x8800_0000)),
        devices=devices,
        groups=groups,
        boot=BootResult(device="disk", sbdf="0000:01:00.0", reachable_by=("dt",)),
    )
    return result(machine)


def large(count: int) -> Result:
    """So many functions, eight in a slot, in groups of eight."""
    devices = tuple(_many(count))
    members: dict[int, list[str]] = {}
    for each in devices:
        assert each.group is not None
        members.setdefault(each.group, []).append(each.sbdf)
    groups = tuple(
        Group(id=number, members=tuple(sbdfs), guest=None, why=()) for number, sbdfs in members.items()
    )
    segments = sorted({int(each.sbdf[:4], 16) for each in devices})
    bridges = tuple(bridge(f"b{segment}", segment) for segment in segments)
    return result(Machine(bridges=bridges, devices=devices, groups=groups))


def _many(count: int) -> Iterator[Device]:
    for i in range(count):
        slot, function = divmod(i, 8)
        segment, slot = divmod(slot, 32)
        stream = Stream(unit="smmu", id=i)
        yield device(f"{segment:04x}:00:{slot:02x}.{function}", name=f"d{i}", group=i // 8, stream=stream)


def result(machine: Machine) -> Result:
    """A consistent result with a GiB of memory."""
    return Result(
        file="board.yaml",
        platform="board",
        dom0="linux-7.2",
        firmware="dt",
        verdict="consistent",
        findings=(),
        machine=machine,
        memory=(Stretch(base=0x4000_0000, size=1 << 30),),
        simulated=True,
    )
