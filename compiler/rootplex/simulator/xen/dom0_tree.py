"""The device tree that Xen hands to Dom0, and what stops Xen while making it (§1.6).

Every node that Xen leaves to Dom0 has its addresses and interrupts given to it, disabled ones too,
and one that cannot be given is a panic (`handle_device`). Host bridges get `linux,pci-domain`
completed, IOMMUs and the properties that name them are taken out, passed-through nodes are disabled.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.readers.tree import DtNode, Tree
from rootplex.simulator.xen.drivers import (
    bridge_driver,
    folded,
    has_device_type,
    iommu_driver,
    is_claimable,
    is_compatible,
)
from rootplex.simulator.xen.dt_address import Address, Addresses, ranges_fault
from rootplex.simulator.xen.outcome import Crash
from rootplex.simulator.xen.segments import Numbering, number_other

IOMMU_PROPERTIES = ("iommus", "iommu-map", "iommu-map-mask")
FIRST_SPI = 32
INTERRUPT_CONTROLLERS = (
    "arm,gic-v3",
    "arm,gic-400",
    "arm,cortex-a15-gic",
    "arm,cortex-a7-gic",
    "hisilicon,hip04-intc",
)
NOT_FOR_DOM0 = (
    *INTERRUPT_CONTROLLERS,
    "arm,armv7-timer",
    "arm,armv8-timer",
    "arm,armv7-timer-mem",
    "arm,psci",
    "arm,psci-0.2",
    "arm,psci-1.0",
    "arm,cortex-a7-pmu",
    "arm,cortex-a15-pmu",
    "arm,cortex-a53-edac",
    "arm,armv8-pmuv3",
    "multiboot,module",
    "xen,domain",
    "xen,domain-shared-memory-v1",
    "xen,evtchn-v1",
    "xen,multiboot-module",
    "xen,xen",
)
"""Compatible strings of what Dom0 is not given, or is given anew (`handle_node`)."""
MOST_CELLS = 4
"""How many cells an interrupt may have (`DT_MAX_IRQ_SPEC`)."""
MOST_PARENTS = 64
"""A chain of interrupt parents that is longer goes in a circle, in which Xen stays for ever."""
ALL_ONES = (1 << 64) - 1

Edits = dict[str, dict[str, bytes | None]]
"""Node path → property → new bytes, None for a property that is taken out."""


class Rules(Struct, frozen=True, kw_only=True):
    """How Dom0's tree is made. `complete`: pci-passthrough is on and Xen numbers the bridges.
    `numbers`: the segments that Xen chose, by path. `address_bits`: the guest-physical width;
    `strict`: as `Addresses` has it."""

    complete: bool
    vpci: bool
    address_bits: int
    numbers: dict[str, int]
    numbering: Numbering
    strict: bool


def dom0_tree(tree: Tree, rules: Rules) -> Tree | Crash:
    """The changed tree, with the same paths and places, or how Xen went down over it (`Stopped` where
    that is no panic)."""
    edits: Edits = {}
    numbering = rules.numbering
    given = _Given(tree, rules)
    for node in left_to_dom0(tree):
        crash = next(given.faults(node), None)
        if crash is not None:
            return crash
        own: dict[str, bytes | None] = {}
        if "xen,passthrough" in node.properties:
            own |= {"xen,passthrough": None, "status": b"disabled\0"}
        if _names_driven_iommu(tree, node):
            own |= {name: None for name in IOMMU_PROPERTIES if name in node.properties}
        if rules.complete and is_host_bridge(node) and "linux,pci-domain" not in node.properties:
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


def left_to_dom0(tree: Tree) -> Iterator[DtNode]:
    """The nodes that `handle_node` goes through, in document order: all but those that Xen has for
    itself or makes anew, with what is below them."""
    stack = [tree.root]
    while stack:
        node = stack.pop()
        if is_compatible(node, NOT_FOR_DOM0) or iommu_driver(node) is not None:
            continue
        if folded(node.path) == "/cpus" or has_device_type(node, "memory"):
            continue
        yield node
        stack.extend(reversed(node.children))


def is_host_bridge(node: DtNode) -> bool:
    """device_type "pci" below something that is not (disabled ones too)."""
    return has_device_type(node, "pci") and (node.parent is None or not has_device_type(node.parent, "pci"))


def _names_driven_iommu(tree: Tree, node: DtNode) -> bool:
    """Whether the first IOMMU that the node names is one that Xen has a driver for."""
    for name, at in (("iommus", 0), ("iommu-map", 1)):
        cells = node.cells(name) or ()
        target = tree.by_phandle.get(cells[at]) if len(cells) > at else None
        if target is not None:
            return iommu_driver(target) is not None
    return False


class _Given:
    """What Dom0 has been given so far of the interrupts, and what it cannot be given."""

    def __init__(self, tree: Tree, rules: Rules) -> None:
        self._tree = tree
        self._rules = rules
        self._addresses = Addresses(tree, strict=rules.strict)
        self._triggers: dict[int, int] = {}
        self._controller = next(
            (
                node
                for node in tree.walk()
                if node.parent is not None
                and "interrupt-controller" in node.properties
                and is_compatible(node, INTERRUPT_CONTROLLERS)
            ),
            None,
        )

    def faults(self, node: DtNode) -> Iterator[Crash]:
        """What stops `handle_device` at a node, in its order: addresses; of a PCI bus also interrupts
        and windows."""
        skipped = "xen,passthrough" in node.properties or (
            self._rules.vpci and is_claimable(node) and bridge_driver(node) is not None
        )
        name, entries = self._addresses.of(node)
        for entry in entries:
            if entry.cpu is None:
                cause = f"{name} entry {entry.index} of {node.path} cannot be translated (-EINVAL)"
                yield self._panic(node, name, entry, cause, "§1.6, XP-24")
            else:
                yield from self._range_faults(node, name, entry, entry.cpu, mapped=not skipped)
        if not has_device_type(node, "pci"):
            return
        yield from self._interrupt_faults(node)
        fault = ranges_fault(node)
        if fault is not None:
            at = self._tree.place(node, "ranges")
            yield Crash("panic", f"{node.path} has {fault} (-EINVAL)", "§1.6, XP-23", at)
            return
        for entry in self._addresses.ranges_of(node):
            cpu = ALL_ONES if entry.cpu is None else entry.cpu
            yield from self._range_faults(node, "ranges", entry, cpu, mapped=not skipped)

    def _range_faults(
        self, node: DtNode, name: str, entry: Address, cpu: int, *, mapped: bool
    ) -> Iterator[Crash]:
        """`map_range_to_domain`."""
        what = f"{name} entry {entry.index} of {node.path}"
        if ALL_ONES - cpu < entry.size:
            lost = "its parent's ranges do not have it" if cpu == ALL_ONES else "it ends beyond 64 bits"
            yield self._panic(node, name, entry, f"{what}: {lost} (-ERANGE)", "§1.6, XP-22")
        elif entry.size == 0 and cpu % 4096 == 0:
            place = self._tree.place(node, name, entry.cell)
            yield Crash("assertion", f"{what} has size 0", "§1.6, XP-15", place)
        elif mapped and entry.size and cpu + entry.size > 1 << self._rules.address_bits:
            cause = f"{what} lies beyond the guest-physical width"
            yield self._panic(node, name, entry, cause, "§1.6, XP-20, XP-22")

    def _panic(self, node: DtNode, name: str, entry: Address, cause: str, clause: str) -> Crash:
        return Crash("panic", cause, clause, self._tree.place(node, name, entry.cell))

    def _interrupt_faults(self, node: DtNode) -> Iterator[Crash]:
        """`dt_for_each_irq_map`: every interrupt of the map that comes to the GIC is an SPI, with one
        trigger wherever it stands. A tree without a GIC is none that Xen boots on, and nothing is said."""
        cells = node.cells("interrupt-map")
        if self._controller is None:
            return
        key = self._key_cells(node)
        if key is None:
            yield self._map_fault(node, 0, "has no #interrupt-cells above it, or too many (-EINVAL)")
        if cells is None or key is None:
            return
        at = 0
        while len(cells) - at > key + 1:
            start = at + key + 1
            parent = self._tree.by_phandle.get(cells[start - 1])
            width = None if parent is None else parent.u32("#interrupt-cells")
            if parent is None or width is None or width > MOST_CELLS:
                yield self._map_fault(node, at, "names a parent that is none (-EINVAL)")
                return
            unit = parent.u32("#address-cells") or 0
            end = start + unit + width
            if end > len(cells):
                yield self._map_fault(node, at, "stops in the middle of an entry (-EINVAL)")
                return
            if parent is self._controller:
                fault = self._spi_fault(cells[start + unit : end])
                if fault is not None:
                    yield self._map_fault(node, at, fault)
                    return
            at = end

    def _key_cells(self, node: DtNode) -> int | None:
        """How many cells the child's side of an entry has: its unit address and its interrupt."""
        here: DtNode | None = node
        left = MOST_PARENTS
        while here is not None and "#interrupt-cells" not in here.properties:
            phandle = here.u32("interrupt-parent")
            here = here.parent if phandle is None else self._tree.by_phandle.get(phandle)
            left -= 1
            if left == 0:
                return None
        width = None if here is None else here.u32("#interrupt-cells")
        if here is None or width is None or width > MOST_CELLS:
            return None
        return here.address_cells + width

    def _spi_fault(self, specifier: tuple[int, ...]) -> str | None:
        if len(specifier) < 3:
            return "has an interrupt of fewer than three cells (-EINVAL)"
        number = specifier[1] + (32 if specifier[0] == 0 else 16)
        if number < FIRST_SPI:
            return f"has interrupt {number}, which is not an SPI (-EINVAL)"
        trigger = specifier[2] & 0xF
        if self._triggers.setdefault(number, trigger) != trigger:
            return f"has interrupt {number} with another trigger than before (-EBUSY)"
        return None

    def _map_fault(self, node: DtNode, cell: int, what: str) -> Crash:
        place = self._tree.place(node, "interrupt-map", cell)
        return Crash("panic", f"the interrupt-map of {node.path} {what}", "§1.6, XP-37", place)


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
