"""The device tree's host bridges as checks take them: which take part, what they are called, and where their
configuration space is."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.formats.devicetree import CONFIG_REG_NAMES
from rootplex.formats.pci import BUS_SIZE
from rootplex.model.device import Device
from rootplex.readers.address import DtReg
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.ridmap import RidMap
from rootplex.readers.tree import DtNode
from rootplex.simulator.function import Function
from rootplex.simulator.xen.drivers import BridgeDriver, bridge_driver, is_claimable

# MiB-per-bus layouts that are something else: CFG0 of Loongson has 64 KiB a bus, and the Versatile's
# `reg` is three register blocks.
_OTHER_LAYOUT = {"pci-loongson", "pci-versatile"}


def enabled_bridges(facts: Facts) -> Iterator[DtHostBridge]:
    """The host bridges that a kernel binds to: they and all above them are enabled."""
    return (bridge for bridge in facts.dt_bridges if bridge.is_on)


def enabled_maps(facts: Facts) -> Iterator[tuple[DtHostBridge, RidMap]]:
    """The maps of requester ids of enabled bridges, `iommu-map` before `msi-map`."""
    return ((bridge, map) for bridge in enabled_bridges(facts) for map in bridge.maps)


def xen_bridges(facts: Facts) -> Iterator[tuple[DtHostBridge, BridgeDriver]]:
    """The host bridges that today's Arm port of Xen probes, in document order."""
    for bridge in facts.dt_bridges:
        driver = bridge_driver(bridge.node) if is_claimable(bridge.node) else None
        if driver is not None:
            yield bridge, driver


def config_layout(bridge: DtHostBridge) -> int | None:
    """Bytes of configuration space a bus, where the compatible says that the space is laid out by
    bus: 1 MiB (ECAM, also with special cases), 64 KiB (CAM). None: windowed, or not known."""
    controller = bridge.controller
    if controller is None or controller.driver in _OTHER_LAYOUT:
        return None
    return BUS_SIZE.get(controller.layout)


def windowed_by_description(facts: Facts) -> frozenset[str]:
    """The names of the bridges that the description says to be windowed, whatever their compatible."""
    bridges = facts.described_bridges
    return frozenset(bridge.name for bridge in bridges if bridge.config.kind == "windowed")


def config_space(bridge: DtHostBridge) -> DtReg | None:
    """The `reg` entry of the configuration space, where there surely is one: the controller is
    laid out by bus, or an entry is named for it. Only one whose CPU address is known."""
    reg = bridge.config_reg
    if reg is None or reg.cpu is None:
        return None
    return reg if config_layout(bridge) is not None or reg.name in CONFIG_REG_NAMES else None


def is_endpoint(node: DtNode) -> bool:
    """Whether a node is a controller in endpoint mode: the twin of a host bridge's node, with the
    same registers and windows."""
    return any(name.endswith("-ep") for name in node.compatible)


def device_of(facts: Facts, function: Function) -> Device | None:
    """The description's device behind a function; None where it has no name, or there is none."""
    return facts.devices.get(function.page)
