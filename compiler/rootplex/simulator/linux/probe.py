"""One function: whether it is there, and what Linux reads of it when it meets it.

`probe.c:pci_scan_device`, `pci_setup_device`, `pci_init_capabilities` (linux.md §4.1-4.4). The order
of accesses is Linux's in the large: id, header, BARs and windows, capabilities, ACS.
"""

from __future__ import annotations

from rootplex.formats.pci import Capability, ExtendedCapability
from rootplex.simulator.function import DOWNSTREAM, PCI_TO_PCIE, ROOT_PORT, UPSTREAM, Bus, Function
from rootplex.simulator.linux import acs, bars, capabilities, sriov
from rootplex.simulator.linux.access import Accessor
from rootplex.simulator.linux.command_line import PciOptions

ABSENT = frozenset((0xFFFFFFFF, 0, 0x0000FFFF, 0xFFFF0000))
RETRY = 0x0001
"""The vendor id of a function that answers "not yet"; one that never answers is given up."""

COMMAND, CLASS, HEADER, SUBSYSTEM, PIN = 0x04, 0x08, 0x0E, 0x2C, 0x3D
DISABLE_INTX = 0x0400
CLASS_BRIDGE, CLASS_CARDBUS = 0x0604, 0x0607
DEVICE_CAP_2, DEVICE_CONTROL_2, ARI_BIT = 0x24, 0x28, 0x20
SLOT_IMPLEMENTED, SLOT_CAP, HOTPLUG_CAPABLE = 0x0100, 0x14, 0x40
PORT_BELOW = (ROOT_PORT, DOWNSTREAM, PCI_TO_PCIE)
"""Types whose secondary side is a link: one device (`pcie_downstream_port`)."""


def identity(access: Accessor, bus: int, devfn: int) -> int | None:
    """The first dword of a function, or None where there is none (§4.1)."""
    value = access.read(bus, devfn, 0, 4)
    return None if value in ABSENT or value & 0xFFFF == RETRY else value


def set_up(access: Accessor, bus: Bus, devfn: int, id: int, root: int, page: str) -> Function | None:
    """Read a present function. None where Linux ignores it: a header of no known type."""
    number = bus.number
    header_type = access.read(number, devfn, HEADER, 1)
    header = header_type & 0x7F
    if header > 2:
        return None
    class_revision = access.read(number, devfn, CLASS, 4)
    function = Function(
        root=root,
        bus=bus,
        devfn=devfn,
        page=page,
        vendor=id & 0xFFFF,
        device=id >> 16,
        class_code=class_revision >> 8,
        revision=class_revision & 0xFF,
        header=header,
        multifunction=bool(header_type & 0x80),
    )
    caps = capabilities.standard(access, number, devfn, header)
    function.config_size = capabilities.config_size(
        access, number, devfn, function.class_code, caps, bus.extended and access.extended
    )
    _express(access, function, caps.get(Capability.EXPRESS))
    base_class = function.class_code >> 8
    if (header == 0 and base_class == CLASS_BRIDGE) or (header == 2 and base_class != CLASS_CARDBUS):
        function.class_code = 0
    else:
        _header(access, function, caps)
    _interrupts(access, function, caps)
    return function


def _express(access: Accessor, function: Function, offset: int | None) -> None:
    """Port type with Linux's corrections (§4.3), and the hot-plug slot."""
    if offset is None:
        return
    number, devfn = function.bus.number, function.devfn
    flags = access.read(number, devfn, offset + 2, 2)
    function.pcie_capability = offset
    kind = flags >> 4 & 0xF
    above = function.bus.bridge
    if above is not None:
        if kind == DOWNSTREAM and above.pcie_type in PORT_BELOW:
            kind = UPSTREAM
        elif kind == UPSTREAM and above.pcie_type == UPSTREAM:
            kind = DOWNSTREAM
    function.pcie_type = kind
    if kind in (ROOT_PORT, DOWNSTREAM) and flags & SLOT_IMPLEMENTED:
        function.hotplug = bool(access.read(number, devfn, offset + SLOT_CAP, 4) & HOTPLUG_CAPABLE)


