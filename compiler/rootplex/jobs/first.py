"""`new`: a commented first description, of a machine of QEMU's, a bundled board or firmware's own files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Struct

MAX_BRIDGES = 4


class Machine(Struct, frozen=True, kw_only=True):
    """A machine of QEMU's to begin with: where its configuration spaces and windows lie, what refers to its
    controllers, the slot of the first port. `stride`s are from one bridge to the next."""

    arch: str
    base: str
    config: int
    mem32: str
    mem32_at: int
    mem32_stride: int
    mem64: str
    mem64_at: int
    mem64_stride: int
    lines: tuple[str, ...]
    slot: int
    guests: str


MACHINES = {
    "qemu-virt": Machine(
        arch="arm64",
        base="qemu-virt",
        config=0x40_1000_0000,
        mem32="128MiB",
        mem32_at=0x1000_0000,
        mem32_stride=0x800_0000,
        mem64="64GiB",
        mem64_at=0x80_0000_0000,
        mem64_stride=0x10_0000_0000,
        lines=("msi: {controller: its}", "iommu: {unit: smmu}"),
        slot=2,
        guests="xen: {guests: [{name: guest, devices: [nic1]}]}",
    ),
}
"""The machines that `new` asks for."""


class _Port(Struct, frozen=True, kw_only=True):
    name: str
    slot: int
    device: str
    model: str


class _Bridge(Struct, frozen=True, kw_only=True):
    name: str
    segment: int
    first: int
    last: int
    config: int
    mem32: int
    mem64: int
    ports: tuple[_Port, ...]


def first_description(name: str, machine: str, bridges: int) -> str:
    """The text: so many host bridges (1 to 4), each a segment of its own, that share the buses evenly. The
    first has the disk to boot from, and somewhere is a card for a guest."""
    facts = MACHINES[machine]
    buses = 0x100 // bridges
    made = [
        _Bridge(
            name="main" if i == 0 else f"segment{i}",
            segment=i,
            first=i * buses,
            last=(i + 1) * buses - 1,
            config=facts.config + (i * buses << 20),
            mem32=facts.mem32_at + i * facts.mem32_stride,
            mem64=facts.mem64_at + i * facts.mem64_stride,
            ports=tuple(_ports(i, facts.slot, alone=bridges == 1)),
        )
        for i in range(bridges)
    ]
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return templates.get_template("first.yaml.j2").render(name=name, machine=facts, bridges=made)


def _ports(bridge: int, slot: int, *, alone: bool) -> Iterator[_Port]:
    if bridge == 0:
        yield _Port(name="port0", slot=slot, device="disk", model="qemu:nvme")
    if bridge > 0 or alone:
        number = max(bridge, 1)
        yield _Port(
            name=f"port{number}",
            slot=slot + alone,
            device=f"nic{number}",
            model="qemu:virtio-net-pci",
        )
