"""What Xen on Arm needs of a device tree before it looks at PCI at all (§1.0): memory, a GIC with what a
hypervisor has of it, the timer's interrupts; and PSCI for every CPU but the first.

Asked of real ones of all three versions, each with QEMU's own tree and one thing taken out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from rootplex.known.xen import XenVersion
from rootplex.readers.intx import interrupt_parent
from rootplex.readers.tree import DtNode, Tree
from rootplex.simulator.xen.drivers import has_device_type, is_compatible
from rootplex.simulator.xen.dt_address import Address, Addresses
from rootplex.source.place import DtPlace

GIC_V3 = ("arm,gic-v3",)
GIC_V2 = ("arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a7-gic")
TIMER = ("arm,armv7-timer", "arm,armv8-timer")
PSCI = ("arm,psci-1.0", "arm,psci-0.2", "arm,psci")
GIC_V2_BLOCKS = ("distributor", "CPU interface", "hypervisor interface", "virtual CPU interface")
TIMER_LINES = ("sec-phys", "phys", "virt", "hyp-phys")
"""The names of the timer's interrupts, in the order of those without names; Xen wants every one."""

Part = Literal["memory", "interrupt controller", "timer", "psci"]


class Lack(Struct, frozen=True):
    """Something that is not there. `text`: the main clause; `said`: what Xen prints of it, None where its
    console is not on yet; `fatal`: Xen does not start (else it starts with one CPU)."""

    part: Part
    text: str
    said: str | None
    at: DtPlace
    fatal: bool = True


def is_whole(tree: Tree) -> bool:
    """Whether a tree claims to be that of a whole machine: it has processors."""
    return bool(_processors(tree))


def lacks(tree: Tree, version: XenVersion) -> Iterator[Lack]:
    """What the tree of a whole machine lacks, in the order in which Xen wants it."""
    addresses = Addresses(tree, strict=version.strict_numbers)
    yield from _memory(tree, version, addresses)
    yield from _controller(tree, addresses)
    yield from _timer(tree)
    yield from _psci(tree)


def _memory(tree: Tree, version: XenVersion, addresses: Addresses) -> Iterator[Lack]:
    """`early_scan_node`, `process_memory_node`; the end comes before a console is there."""
    nodes = [node for node in tree.walk() if has_device_type(node, "memory")]
    usable = [node for node in nodes if node.is_enabled or not version.memory_status]
    if any(entry.size for node in usable for entry in addresses.of(node)[1]):
        return
    if not nodes:
        yield Lack("memory", "no node has device_type memory", None, tree.place("/"))
    elif not usable:
        at = tree.place(nodes[0], "status")
        yield Lack("memory", f"the memory {nodes[0].path} is disabled", None, at)
    else:
        at = tree.place(usable[0], "reg" if "reg" in usable[0].properties else None)
        yield Lack("memory", f"{usable[0].path} has no bytes of memory", None, at)


def _controller(tree: Tree, addresses: Addresses) -> Iterator[Lack]:
    """`gic_dt_preinit`, then `gicv3_dt_init` or `gicv2_dt_init`."""
    gic = next((node for node in tree.walk() if _is_gic(node)), None)
    if gic is None:
        text = "no enabled node is an interrupt controller that Xen drives"
        yield Lack("interrupt controller", text, None, tree.place("/"))
        return
    blocks = addresses.of(gic)[1]
    is_v3 = is_compatible(gic, GIC_V3)
    lost = _redistributors(gic, blocks) if is_v3 else _interfaces(blocks)
    if lost is not None:
        text, said = lost
        yield Lack("interrupt controller", f"{gic.path} {text}", said, tree.place(gic, "reg"))
    if _lines(tree, gic) == 0:
        text = f"{gic.path} has no maintenance interrupt"
        said = f"GICv{3 if is_v3 else 2}: Cannot find the maintenance IRQ"
        yield Lack("interrupt controller", text, said, tree.place(gic, "interrupts"))


def _is_gic(node: DtNode) -> bool:
    known = is_compatible(node, (*GIC_V3, *GIC_V2))
    return known and node.is_enabled and "interrupt-controller" in node.properties


def _redistributors(gic: DtNode, blocks: tuple[Address, ...]) -> tuple[str, str] | None:
    if not _has(blocks, 0):
        return "has no registers of a distributor", "GICv3: Cannot find a valid distributor address"
    regions = gic.u32("#redistributor-regions")
    for index in range(1 if regions is None else min(regions, len(blocks))):
        if not _has(blocks, 1 + index):
            text = f"has no registers for region {index} of its redistributors"
            return text, f"GICv3: No rdist base found for region {index}"
    return None


def _interfaces(blocks: tuple[Address, ...]) -> tuple[str, str] | None:
    for index, name in enumerate(GIC_V2_BLOCKS):
        if not _has(blocks, index):
            said = f"GICv2: Cannot find a valid address for the {name.removesuffix(' interface')}"
            return f"has no registers of a {name}", said
    return None


def _has(blocks: tuple[Address, ...], index: int) -> bool:
    return index < len(blocks) and blocks[index].cpu is not None


def _timer(tree: Tree) -> Iterator[Lack]:
    """`preinit_dt_xen_time`, `init_dt_xen_time`; a disabled node will do."""
    timer = next((node for node in tree.walk() if is_compatible(node, TIMER)), None)
    if timer is None:
        yield Lack("timer", "no node is an Arm generic timer", None, tree.place("/"))
        return
    names, count = timer.strings("interrupt-names"), _lines(tree, timer)
    for index, name in enumerate(TIMER_LINES):
        there = index < count if "interrupt-names" not in timer.properties else name in names[:count]
        if not there:
            said = f"Timer: Unable to retrieve IRQ {index} from the device tree"
            at = tree.place(timer, "interrupts")
            yield Lack("timer", f"{timer.path} has no interrupt {index}, {name}", said, at)
            return


def _psci(tree: Tree) -> Iterator[Lack]:
    """`psci_init`, `is_psci_available`; the status of the node is not asked."""
    waiting = [node for node in _processors(tree) if node.string("enable-method") == "psci"]
    if len(waiting) < 2:
        return
    node = next((each for each in tree.walk() if is_compatible(each, PSCI)), None)
    said = "CPU1 asks for PSCI, but DTB has no PSCI node"
    if node is None:
        yield Lack("psci", "no node is PSCI, as the processors ask for", said, tree.place("/"), fatal=False)
    elif (method := node.string("method")) != "smc":
        called = "no method" if method is None else f"the method {method}"
        text = f"{node.path} has {called}, and Xen calls by smc"
        yield Lack("psci", text, said, tree.place(node, "method"), fatal=False)


def _processors(tree: Tree) -> list[DtNode]:
    cpus = tree.by_path.get("/cpus")
    return [node for node in (cpus.children if cpus else []) if has_device_type(node, "cpu")]


def _lines(tree: Tree, node: DtNode) -> int:
    """How many interrupts a node has (`dt_device_get_raw_irq`)."""
    extended = node.cells("interrupts-extended")
    if extended is not None:
        return _extended(tree, extended)
    cells, parent = node.cells("interrupts"), interrupt_parent(tree, node)
    width = None if parent is None else parent.u32("#interrupt-cells")
    return 0 if not cells or not width else len(cells) // width


def _extended(tree: Tree, cells: tuple[int, ...]) -> int:
    count = at = 0
    while at < len(cells):
        parent = tree.by_phandle.get(cells[at])
        width = None if parent is None else parent.u32("#interrupt-cells")
        if width is None or at + 1 + width > len(cells):
            break
        count, at = count + 1, at + 1 + width
    return count
