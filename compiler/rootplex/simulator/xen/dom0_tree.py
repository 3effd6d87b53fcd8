"""The device tree that Xen hands to Dom0, and what stops Xen while making it (§1.6).

Host bridges get `linux,pci-domain` completed, IOMMUs and the properties that name them are taken
out, passed-through nodes are disabled, and every host bridge's addresses and interrupts are given
to Dom0, which panics where they cannot be. Only what concerns PCI is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.readers.address import regs, windows
from rootplex.readers.intx import interrupt_map
from rootplex.readers.tree import DtNode, Tree
from rootplex.simulator.xen.drivers import bridge_driver, iommu_driver, is_claimable
from rootplex.simulator.xen.outcome import Crash
from rootplex.simulator.xen.segments import Numbering, number_other

IOMMU_PROPERTIES = ("iommus", "iommu-map", "iommu-map-mask")
FIRST_SPI = 32
GIC_OFFSETS = {0: 32, 1: 16}
"""First cell of a GIC interrupt (SPI, PPI) → what is added to its number."""

Edits = dict[str, dict[str, bytes | None]]
"""Node path → property → new bytes, None for a property that is taken out."""


class Rules(Struct, frozen=True, kw_only=True):
    """How Dom0's tree is made. `complete`: pci-passthrough is on and Xen numbers the bridges.
    `numbers`: the segments that Xen chose, by path. `address_bits`: the guest-physical width."""

    complete: bool
    vpci: bool
    address_bits: int
    numbers: dict[str, int]
    numbering: Numbering


def dom0_tree(tree: Tree, rules: Rules) -> Tree | Crash:
    """The changed tree, with the same paths and places, or how Xen went down over it."""
    edits: Edits = {}
    numbering = rules.numbering
    for node in tree.walk():
        if iommu_driver(node) is not None:
            continue
        own: dict[str, bytes | None] = {}
        if "xen,passthrough" in node.properties:
            own |= {"xen,passthrough": None, "status": b"disabled\0"}
        if _names_driven_iommu(tree, node):
            own |= {name: None for name in IOMMU_PROPERTIES if name in node.properties}
        if is_host_bridge(node):
            crash = next(_mapping_faults(tree, node, rules), None)
            if crash is not None:
                return crash
            if rules.complete and "linux,pci-domain" not in node.properties:
                chosen = (rules.numbers[node.path], numbering) if node.path in rules.numbers else None
                chosen = chosen or number_other(numbering)
                if chosen is None:
                    at = tree.place(node)
                    cause = f"no linux,pci-domain for {node.path}: Xen does not number by itself (-EINVAL)"
                    return Crash("panic", cause, "§1.6, XP-02, XP-03", at)
                own["linux,pci-domain"] = chosen[0].to_bytes(4, "big")
                numbering = chosen[1]
        if own:
            edits[node.path] = own
    return edited(tree, edits)


def is_host_bridge(node: DtNode) -> bool:
    """device_type "pci" below something that is not (disabled ones too)."""
    parent = node.parent
    return node.string("device_type") == "pci" and (parent is None or parent.string("device_type") != "pci")


def _names_driven_iommu(tree: Tree, node: DtNode) -> bool:
    """Whether the first IOMMU that the node names is one that Xen has a driver for."""
    listed = node.cells("iommus")
    mapped = node.cells("iommu-map")
    phandle = listed[0] if listed else mapped[1] if mapped and len(mapped) > 1 else None
    target = None if phandle is None else tree.by_phandle.get(phandle)
    return target is not None and iommu_driver(target) is not None


def _mapping_faults(tree: Tree, node: DtNode, rules: Rules) -> Iterator[Crash]:
    """What stops `handle_device` at a host bridge, in its order: `reg`, interrupts, `ranges`."""
    skipped = "xen,passthrough" in node.properties or (
        rules.vpci and is_claimable(node) and bridge_driver(node) is not None
    )
    for entry in regs(tree, node):
        if entry.size == 0:
            cause = f"reg entry {entry.index} of {node.path} has size 0"
            yield Crash("assertion", cause, "§1.6, XP-15", entry.place)
        elif not skipped and _beyond(entry.cpu, entry.size, rules.address_bits):
            cause = f"reg entry {entry.index} of {node.path} lies beyond the guest-physical width"
            yield Crash("panic", cause, "§1.6, XP-20", entry.place)
    yield from _interrupt_faults(tree, node)
    if "ranges" not in node.properties:
        at = tree.place(node, "ranges")
        yield Crash("panic", f"{node.path} has no ranges (-EINVAL)", "§1.6, XP-23", at)
    for window in () if skipped else windows(tree, node, "ranges"):
        if _beyond(window.cpu, window.size, rules.address_bits):
            cause = f"a window of {node.path} lies beyond the guest-physical width"
            yield Crash("panic", cause, "§1.6, XP-22", window.place)


def _interrupt_faults(tree: Tree, node: DtNode) -> Iterator[Crash]:
    """Interrupts of the map that a GIC would not have as SPIs."""
    found = interrupt_map(tree, node)
    for entry in () if found is None else found.entries:
        parent = tree.by_path.get(entry.parent or "")
        if parent is None or not any("gic" in name for name in parent.compatible):
            continue
        if len(entry.specifier) != 3 or entry.specifier[0] not in GIC_OFFSETS:
            continue
        number = entry.specifier[1] + GIC_OFFSETS[entry.specifier[0]]
        if number < FIRST_SPI:
            cause = f"interrupt {number} in the interrupt-map of {node.path} is not an SPI (-EINVAL)"
            yield Crash("panic", cause, "§1.6, XP-37", entry.place)


def _beyond(base: int | None, size: int, bits: int) -> bool:
    return base is not None and base + size > 1 << bits


def edited(tree: Tree, edits: Edits) -> Tree:
    """A copy of the tree without the IOMMUs that Xen has drivers for, and with the edits made."""
    by_path: dict[str, DtNode] = {}

    def copy(node: DtNode, parent: DtNode | None) -> DtNode:
        changes = edits.get(node.path, {})
        properties = {name: value for name, value in node.properties.items() if name not in changes}
        properties |= {name: value for name, value in changes.items() if value is not None}
        made = DtNode(node.path, node.name, parent, properties)
        by_path[node.path] = made
        return made

    root = copy(tree.root, None)
    pending = [(tree.root, root)]
    while pending:
        source, target = pending.pop()
        for child in source.children:
            if iommu_driver(child) is None:
                made = copy(child, target)
                target.children.append(made)
                pending.append((child, made))
    by_phandle = {
        phandle: by_path[node.path] for phandle, node in tree.by_phandle.items() if node.path in by_path
    }
    shared = tuple(by_path[node.path] for node in tree.shared_phandles if node.path in by_path)
    return Tree(tree.file, root, tree.reservations, by_path, by_phandle, shared, tree.boot_cpu)
