"""Device records come and go: type, capabilities, bus table, phantoms (§2.4)."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.formats.pci import Capability, PcieType
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.records import CONVENTIONAL_BRIDGES, Kind, Record

CLASS_HOST, CLASS_BRIDGE, CLASS_NOTHING = 0x0600, 0x0604, 0xFFFF
CAPABILITY_LIMIT = 48
"""How many links of the capability list are followed (`pci_find_next_cap`)."""
EXTENDED_LIMIT = (4096 - 256) // 8
PORT_KINDS: dict[int, Kind] = {
    PcieType.PCIE_TO_PCI_BRIDGE: Kind.PCIE_TO_PCI,
    PcieType.PCI_TO_PCIE_BRIDGE: Kind.PCI_TO_PCIE,
}
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

    def capability(self, id_: int) -> int | None:
        """The offset of the first capability of that id (`pci_find_cap_offset`)."""
        return next((offset for found, offset in self.capabilities() if found == id_), None)

    def extended_capability(self, id_: int) -> int | None:
        """The offset of the first extended capability of that id, whether or not it can be reached."""
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


def extended_capability(core: Core, record: Record, id_: int) -> int | None:
    """`pci_find_ext_capability`: nothing where Xen knows that it does not reach them."""
    if core.version.extended_flag and not record.extended:
        return None
    return function_of(core, record).extended_capability(id_)


def function_of(core: Core, record: Record) -> Function:
    """The configuration space of a known device."""
    return Function(core, record.segment, record.bus, record.devfn)


def make_record(core: Core, segment: int, bus: int, devfn: int) -> Record:
    """`alloc_pdev`: read the function, make its ownerless record and remember it."""
    function = Function(core, segment, bus, devfn)
    record = Record(segment, bus, devfn, Kind.UNKNOWN)
    if core.x86:
        record.msi, record.msix = function.capability(Capability.MSI), function.capability(Capability.MSIX)
        _clear_stale_msix(function, record)
    core.records.add(record)
    record.pcie = function.capability(Capability.EXPRESS)
    record.kind = kind_of(function)
    if in_bus_table(core, record):
        secondary, subordinate = function.read(0x19, 1), function.read(0x1A, 1)
        core.records.segment(segment).put_below(secondary, subordinate, (bus, devfn))
    elif record.kind is Kind.PCIE_ENDPOINT and record.pcie is not None:
        record.phantom_stride = _phantom_stride(core, function, record, record.pcie)
    elif record.kind is Kind.UNKNOWN:
        core.notice("unknown-type", record.sbdf)
    record.extended = has_extended_space(core, record)
    return record


def free_record(core: Core, record: Record) -> None:
    """`free_pdev`. The buses of a conventional bridge, as its registers have them at this moment,
    get what the bus above has; a VF leaves its PF's list. Whoever still lists or links the record
    does so for good: that is the caller's fault (`vf-without-pf` of `physdev`)."""
    segment = core.records.segment(record.segment)
    if in_bus_table(core, record):
        function = function_of(core, record)
        segment.take_out(function.read(0x19, 1), function.read(0x1A, 1), record.bus)
    if record.virtfn and core.version.vf_list:
        record.vf_list.delete(checked=core.version.debug)
    core.records.forget(record)
    if core.version.debug:
        record.vf_list.poison()
        record.in_domain.poison()


def in_bus_table(core: Core, record: Record) -> bool:
    """Whether the record is of a bridge that the bus table has."""
    if record.kind is Kind.PCI_TO_PCIE and not core.version.reverse_bridges:
        return False
    return record.kind in CONVENTIONAL_BRIDGES


def kind_of(function: Function) -> Kind:
    """`pdev_type`, from the class and the PCIe capability's port type."""
    pcie = function.capability(Capability.EXPRESS)
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


def _clear_stale_msix(function: Function, record: Record) -> None:
    """MSI-X enable and mask-all are cleared where firmware left them set (`pdev_msi_init`)."""
    if record.msix is not None and (control := function.read(record.msix + 2, 2)) & 0xC000:
        function.write(record.msix + 2, 2, control & ~0xC000)


def _phantom_stride(core: Core, function: Function, record: Record, pcie: int) -> int:
    """0 for none. From Device Capabilities, else from the boot option, whose stride is doubled
    while a phantom of it is a real device, and dropped at 8."""
    own = record.devfn & 7
    supported = function.read(pcie + 4, 2) >> 3 & 3
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
        ids = (core.access.read(record.segment, record.bus, devfn, 0, 4) for devfn in phantoms)
        if all(each == 0xFFFFFFFF for each in ids):
            return stride
        stride <<= 1
    return 0


def has_extended_space(core: Core, record: Record) -> bool:
    """`pci_check_extcfg`: PCIe and host bridges always may, conventional ones as PCI-X 266 or 533; the
    dword at 0x100 is not all ones, and the space does not repeat every 256 bytes."""
    function = function_of(core, record)
    if record.kind in (Kind.LEGACY_BRIDGE, Kind.PCI):
        pcix = function.capability(Capability.PCIX)
        if pcix is None or not function.read(pcix + 4, 4) & (PCIX_266 | PCIX_533):
            return False
    elif record.kind is Kind.UNKNOWN:
        return False
    if function.read(0x100, 4) == 0xFFFFFFFF:
        return False
    if not core.options.quirks:
        return True
    ids = function.read(0, 4)
    return any(function.read(offset, 4) != ids for offset in range(0x100, 0x1000, 0x100))
