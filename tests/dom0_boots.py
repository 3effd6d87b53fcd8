"""Device trees for Dom0 tests, written as text and compiled by `dtc`, and a boot on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rootplex.formats.hypercalls import Structure
from rootplex.known.kernels import profile
from rootplex.readers.dtb import read_dtb
from rootplex.readers.dts import compile_dts
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.firmware.facts import DtFirmware, dt_firmware
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.boot import boot
from rootplex.simulator.linux.hypervisor import (
    ConfigAccesses,
    HostBridgeAdd,
    Hypervisor,
    Machine,
)
from rootplex.simulator.linux.state import Dom0State
from rootplex.simulator.xen.machine import Xen

ECAM = 0x40_0000_0000


class Willing:
    """A hypervisor that lets every access through and answers every call with 0."""

    def __init__(self, machine: Machine) -> None:
        self.read = machine.read
        self.write = machine.write
        self.port_read = machine.port_read
        self.port_write = machine.port_write

    def hypercall(self, op: str, args: Structure) -> int:
        return 0

    def pci_host_bridge_add(self, call: HostBridgeAdd, config: ConfigAccesses) -> int:
        return 0


def xen_of(outcome: Outcome) -> Xen:
    """The hypervisor of a boot that has one."""
    assert outcome.xen is not None
    return outcome.xen


def xen_groups_of(outcome: Outcome) -> Grouping:
    """The partition of a boot's Xen."""
    assert outcome.xen_groups is not None
    return outcome.xen_groups


def pair(value: int) -> str:
    return f"{value >> 32:#x} {value & 0xFFFFFFFF:#x}"


@dataclass
class Node:
    """A host bridge node: buses, ECAM, the text of whatever else it has."""

    name: str = "a"
    base: int = ECAM
    size: int | None = None
    buses: tuple[int, int] | None = (0, 255)
    domain: int | None = None
    compatible: str = "pci-host-ecam-generic"
    device_type: str | None = "pci"
    status: str | None = None
    ranges: Sequence[tuple[int, int, int, int]] = ((0x02000000, 0x10000000, 0x10000000, 0x20000000),)
    extra: str = ""
    reg: str | None = None
    children: str = ""

    def text(self) -> str:
        first, last = self.buses or (0, 255)
        size = (last - first + 1) << 20 if self.size is None else self.size
        lines = [f'compatible = "{self.compatible}";', "#address-cells = <3>;", "#size-cells = <2>;"]
        if self.device_type is not None:
            lines.append(f'device_type = "{self.device_type}";')
        lines.append(self.reg if self.reg is not None else f"reg = <{pair(self.base)} {pair(size)}>;")
        if self.buses is not None:
            lines.append(f"bus-range = <{first:#x} {last:#x}>;")
        if self.domain is not None:
            lines.append(f"linux,pci-domain = <{self.domain:#x}>;")
        if self.status is not None:
            lines.append(f'status = "{self.status}";')
        entries = [
            f"<{flags:#x} {pair(pci)} {pair(cpu)} {pair(size)}>" for flags, pci, cpu, size in self.ranges
        ]
        if entries:
            lines.append(f"ranges = {', '.join(entries)};")
        body = "\n".join([*lines, self.extra, self.children])
        return f"pcie-{self.name} {{\n{body}\n}};\n"


MEMORY = (0x8000_0000, 0x1000_0000)


def tree(nodes: Sequence[Node], chosen: str = "", memory: tuple[int, int] = MEMORY) -> str:
    body = "".join(node.text() for node in nodes)
    return f"""/dts-v1/;
/ {{
#address-cells = <2>; #size-cells = <2>;
chosen {{ {chosen} }};
memory@80000000 {{ device_type = "memory"; reg = <{pair(memory[0])} {pair(memory[1])}>; }};
{body}}};
"""


def firmware(
    nodes: Sequence[Node], kernel: str = "linux-7.2", chosen: str = "", **options: Any
) -> DtFirmware:
    blob = compile_dts(tree(nodes, chosen, **options), "t.dts")
    return dt_firmware(read_dtb(blob, "t.dtb"), profile(kernel).map_cells)


def dt_boot(
    nodes: Sequence[Node],
    hardware: Hardware | None = None,
    *,
    kernel: str = "linux-7.2",
    chosen: str = "",
    hypervisor: Hypervisor | None = None,
    memory: tuple[int, int] = MEMORY,
    **settings: Any,
) -> Dom0State:
    """Boot on a device tree of these nodes."""
    facts = firmware(nodes, kernel, chosen, memory=memory)
    arguments: dict[str, Any] = {"arch": "arm64", "firmware": "dt", "kernel": kernel, **settings}
    return boot(facts, Settings(**arguments), hardware, hypervisor)
