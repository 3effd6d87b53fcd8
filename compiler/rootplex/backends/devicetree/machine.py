"""The whole tree of a platform: root, `/chosen`, the base machine, memory, controllers, host bridges."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.devicetree import qemu_riscv_virt, qemu_virt
from rootplex.backends.devicetree.controllers import child_nodes, controllers, region, root_nodes
from rootplex.backends.devicetree.hostbridge import host_bridge_node
from rootplex.backends.devicetree.tree import Node, Property, Ref, Tree, cells, rows, text, tree
from rootplex.model.platform import Memory, Platform


class _Machine(Struct, frozen=True):
    """A base machine: what its root and `/chosen` say, and its nodes."""

    model: str
    compatible: tuple[str, ...]
    console: str
    nodes: Callable[[Platform], tuple[Node, ...]]
    bus: str | None
    """Below which of its nodes host bridges stand; None: below the root."""
    bridge: str
    """What a host bridge's node is called, without its address."""


_MACHINES = {
    base: _Machine(each.MODEL, each.COMPATIBLE, each.CONSOLE, each.nodes, each.BUS, each.BRIDGE)
    for base, each in (("qemu-virt", qemu_virt), ("qemu-riscv-virt", qemu_riscv_virt))
}


def node_tree(platform: Platform) -> Tree:
    """The device tree of a platform. Addresses and sizes take two cells each below the root."""
    machine = _MACHINES.get(platform.base)
    known = controllers(platform)
    bridges = platform.bridges_in("dt")
    asked = [bridge.preserve_boot_config for bridge in bridges if bridge.enabled]
    everywhere = bool(asked) and all(asked)
    below = tuple(
        host_bridge_node(
            bridge,
            known,
            child_nodes(platform, known, bridge.name),
            preserve=bridge.enabled and bridge.preserve_boot_config and not everywhere,
            called="pcie" if machine is None else machine.bridge,
        )
        for bridge in bridges
    )
    own = () if machine is None else machine.nodes(platform)
    bus = None if machine is None else machine.bus
    nodes = (
        *_chosen(platform, everywhere),
        *(replace(each, children=(*each.children, *below)) if each.name == bus else each for each in own),
        *(_memory(each) for each in platform.memory),
        *root_nodes(platform, known),
        *(below if bus is None else ()),
    )
    return tree(
        Node(name="/", properties=_root(platform, known.default), children=nodes, source=platform.at())
    )


def _root(platform: Platform, interrupts: str | None) -> tuple[Property, ...]:
    """What names the machine: the description's own words, else QEMU's, else its name."""
    qemu, riscv = _MACHINES.get(platform.base), platform.base == "qemu-riscv-virt"
    compatible = platform.compatible or (qemu.compatible if qemu else (f"rootplex,{platform.name}",))
    model = platform.model or (qemu.model if qemu else platform.title or platform.name)
    return (
        text("compatible", *compatible, source=platform.at("compatible")),
        text("model", model, source=platform.at("model")),
        cells("#address-cells", 2),
        cells("#size-cells", 2),
        # On a RISC-V machine a hart's own controller would take it for its parent, which waits for it.
        *((cells("interrupt-parent", Ref(interrupts)),) if interrupts and not riscv else ()),
    )


def _chosen(platform: Platform, preserve: bool) -> tuple[Node, ...]:
    """`/chosen`, where there is something to say. No seeds: the same description, the same bytes."""
    machine = _MACHINES.get(platform.base)
    console = platform.console or (None if machine is None else machine.console)
    properties: list[Property] = []
    if console is not None:
        properties.append(text("stdout-path", console, source=platform.at("console")))
    if platform.bootargs is not None:
        properties.append(text("bootargs", platform.bootargs, source=platform.at("bootargs")))
    if preserve:
        # of the whole machine: only then does Linux keep the bus numbers too (linux.md §1.8)
        properties.append(cells("linux,pci-probe-only", 1))
    return (Node(name="chosen", properties=tuple(properties)),) if properties else ()


def _memory(memory: Memory) -> Node:
    return Node(
        name=f"memory@{memory.base:x}",
        properties=(
            text("device_type", "memory"),
            rows("reg", region(memory.base, memory.size, memory.at("base"), memory.at("size"))),
        ),
        source=memory.at(),
    )
