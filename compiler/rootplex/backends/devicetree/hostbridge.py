"""The node of a PCI host bridge.

Bindings: host-generic-pci.yaml, pci-bus-common.yaml, pci-iommu.txt, pci-msi.txt; the layout of
`ranges` is IEEE 1275's PCI binding, §2.2.1.1 (linux.md §1.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.backends.devicetree.children import PCI_BUS, child_nodes
from rootplex.backends.devicetree.controllers import Controllers, region
from rootplex.backends.devicetree.interrupts import host_map
from rootplex.backends.devicetree.tree import Node, Property, Ref, Row, Word, cells, flag, rows, text, wide
from rootplex.backends.devicetree.vendor import with_vendor
from rootplex.formats.devicetree import PREFETCHABLE, SPACE_CODES, SPACE_SHIFT
from rootplex.model.bridge import HostBridge, IdMapEntry, IommuMap, MsiMap, Window
from rootplex.source.place import Place

_SPACE = {space: code << SPACE_SHIFT for space, code in SPACE_CODES.items()}
_ALL_BITS = 0xFFFF_FFFF


def host_bridge_node(
    bridge: HostBridge,
    known: Controllers,
    controllers: tuple[Node, ...],
    *,
    preserve: bool,
    called: str = "pcie",
) -> Node:
    """The node of `bridge` as the device tree has it (`HostBridge.as_seen_by("dt")`).

    `controllers` are child nodes of its own; `preserve` says that the node itself asks the kernel
    to keep what firmware set up; `called` is the node's name without its address.
    """
    registers = bridge.config.registers
    base = registers[0].base if registers else bridge.config.base
    return Node(
        name=f"{called}@{base:x}",
        properties=with_vendor(
            _properties(bridge, known, preserve), bridge.dt.properties, bridge.dt, "properties"
        ),
        children=(*controllers, *child_nodes(bridge, known)),
        key=bridge.name,
        label=bridge.dt.label,
        comment=_comment(bridge),
        source=bridge.at(),
    )


def _comment(bridge: HostBridge) -> str:
    segment = "segment not said" if bridge.segment is None else f"segment {bridge.segment}"
    return f"{bridge.name}: {segment}, buses {bridge.bus_range}"


def _properties(bridge: HostBridge, known: Controllers, preserve: bool) -> Iterator[Property]:
    if bridge.config.compatible:
        yield text("compatible", *bridge.config.compatible, source=bridge.config.at("compatible"))
    yield text("device_type", "pci")
    yield from _registers(bridge)
    yield from _numbers(bridge)
    yield from PCI_BUS
    if bridge.windows:
        yield rows("ranges", *(_window(each) for each in bridge.windows), source=bridge.at("windows"))
    yield from _dma(bridge)
    if bridge.intx is not None and bridge.intx.controller in known:
        yield from host_map(bridge.intx, known)
    if bridge.name in known.bridges:
        yield flag("msi-controller", source=bridge.at("msi"))
    if bridge.msi is not None:
        yield from _msi(bridge.msi, known)
    if bridge.iommu is not None:
        yield from _iommu(bridge.iommu, known)
    if preserve:
        yield cells("linux,pci-probe-only", 1, source=bridge.at("preserve_boot_config"))
    if not bridge.enabled:
        yield text("status", "disabled", source=bridge.at("enabled"))


def _registers(bridge: HostBridge) -> Iterator[Property]:
    """`reg` of the configuration space alone, or of all registers, each with its name."""
    config = bridge.config
    entries: list[Row]
    if not config.registers:
        entries = [region(config.base, config.size, config.at("base"), config.at("size"))]
    else:
        entries = [
            region(each.base, each.size, each.at("base"), each.at("size")) for each in config.registers
        ]
    yield rows("reg", *entries, source=config.at("registers" if config.registers else "base"))
    if config.registers:
        yield text("reg-names", *(each.name for each in config.registers), source=config.at("registers"))


def _numbers(bridge: HostBridge) -> Iterator[Property]:
    first, last = bridge.bus_range.first, bridge.bus_range.last
    source = bridge.at("bus_range")
    yield rows(
        "bus-range",
        (Word(first, bridge.at("bus_range.0")), Word(last, bridge.at("bus_range.1"))),
        source=source,
    )
    if bridge.segment is not None:
        yield cells("linux,pci-domain", bridge.segment, source=bridge.at("segment"))
    if bridge.proximity is not None:
        yield cells("numa-node-id", bridge.proximity, source=bridge.at("proximity"))


def _window(window: Window) -> Row:
    """One entry of `ranges`: three cells of PCI address, two of CPU address, two of size."""
    kind = _SPACE[window.space] | (PREFETCHABLE if window.prefetchable else 0)
    return (
        Word(kind, window.at("space")),
        *wide(window.pci, window.at("pci")),
        *wide(window.cpu, window.at("cpu" if window.wrote("cpu") else "pci")),
        *wide(window.size, window.at("size")),
    )


def _dma(bridge: HostBridge) -> Iterator[Property]:
    """What devices reach: nothing said is all of memory, and so is an empty `dma-ranges`."""
    if bridge.dma_windows is not None:
        entries = (
            (
                Word(_SPACE["mem32" if each.pci + each.size <= 1 << 32 else "mem64"], each.at()),
                *wide(each.pci, each.at("pci")),
                *wide(each.cpu, each.at("cpu" if each.wrote("cpu") else "pci")),
                *wide(each.size, each.at("size")),
            )
            for each in bridge.dma_windows
        )
        yield rows("dma-ranges", *entries, source=bridge.at("dma_windows"))
    if bridge.dma_coherent:
        yield flag("dma-coherent", source=bridge.at("dma_coherent"))


def _msi(msi: MsiMap, known: Controllers) -> Iterator[Property]:
    if msi.parent:
        if msi.controller in known or msi.controller in known.bridges:
            yield _msi_parent(msi, known)
    else:
        yield from _id_map("msi-map", msi.entries, msi.mask, known, msi.at(), msi.at("mask"))


def _msi_parent(msi: MsiMap, known: Controllers) -> Property:
    """The controller alone; the cells that it wants behind are zero, Linux puts the RID there."""
    cells_behind = known.msi_parent_cells(msi.controller)
    return cells("msi-parent", Ref(msi.controller), *(0,) * cells_behind, source=msi.at("controller"))


def _iommu(iommu: IommuMap, known: Controllers) -> Iterator[Property]:
    yield from _id_map("iommu-map", iommu.entries, iommu.mask, known, iommu.at(), iommu.at("mask"))
    if iommu.ats:
        yield flag("ats-supported", source=iommu.at("ats"))


def _id_map(
    name: str, entries: Iterable[IdMapEntry], mask: int, known: Controllers, source: Place, mask_at: Place
) -> Iterator[Property]:
    """Rows of <RID, controller, id, count>; an id has as many cells as its controller takes, the first
    of which counts on. No property where the device tree has none of the controllers."""
    out = [_id_row(each, known.id_cells(each.target)) for each in entries if each.target in known]
    if not out:
        return
    yield rows(name, *out, source=source)
    if mask != _ALL_BITS:
        yield cells(f"{name}-mask", mask, source=mask_at)


def _id_row(entry: IdMapEntry, width: int) -> Row:
    return (
        Word(entry.rid, entry.at("rid")),
        Word(Ref(entry.target), entry.at()),
        *(Word(cell, entry.at("id")) for cell in (entry.id, *(0,) * (width - 1))[:width]),
        Word(entry.count, entry.at("count")),
    )
