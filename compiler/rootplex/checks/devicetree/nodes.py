"""Host bridges that are off, not driven, or passed over with a node that they need."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.causes import map_of, property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.readers.address import is_pci_bus
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.tree import DtNode, Tree
from rootplex.simulator.xen.drivers import bridge_driver
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0607", Level.NOTE, requires=("RPX0626",))
def all_bridges_disabled(facts: Facts) -> Iterator[Finding]:
    """What it finds: a device tree whose host bridges are all disabled.
    Why it matters: as it stands there is no PCI. Trees are shipped so where a boot loader enables what a
    board has and fills in placeholders; hence a note. Other checks look at enabled bridges, and here there
    are none.
    Example: the LX2160A-RDB of the kernel's sources, whose six bridges wait for U-Boot.
    What to do: validate the tree that the running kernel has (/sys/firmware/fdt).
    Source: Linux drivers/of/base.c, of_device_is_available.
    Sources that prove it: device tree.
    """
    # A description says itself what it disables.
    bridges = facts.dt_bridges
    if facts.described is not None or not bridges or any(True for _ in enabled_bridges(facts)):
        return
    first = bridges[0]
    count = "the only host bridge" if len(bridges) == 1 else f"all {len(bridges)} host bridges"
    yield all_bridges_disabled.rule.finding(
        first.place("status" if not first.enabled else None),
        f"{count} of this device tree {'is' if len(bridges) == 1 else 'are'} disabled",
        notes=["a boot loader may enable some, and fill in what is a placeholder here"],
        help="validate the tree of the running kernel, /sys/firmware/fdt",
        subject=facts.name_of(first.path),
    )


@check("RPX0606", Level.ERROR, requires=("RPX0626",), covers=("XP-27",))
def wanted_bridge_off(facts: Facts) -> Iterator[Finding]:
    """What it finds: a guest's device behind a host bridge that is disabled in the device tree, or that
    `xen,passthrough` takes away from Dom0.
    Why it matters: nobody scans the bridge, so nobody reports the device to Xen, and it cannot be assigned.
    Example: `enabled: false` on the bridge of a guest's network card.
    What to do: enable the bridge, or drop the device from the guest.
    Source: Xen xen/arch/arm/pci/pci.c, dt_pci_init, and xen/arch/arm/domain_build.c, write_properties; Linux
    drivers/of/base.c, of_device_is_available.
    """
    if facts.described is None:
        return
    bridge_of = {device.name: bridge for bridge, device in facts.described.walk()}
    nodes = {each.name: each.dt for each in facts.bridges}
    for guest in facts.described.xen.guests:
        for index, wanted in enumerate(guest.devices):
            bridge = bridge_of.get(wanted)
            node = None if bridge is None else nodes.get(bridge.name)
            if bridge is None or node is None:
                continue
            off = not node.is_on
            if not off and (facts.hypervisor is None or not node.xen_passthrough):
                continue
            at: Place = node.place("status" if off else "xen,passthrough")
            why = "is disabled" if off else "is taken from Dom0 by xen,passthrough"
            yield wanted_bridge_off.rule.finding(
                guest.at(f"devices.{index}"),
                f"'{wanted}' of guest '{guest.name}' is behind '{bridge.name}', which {why}",
                related=[(at, "it is said here")],
                help="enable the bridge, or drop the device from the guest",
                subject=wanted,
                about=(wanted, bridge.name),
            )


@check("RPX0622", Level.NOTE)
def foreign_architecture(facts: Facts) -> Iterator[Finding]:
    """What it finds: a device tree whose processors are of an architecture whose Linux is not simulated
    (PowerPC, MIPS, LoongArch, …).
    Why it matters: it numbers and probes host bridges by code of its own: PowerPC by `linux,pci-domain`, else
    `ibm,opal-phbid`, else the alias (`pci0` is 0), else the second cell of `reg`. What is said of the node's
    own properties holds all the same; of segment numbers nothing is said.
    Example: a board of a P1020, whose aliases number its bridges.
    What to do: hold the numbers against those that the running kernel shows.
    Source: Linux arch/powerpc/kernel/pci-common.c, get_phb_number.
    Sources that prove it: device tree.
    """
    if facts.dt is None or facts.dt.platform.foreign is None:
        return
    yield foreign_architecture.rule.finding(
        facts.dt.tree.place("/cpus"),
        f"the Linux of this architecture is not modelled: the processor is {facts.dt.platform.foreign}",
        notes=["how it numbers and probes host bridges is not judged"],
    )


@check("RPX0602", Level.ERROR, covers=("LNX-04", "XP-28"))
def device_type_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: an enabled host bridge without `device_type = "pci"`.
    Why it matters: unless the node is called `pcie`, Linux does not read its `ranges` as PCI windows (an
    error); its `linux,pci-domain` is not reserved in any case, so that another bridge can be given the same
    number. Today's port of Xen gives Dom0 neither its windows nor its interrupts (an error).
    Example: `dt: {properties: {device_type: false}}`.
    What to do: write `device_type = "pci"`.
    Source: Linux drivers/of/address.c, of_bus_pci_match, and drivers/pci/pci.c,
    of_pci_reserve_static_domain_nr; Xen xen/arch/arm/device.c, map_device_children.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        if bridge.device_type == "pci":
            continue
        name = facts.name_of(bridge.path)
        readable = is_pci_bus(bridge.node)
        notes = ["its linux,pci-domain is not reserved"] if bridge.domain is not None else []
        if not readable:
            notes.append("its ranges are not read as PCI windows")
        yield device_type_missing.rule.finding(
            bridge.place("device_type" if bridge.device_type else None),
            f"'{name}' lacks device_type = \"pci\"",
            level=Level.WARNING if readable and not xen_probes(facts) else Level.ERROR,
            notes=notes,
            help='write device_type = "pci"',
            subject=name,
        )


@check("RPX0605", Level.ERROR, only="xen-probes", covers=("XP-26",))
def not_driven_by_xen(facts: Facts) -> Iterator[Finding]:
    """What it finds: an enabled host bridge that today's Arm port of Xen has no driver for.
    Why it matters: Dom0 may drive it, but with the IOMMU on Xen refuses each of its devices (-ENODEV), and
    nothing on it can be given to a guest.
    Example: `discovery: xen` with `compatible: pci-host-cam-generic`.
    What to do: use a bridge that is plain ECAM, or keep its devices in Dom0 and the IOMMU away from it.
    Source: Xen xen/arch/arm/pci/pci-host-generic.c, pci-host-zynqmp.c, pci-host-rcar4.c: these are its
    drivers.
    Sources that prove it: device tree; only where the description asks for `discovery: xen`.
    """
    translated = facts.platform.xen.iommu and bool(facts.platform.iommus)
    for bridge in enabled_bridges(facts):
        if bridge_driver(bridge.node) is None:
            name = facts.name_of(bridge.path)
            yield not_driven_by_xen.rule.finding(
                bridge.place("compatible"),
                f"Xen has no driver for '{name}'",
                level=Level.ERROR if translated else Level.WARNING,
                notes=[f"its compatible is {', '.join(bridge.compatible) or 'absent'}"]
                + (["each of its devices is refused (-ENODEV)"] if translated else []),
                help="use a bridge that is plain ECAM, or keep its devices in Dom0 with Xen's IOMMU off",
                subject=name,
                about=(name, map_of(name, "iommu-map")),
            )


STATUS = re.compile(r"okay|ok|disabled|reserved|fail|fail-.*")


@check("RPX0626", Level.ERROR)
def passed_over(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge of which Linux makes no device, though it looks enabled: it, or a bus
    above it, has no `compatible`; or its `status` (or that of a controller that it leads to) is no status
    that there is, such as "enabled".
    Why it matters: no driver is ever asked, and nothing is said. Every status but "okay" and "ok" disables.
    Example: `soc { ranges; pcie@40000000 { … }; };`: the bus has no `compatible = "simple-bus"`.
    What to do: write `compatible`, a bus's is `simple-bus`; write `status = "okay"`, or leave it out.
    Source: Linux drivers/of/platform.c, of_platform_bus_create, and drivers/of/base.c,
    __of_device_is_available; Devicetree Specification 0.4 §2.3.1 and §2.3.4.
    Sources that prove it: device tree.
    """
    # Each node once, with the first bridge that is lost by it.
    if facts.dt is None:
        return
    tree = facts.dt.tree
    told: set[DtNode] = set()
    for bridge in facts.dt_bridges:
        name = facts.name_of(bridge.path)
        above = ((node, name) for node in (bridge.node, *bridge.node.ancestors()))
        for node, lost in (*above, *_targets(tree, bridge, name)):
            if node not in told:
                told.add(node)
                yield from _not_made(tree, bridge, name, node, lost, is_described=facts.described is not None)


