"""What Linux tells Xen, and when (`drivers/xen/pci.c`, linux.md §7; the 2017 design).

Before the very first device x86 confirms its ECAM regions; every device is reported as it is
added. Under the 2017 design each host bridge is registered too, at the moment that
`Settings.registers` names.
"""

from __future__ import annotations

from rootplex.formats.errno import Errno
from rootplex.formats.hypercalls import (
    FLAG_EXTFN,
    FLAG_PXM,
    FLAG_VIRTFN,
    ManagePci,
    ManagePciExt,
    PciDeviceAdd,
    PciMmcfgReserved,
)
from rootplex.simulator.function import Function
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.access import Accessor
from rootplex.simulator.linux.hypervisor import HostBridgeAdd, Hypervisor
from rootplex.simulator.linux.mcfg_x86 import Region
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.simulator.linux.state import Dom0State, Event

ECAM_SHIFT = 20
MMCFG_RESERVED = 1
"""`XEN_PCI_MMCFG_RESERVED`."""


class Registration:
    """Makes the hypercalls in Linux's order and notes their results in the state's events; none on bare
    metal."""

    def __init__(self, hypervisor: Hypervisor | None, settings: Settings, state: Dom0State) -> None:
        self._hypervisor = hypervisor
        self._state = state
        self._when = settings.registers if hypervisor is not None and settings.discovery == "dom0" else None
        self._legacy = False
        self._told_regions = False
        self._registered: set[int] = set()
        self.regions: list[Region] = []

    def scan_begins(self, root: RootBridge, access: Accessor) -> None:
        if self._when == "before-scan":
            self._register(root, access)

    def scan_ended(self, root: RootBridge, access: Accessor) -> None:
        """Whatever the moment was to be, after the scan it has come."""
        if self._when is not None:
            self._register(root, access)

    def device_added(self, function: Function, root: RootBridge, access: Accessor) -> int:
        """Report one function (`xen_add_device`); 0 or a negative errno, after which Linux keeps it. On bare
        metal there is nobody to tell: 0."""
        if self._hypervisor is None:
            return 0
        if not self._told_regions:
            self._told_regions = True
            self._tell_regions(self._hypervisor, root)
        result = self._add(self._hypervisor, function, root)
        if self._when == "after-first-device":
            self._register(root, access)
        return result

    def _add(self, hypervisor: Hypervisor, function: Function, root: RootBridge) -> int:
        bus, devfn, physical = function.bus.number, function.devfn, function.physfn
        extended = physical is None and function.under_ari and devfn >= 8
        of = (0, 0) if physical is None else (physical.bus.number, physical.devfn)
        if not self._legacy:
            flags = FLAG_EXTFN * extended | FLAG_VIRTFN * (physical is not None)
            flags |= FLAG_PXM * (root.proximity is not None)
            args = PciDeviceAdd(
                seg=function.segment,
                bus=bus,
                devfn=devfn,
                flags=flags,
                physfn_bus=of[0],
                physfn_devfn=of[1],
                pxm=root.proximity,
            )
            result = hypervisor.hypercall("pci_device_add", args)
            if result != -Errno.ENOSYS:
                return result
            self._legacy = True
        if function.segment:
            return -Errno.ENOSYS  # The older calls know no segment.
        if physical is None and not extended:
            return hypervisor.hypercall("manage_pci_add", ManagePci(bus=bus, devfn=devfn))
        kind = {"is_extfn": int(extended), "is_virtfn": int(physical is not None)}
        told = ManagePciExt(bus=bus, devfn=devfn, **kind, physfn_bus=of[0], physfn_devfn=of[1])
        return hypervisor.hypercall("manage_pci_add_ext", told)

    def _tell_regions(self, hypervisor: Hypervisor, root: RootBridge) -> None:
        for region in self.regions:
            area = PciMmcfgReserved(
                address=region.base,
                segment=region.segment,
                start_bus=region.start_bus,
                end_bus=region.end_bus,
                flags=MMCFG_RESERVED,
            )
            result = hypervisor.hypercall("pci_mmcfg_reserved", area)
            self._state.events.append(Event("mmcfg-reserved", root.index, result=result))

    def _register(self, root: RootBridge, access: Accessor) -> None:
        if root.index in self._registered or root.config is None or root.segment is None:
            return
        assert self._hypervisor is not None
        self._registered.add(root.index)
        kind = root.config.kind
        last = root.effective_end if kind in ("ecam", "cam") else root.last_bus
        call = HostBridgeAdd(
            segment=root.segment,
            start_bus=root.first_bus,
            end_bus=last,
            kind=kind,
            base=root.config.base,
            # What Linux maps of it: firmware may say more than the buses need.
            size=last - root.first_bus + 1 << ECAM_SHIFT if kind == "ecam" else root.config.size,
        )
        result = self._hypervisor.pci_host_bridge_add(call, access)
        root.registration = result
        self._state.events.append(Event("bridge-registered", root.index, result=result))
