"""MSI-X as Dom0 has it prepared on x86, and MSI state restored (§2.7; `arch/x86/msi.c`)."""

from __future__ import annotations

from rootplex.formats.errno import Errno
from rootplex.formats.hypercalls import ManagePci, PciDevice
from rootplex.formats.pci import VF_ENABLE, VF_MEMORY, ExtendedCapability, SriovRegister
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.create import Function, extended_capability, function_of
from rootplex.simulator.xen.outcome import stop
from rootplex.simulator.xen.records import VF_BARS, Record

ENABLE, MASK_ALL = 0x8000, 0x4000
"""Bits of the message control register."""
TABLE_OFFSET, BIR = 4, 0x7
MEMORY = 0x2
"""The command register's memory space bit."""
BARS_OF_HEADER = {0: 6, 1: 2, 2: 1}
"""How many BARs a header of that type has; others have none to Xen."""


def prepare_msix(core: Core, args: PciDevice) -> int:
    """`prepare_msix` (30): 0, also without MSI; -ENODEV; -EBUSY (vectors in use); -ENXIO (memory
    decoding is off, or the table's BAR cannot be read)."""
    record = _usable(core, args)
    if not isinstance(record, Record):
        return record
    if record.msix_used:
        return -Errno.EBUSY
    error = _set_up(core, record)
    if error == 0:
        record.msix_used = 1
    return error


def release_msix(core: Core, args: PciDevice) -> int:
    """`release_msix` (31): 0 without MSI; -ENODEV; -EBUSY (none prepared, or vectors in use)."""
    record = _usable(core, args)
    if not isinstance(record, Record):
        return record
    if record.msix_used != 1:
        return -Errno.EBUSY
    record.msix_used = 0
    return 0


def restore_msi(core: Core, args: ManagePci) -> int:
    """`restore_msi` (19): -ENODEV for an unknown device, -EOPNOTSUPP without MSI."""
    return _restore(core, 0, args.bus, args.devfn)


def restore_msi_ext(core: Core, args: PciDevice) -> int:
    """`restore_msi_ext` (27): the same of any segment."""
    return _restore(core, args.seg, args.bus, args.devfn)


def _restore(core: Core, segment: int, bus: int, devfn: int) -> int:
    if core.records.find(segment, bus, devfn) is None:
        return -Errno.ENODEV
    return 0 if core.options.msi else -Errno.EOPNOTSUPP


def is_masked(core: Core, record: Record) -> bool:
    """`pci_reset_msix_state`: mask-all is set, so the device was not reset."""
    return record.msix is not None and function_of(core, record).read(record.msix + 2, 2) & MASK_ALL != 0


def _usable(core: Core, args: PciDevice) -> Record | int:
    """The device, or what is answered before it is looked at."""
    if not core.options.msi:
        return 0
    record = core.records.find(args.seg, args.bus, args.devfn)
    if record is None:
        return -Errno.ENODEV
    if record.msix is None:
        raise stop("page fault", f"{record.sbdf} has no MSI-X, which nobody checks", "§2.7")
    return record


def _set_up(core: Core, record: Record) -> int:
    """`msix_capability_init`: 0 or -ENXIO. MSI-X is on and masked meanwhile, off after a failure."""
    assert record.msix is not None
    function = function_of(core, record)
    control = function.read(record.msix + 2, 2)
    function.write(record.msix + 2, 2, control | ENABLE | MASK_ALL)
    table = function.read(record.msix + TABLE_OFFSET, 4)
    if not _memory_decoded(core, record) or not _table_bar(core, record, table & BIR):
        function.write(record.msix + 2, 2, control & ~ENABLE)
        return -Errno.ENXIO
    function.write(record.msix + 2, 2, control & ~MASK_ALL)
    return 0


def _memory_decoded(core: Core, record: Record) -> bool:
    """`memory_decoded`: a VF's is its PF's, whichever its last report named."""
    rid = record.physfn_rid if record.virtfn else record.rid
    return core.access.read(record.segment, rid >> 8, rid & 0xFF, 0x04, 2) & MEMORY != 0


def _table_bar(core: Core, record: Record, index: int) -> int:
    """`read_pci_mem_bar`: the address of the BAR that holds the table, 0 where there is none."""
    if not record.virtfn:
        function = function_of(core, record)
        limit = BARS_OF_HEADER.get(function.read(0x0E, 1) & 0x7F, 0)
        return _bar(function, 0x10, index, limit) or 0
    return _vf_bar(core, record, index)


def _pf_of(core: Core, record: Record) -> Record | None:
    """The PF that a VF's record points at; None: nothing that can be read. 4.17 looks it up."""
    if not core.version.vf_list:
        return core.records.find(record.segment, record.physfn_rid >> 8, record.physfn_rid & 0xFF)
    if record.pf is None:
        cause = (
            f"{record.sbdf} was reported as a VF after its own VF BARs were sized: its pointer to a PF is "
            f"the size {record.vf_sizes[0]:#x}"
        )
        raise stop("page fault", cause, "§2.7")
    here = record.pf
    while here.freed and here.heir is not None:
        here = here.heir
    return None if here.freed else here


def _vf_bar(core: Core, record: Record, index: int) -> int:
    """The VF's part of its PF's VF BAR; 0 where VFs or their memory are off, or it is none of them."""
    named = record.physfn_rid
    if core.version.pf_followed:
        parent = _pf_of(core, record)
        if parent is None:
            return 0
        named = parent.rid
        offset = extended_capability(core, parent, ExtendedCapability.SRIOV)
    function = Function(core, record.segment, named >> 8, named & 0xFF)
    if not core.version.pf_followed:
        offset = function.extended_capability(ExtendedCapability.SRIOV)
    if offset is None or index >= VF_BARS:
        return 0
    control = function.read(offset + SriovRegister.CONTROL, 2)
    count = function.read(offset + SriovRegister.NUM_VFS, 2)
    first, stride = (
        function.read(offset + SriovRegister.FIRST_VF_OFFSET, 2),
        function.read(offset + SriovRegister.VF_STRIDE, 2),
    )
    if not control & VF_ENABLE or not control & VF_MEMORY or not count or not first:
        return 0
    parent = _pf_of(core, record)
    size = 0 if parent is None else parent.vf_sizes[index] if index or parent.pf is None else 1
    if (count > 1 and not stride) or not size:
        return 0
    number = record.rid - named - first
    if number < 0 or (stride and number % stride):
        return 0
    number = number // stride if stride else number
    if number >= count:
        return 0
    address = _bar(function, offset + SriovRegister.VF_BARS, index, VF_BARS)
    return 0 if address is None else address + number * size


def _bar(function: Function, base: int, index: int, limit: int) -> int | None:
    """The address in a memory BAR; None for I/O space, or one that does not fit."""
    if index >= limit:
        return None
    low = function.read(base + 4 * index, 4)
    if low & 1:
        return None
    if low & 0x6 != 0x4:
        return low & ~0xF
    if index + 1 >= limit:
        return None
    return low & ~0xF | function.read(base + 4 * index + 4, 4) << 32