def _targets(tree: Tree, bridge: DtHostBridge, name: str) -> Iterator[tuple[DtNode, str]]:
    """The controllers that a bridge's properties lead to, and what is lost with each."""
    for map in bridge.maps:
        for entry in map.entries:
            if entry.target is not None:
                yield tree.by_path[entry.target], map_of(name, map.property)
    for line in () if bridge.interrupt_map is None else bridge.interrupt_map.entries:
        if line.parent is not None:
            yield tree.by_path[line.parent], property_of(name, "interrupt-map")
    for parent in bridge.msi_parent:
        if parent.target is not None:
            yield tree.by_path[parent.target], map_of(name, "msi-map")


def _not_made(
    tree: Tree, bridge: DtHostBridge, name: str, node: DtNode, lost: str, *, is_described: bool
) -> Iterator[Finding]:
    status = node.string("status")
    if status and not STATUS.fullmatch(status):
        yield passed_over.rule.finding(
            tree.place(node, "status"),
            f'the status of {node.path} is "{status}", which disables it',
            notes=[_lost(name, bridge, node)],
            help='write status = "okay", or leave it out',
            subject=name,
            about=(lost,),
        )
    elif node is bridge.skipped and bridge.enabled and bridge.ancestors_enabled:
        help = 'write compatible = "simple-bus", if it is a plain bus'
        if node is bridge.node:
            help = f"write {'config.' if is_described else ''}compatible, by which its driver knows it"
        yield passed_over.rule.finding(
            tree.place(node),
            f"{node.path} has no compatible, and Linux makes no device of it",
            notes=[_lost(name, bridge, node)],
            help=help,
            subject=name,
        )


def _lost(name: str, bridge: DtHostBridge, node: DtNode) -> str:
    if node is bridge.node:
        return "no driver comes up for this host bridge"
    if node in bridge.node.ancestors():
        return f"nor of '{name}' below it"
    return f"'{name}' leads to it"
