"""Nodes below host bridges that the kernel does not take for functions."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.readers.intx import PCI_ADDRESS, devfn_of
from rootplex.readers.tree import DtNode
from rootplex.source.finding import Finding, Level

PORT_CELLS = {"#address-cells": 3, "#size-cells": 2}
NOT_CONFIGURATION = 0xFF0000FF
"""Bits of phys.hi that a configuration address has clear: flags and space, register number."""

ADDRESS = "write device << 11 | function << 8 and four zeros, and the same device and function in the name"

Fault = tuple[str | None, str, list[str], str]
"""The property at fault, what is wrong with the node, what else is to be said, what to do."""


@check("RPX0621", Level.WARNING, covers=("LNX-62",))
def child_node(facts: Facts) -> Iterator[Finding]:
    """What it finds: a node below an enabled bridge that is for no function, or for another one than it says:
    without `reg`, with one of fewer than five cells, one that is no configuration address, one that disagrees
    with the node's name, or the same as another node's; a bus number outside the `bus-range` of the bridge
    above; and nodes of ports without `ranges`, with cells that a PCI bus cannot have, or a `bus-range` that
    is none.
    Why it matters: the kernel finds the node of a function by device and function number alone, the first
    that fits. What such a node says (`interrupts`, `interrupt-map`, `external-facing`, power, MAC address)
    counts for no function, or for another one. Addresses do not get through a port without `ranges`.
    Example: a node `ethernet@2,0` with `reg = <0x800 0 0 0 0>`, which is device 1.
    What to do: write device << 11 | function << 8 and four zeros, and the same device and function in the
    name.
    Source: PCI Bus Binding to IEEE 1275 §2.2.1.1 and §4.1.1; Linux drivers/pci/of.c, of_pci_get_devfn and
    of_pci_find_child_device; dtc's checks pci_bridge, pci_device_reg and pci_device_bus_num.
    Sources that prove it: device tree.
    """
    # Each node's first fault, in document order.
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        for bus in _buses(bridge.node):
            taken: dict[int, DtNode] = {}
            for child in bus.children:
                for property, message, notes, help in _faults(bus, child, taken):
                    assert facts.dt is not None
                    yield child_node.rule.finding(
                        facts.dt.tree.place(child, property),
                        f"{child.path} {message}",
                        notes=notes,
                        help=help,
                        subject=name,
                    )
                    break


def _buses(node: DtNode) -> Iterator[DtNode]:
    """A host bridge's node and those of the ports below it."""
    yield node
    for child in node.children:
        if _is_port(child):
            yield from _buses(child)


def _is_port(node: DtNode) -> bool:
    return node.string("device_type") == "pci"


def _faults(bus: DtNode, node: DtNode, taken: dict[int, DtNode]) -> Iterator[Fault]:
    reg = node.properties.get("reg")
    if reg is None:
        if _is_port(node) or "@" in node.name:
            yield None, "has no reg, and is the node of no function", [], ADDRESS
        return
    yield from _address(bus, node, reg)
    devfn = devfn_of(node)
    if devfn is not None:
        other = taken.setdefault(devfn, node)
        if other is not node:
            text = f"is for the function that {other.path} is for"
            yield "reg", text, ["the kernel takes the first one"], "give each function one node"
    if _is_port(node):
        yield from _port(node)


def _address(bus: DtNode, node: DtNode, reg: bytes) -> Iterator[Fault]:
    if len(reg) < PCI_ADDRESS:
        text = f"has {len(reg)} bytes of reg, and is the node of no function"
        yield "reg", text, [f"the kernel reads {PCI_ADDRESS} bytes: a PCI address and a size"], ADDRESS
        return
    high = int.from_bytes(reg[:4], "big")
    if high & NOT_CONFIGURATION or any(reg[4:12]):
        yield "reg", "has a reg that is no configuration address", [f"it begins with {high:#010x}"], ADDRESS
    device, function = high >> 11 & 0x1F, high >> 8 & 7
    unit = node.name.partition("@")[2]
    names = {f"{device:x},{function:x}"} | ({f"{device:x}"} if function == 0 else set())
    if unit and unit not in names:
        text = f"has a reg for function {device:02x}.{function}"
        yield "reg", text, ["its name says another one"], ADDRESS
    number, cells = high >> 16 & 0xFF, bus.cells("bus-range") or (0, 0xFF)
    if _is_range(cells) and not cells[0] <= number <= cells[1]:
        text = f"is on bus {number:#04x}, outside those of {bus.path}"
        yield (
            "reg",
            text,
            [f"they are {cells[0]:#04x}-{cells[1]:#04x}", "the kernel looks at the device alone"],
            "leave the bus number 0, or write one of these",
        )


def _port(node: DtNode) -> Iterator[Fault]:
    if "ranges" not in node.properties:
        notes = ["no address below it is one of the CPU"]
        yield None, "is a port without ranges", notes, "write 'ranges;', or what it passes on"
    for name, wanted in PORT_CELLS.items():
        own = node.u32(name)
        if own is not None and own != wanted:
            yield name, f"has {name} of {own}, and a PCI bus has {wanted}", [], f"write <{wanted}>"
    cells = node.cells("bus-range")
    if cells is not None and not _is_range(cells):
        help = "write the first and the last bus, from 0 to 0xff"
        yield "bus-range", "has a bus-range that is none", [], help


def _is_range(cells: tuple[int, ...]) -> bool:
    return len(cells) == 2 and cells[0] <= cells[1] <= 0xFF
