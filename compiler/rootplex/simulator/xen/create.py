"""A device record from configuration accesses: type, capabilities, bus table, phantoms (§2.4)."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.records import CONVENTIONAL_BRIDGES, PCIE_KINDS, Kind, Record

CAP_MSI, CAP_PCIX, CAP_PCIE, CAP_MSIX = 0x05, 0x07, 0x10, 0x11
EXT_CAP_ACS, EXT_CAP_SRIOV = 0x000D, 0x0010
CLASS_HOST, CLASS_BRIDGE, CLASS_NOTHING = 0x0600, 0x0604, 0xFFFF
CAPABILITY_LIMIT = 48
"""How many links of the capability list are followed (`pci_find_next_cap`)."""
EXTENDED_LIMIT = (4096 - 256) // 8
PORT_KINDS = {7: Kind.PCIE_TO_PCI, 8: Kind.PCI_TO_PCIE}
PCIX_266, PCIX_533 = 0x40000000, 0x80000000


class Function:
    """Configuration space of one function, as Xen's helpers read it."""

    __slots__ = ("_access", "_at")

    def __init__(self, core: Core, segment: int, bus: int, devfn: int) -> None:
        self._access = core.access
        self._at = (segment, bus, devfn)

    def read(self, register: int, size: int) -> int:
        return self._access.read(*self._at, register, size)

    def write(self, register: int, size: int, value: int) -> None:
        self._access.write(*self._at, register, size, value)

    def capabilities(self) -> Iterator[tuple[int, int]]:
        """(id, offset) of the legacy list; nothing without the list bit of the status register."""
        if not self.read(0x06, 2) & 0x10:
            return
        offset = self.read(0x34, 1)
        for _ in range(CAPABILITY_LIMIT):
            offset &= 0xFC
            if offset < 0x40:
                return
            id_ = self.read(offset, 1)
            if id_ == 0xFF:
                return
            yield id_, offset
            offset = self.read(offset + 1, 1)

    def extended_capability(self, id_: int) -> int | None:
        """The offset of the first extended capability of that id."""
        offset = 0x100
        for _ in range(EXTENDED_LIMIT):
            header = self.read(offset, 4)
            if header in (0, 0xFFFFFFFF):
                return None
            if header & 0xFFFF == id_:
                return offset
            offset = header >> 20 & 0xFFC
            if offset < 0x100:
                return None
        return None


def is_present(core: Core, segment: int, bus: int, devfn: int) -> bool:
    """`pci_device_detect`: ids of zeros, ones and mixtures of them are an empty slot (§3.3)."""
    ids = core.access.read(segment, bus, devfn, 0, 4)
    return ids not in (0, 0xFFFFFFFF, 0x0000FFFF, 0xFFFF0000)


def make_record(core: Core, segment: int, bus: int, devfn: int) -> Record:
    """`alloc_pdev`: read the function, make its ownerless record and remember it."""
    function = Function(core, segment, bus, devfn)
    capabilities: dict[int, int] = {}
    for id_, offset in function.capabilities():
        capabilities.setdefault(id_, offset)
    pcie = capabilities.get(CAP_PCIE)
    record = Record(segment, bus, devfn, _kind(core, function, pcie), pcie=pcie)
    if core.x86:
        record.msi, record.msix = capabilities.get(CAP_MSI), capabilities.get(CAP_MSIX)
        _clear_stale_interrupts(function, record)
    known = core.records.segment(segment)
    if record.kind in CONVENTIONAL_BRIDGES:
        secondary, subordinate = function.read(0x19, 1), function.read(0x1A, 1)
        for number in range(secondary, subordinate + 1):
            known.upstream[number] = (bus, devfn)
    if record.kind is Kind.PCIE_ENDPOINT and pcie is not None:
        record.phantom_stride = _phantom_stride(core, function, record, pcie)
    record.extended = has_extended_space(core, function, record, capabilities.get(CAP_PCIX))
    if record.kind is Kind.UNKNOWN:
        core.notice("unknown-type", f"{record.sbdf}: unknown type of device")
    core.records.add(record)
    return record


def _kind(core: Core, function: Function, pcie: int | None) -> Kind:
    """`pdev_type`, from the class and the PCIe capability's port type."""
    match function.read(0x0A, 2):
        case 0x0604 if pcie is None:
            return Kind.LEGACY_BRIDGE
        case 0x0604:
            return PORT_KINDS.get(function.read((pcie or 0) + 2, 2) >> 4 & 0xF, Kind.PCIE_BRIDGE)
        case 0x0600:
            return Kind.HOST_BRIDGE
        case 0xFFFF:
            return Kind.UNKNOWN
    return Kind.PCI if pcie is None else Kind.PCIE_ENDPOINT


def _clear_stale_interrupts(function: Function, record: Record) -> None:
    """MSI enable, MSI-X enable and mask-all are cleared where firmware left them set."""
    if record.msi is not None and (control := function.read(record.msi + 2, 2)) & 1:
        function.write(record.msi + 2, 2, control & ~1)
    if record.msix is not None and (control := function.read(record.msix + 2, 2)) & 0xC000:
        function.write(record.msix + 2, 2, control & ~0xC000)


def _phantom_stride(core: Core, function: Function, record: Record, pcie: int) -> int:
    """0 for none. From Device Capabilities, else from the boot option, whose stride is doubled
    while a phantom of it is a real device, and dropped at 8."""
    own = record.devfn & 7
    supported = function.read(pcie + 4, 4) >> 3 & 3
    if supported:
        stride = 8 >> supported
        return 0 if own >= stride else stride
    here = (record.segment, record.bus, record.devfn >> 3)
    stride = next(
        (option.stride for option in core.options.phantom[:8] if option.key == here and option.stride > own),
        0,
    )
    while 0 < stride < 8:
        phantoms = range(record.devfn + stride, (record.devfn | 7) + 1, stride)
        if not any(is_present(core, record.segment, record.bus, devfn) for devfn in phantoms):
            return stride
        stride <<= 1
    return 0


def has_extended_space(core: Core, function: Function, record: Record, pcix: int | None) -> bool:
    """`pci_check_extcfg`: PCIe always may, conventional ones as PCI-X 266 or 533; the dword at
    0x100 is not all ones, and the space does not repeat every 256 bytes."""
    if record.kind in (Kind.LEGACY_BRIDGE, Kind.PCI):
        if pcix is None or not function.read(pcix + 4, 4) & (PCIX_266 | PCIX_533):
            return False
    elif record.kind not in PCIE_KINDS:
        return False
    if function.read(0x100, 4) == 0xFFFFFFFF:
        return False
    if not core.options.quirks:
        return True
    ids = function.read(0, 4)
    return any(function.read(offset, 4) != ids for offset in range(0x100, 0x1000, 0x100))