def _header(access: Accessor, function: Function, caps: dict[int, int]) -> None:
    """What the header's type adds: pin, BARs, windows, subsystem."""
    number, devfn, header = function.bus.number, function.devfn, function.header
    function.pin = access.read(number, devfn, PIN, 1)
    function.bars = bars.size_bars(access, number, devfn, header)
    if header == 0:
        subsystem = access.read(number, devfn, SUBSYSTEM, 4)
    elif header == 1:
        function.windows = bars.bridge_windows(access, number, devfn)
        offset = caps.get(Capability.SUBSYSTEM)
        subsystem = 0 if offset is None else access.read(number, devfn, offset + 4, 4)
    else:
        return
    if header == 0 or subsystem:
        function.subsystem = (subsystem & 0xFFFF, subsystem >> 16)


def _interrupts(access: Accessor, function: Function, caps: dict[int, int]) -> None:
    """MSI, MSI-X, and whether INTx can be masked (`pci_intx_mask_broken`)."""
    number, devfn = function.bus.number, function.devfn
    command = access.read(number, devfn, COMMAND, 2)
    access.write(number, devfn, COMMAND, 2, command ^ DISABLE_INTX)
    function.disintx = bool((access.read(number, devfn, COMMAND, 2) ^ command) & DISABLE_INTX)
    if function.disintx:
        access.write(number, devfn, COMMAND, 2, command)
    if (offset := caps.get(Capability.MSI)) is not None:
        function.msi = 1 << (access.read(number, devfn, offset + 2, 2) >> 1 & 7)
    if (offset := caps.get(Capability.MSIX)) is not None:
        function.msix = (access.read(number, devfn, offset + 2, 2) & 0x7FF) + 1


def extended_capabilities(
    access: Accessor,
    function: Function,
    policy: acs.AcsPolicy,
    options: PciOptions,
    *,
    blocks_translation: bool,
) -> None:
    """`pci_init_capabilities`: ARI in the port above, SR-IOV, ATS, then ACS by this kernel's rule."""
    if function.config_size < capabilities.CONFIG_SIZE:
        return
    number, devfn = function.bus.number, function.devfn
    found = capabilities.extended(access, number, devfn)
    function.ari_capability = found.get(ExtendedCapability.ARI, 0)
    function.ari = bool(function.ari_capability)
    function.ats = options.ats and not function.ats_is_off and ExtendedCapability.ATS in found
    if options.ari and devfn == 0 and function.pcie_type is not None and function.physfn is None:
        _forward_ari(access, function)
    if function.physfn is None and function.pcie_type is not None and ExtendedCapability.SRIOV in found:
        first = not any(other.sriov is not None for other in function.bus.functions)
        sriov.initialise(access, function, found[ExtendedCapability.SRIOV], ari=first and function.under_ari)
    offset = found.get(ExtendedCapability.ACS)
    if offset is not None:
        function.acs_capability = offset
        function.acs = acs.read(access, function, function.acs_hidden)
        policy.apply(access, function, blocks_translation=blocks_translation)


def _forward_ari(access: Accessor, function: Function) -> None:
    """`pci_configure_ari`: the port above forwards ARI iff the device at devfn 0 has it."""
    bridge = function.bus.bridge
    if bridge is None or not bridge.pcie_capability:
        return
    number, devfn, offset = bridge.bus.number, bridge.devfn, bridge.pcie_capability
    if not access.read(number, devfn, offset + DEVICE_CAP_2, 4) & ARI_BIT:
        return
    control = access.read(number, devfn, offset + DEVICE_CONTROL_2, 2)
    wanted = control | ARI_BIT if function.ari else control & ~ARI_BIT
    if wanted != control:
        access.write(number, devfn, offset + DEVICE_CONTROL_2, 2, wanted)
    bridge.ari_forwarding = function.ari


def carries_extended(access: Accessor, bridge: Function) -> bool:
    """Whether registers beyond 256 reach the bus below a bridge: below ports, or in PCI-X mode 2
    (`pci_bridge_child_ext_cfg_accessible`)."""
    if not bridge.bus.extended:
        return False
    if bridge.pcie_type in (ROOT_PORT, UPSTREAM, DOWNSTREAM):
        return True
    caps = capabilities.standard(access, bridge.bus.number, bridge.devfn, bridge.header)
    offset = caps.get(Capability.PCIX)
    if offset is None:
        return False
    return bool(access.read(bridge.bus.number, bridge.devfn, offset + 4, 4) & capabilities.PCIX_FAST)
