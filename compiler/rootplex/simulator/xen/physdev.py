"""The physdev operations on devices: add, remove, reset, MCFG areas, and the older manage calls (§2).

Each handler takes the shared state and the operation's structure, and returns 0 or a negative
errno. Who may call, and on which architecture, is decided before (`hypercalls`).
"""

from __future__ import annotations

from msgspec import Struct

from rootplex.formats.errno import Errno
from rootplex.formats.hypercalls import (
    FLAG_EXTFN,
    FLAG_VIRTFN,
    ManagePci,
    ManagePciExt,
    PciDevice,
    PciDeviceAdd,
    PciDeviceReset,
    PciMmcfgReserved,
)
from rootplex.formats.pci import ACS_BITS, VF_ENABLE, VF_MEMORY, ExtendedCapability, SriovRegister
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.create import (
    Function,
    extended_capability,
    free_record,
    function_of,
    has_extended_space,
    make_record,
)
from rootplex.simulator.xen.outcome import stop
from rootplex.simulator.xen.records import DOM0, VF_BARS, Record

RESET_FLAGS = 0x3
ACS_ENABLED = sum(ACS_BITS[bit] for bit in ("sv", "rr", "cr", "uf"))
"""Source Validation, P2P Request and Completion Redirect, Upstream Forwarding (§4.2)."""
MEMORY_MASK = 0xFFFFFFF0
"""The address bits of a memory BAR's first dword."""


class Info(Struct, frozen=True, kw_only=True):
    """`pci_dev_info`: what a report says of its function. `physfn` is the rid of a VF's PF."""

    extfn: bool = False
    virtfn: bool = False
    physfn: int = 0


def pci_device_add(core: Core, args: PciDeviceAdd) -> int:
    """`pci_device_add` (25). Errors: -ENODEV (VF without its PF), vPCI's and the IOMMU's."""
    info = Info(
        extfn=bool(args.flags & FLAG_EXTFN),
        virtfn=bool(args.flags & FLAG_VIRTFN),
        physfn=args.physfn_bus << 8 | args.physfn_devfn,
    )
    return add(core, args.seg, args.bus, args.devfn, info)


def manage_pci_add(core: Core, args: ManagePci) -> int:
    """`manage_pci_add` (15): segment 0, nothing said about the function."""
    return add(core, 0, args.bus, args.devfn, None)


def manage_pci_add_ext(core: Core, args: ManagePciExt) -> int:
    """`manage_pci_add_ext` (20): segment 0; -EINVAL for truth values above 1."""
    if args.is_extfn > 1 or args.is_virtfn > 1:
        return -Errno.EINVAL
    info = Info(
        extfn=bool(args.is_extfn),
        virtfn=bool(args.is_virtfn),
        physfn=args.physfn_bus << 8 | args.physfn_devfn,
    )
    return add(core, 0, args.bus, args.devfn, info)


def pci_device_remove(core: Core, args: PciDevice) -> int:
    """`pci_device_remove` (26)."""
    return remove(core, args.seg, args.bus, args.devfn)


def manage_pci_remove(core: Core, args: ManagePci) -> int:
    """`manage_pci_remove` (16): segment 0."""
    return remove(core, 0, args.bus, args.devfn)


def pci_device_reset(core: Core, args: PciDeviceReset) -> int:
    """`pci_device_reset` (32): -EINVAL, -ENODEV, or 0. The lock of an ownerless record's domain
    is at address 0: data abort."""
    if args.flags & ~RESET_FLAGS:
        return -Errno.EINVAL
    record = core.records.find(args.seg, args.bus, args.devfn)
    if record is None:
        return -Errno.ENODEV
    if record.owner is None:
        cause = f"reset of {record.sbdf}, whose record has no owner"
        raise stop("page fault" if core.x86 else "data abort", cause, "§2.6, XP-40")
    if core.vpci is not None:
        core.vpci.detach(record)
        return core.vpci.attach(record)
    return 0


def pci_mmcfg_reserved(core: Core, args: PciMmcfgReserved) -> int:
    """`pci_mmcfg_reserved` (24): `McfgWindows.reserved`; where it changed anything, the known devices
    of those buses are looked at again for extended configuration space. A PVH Dom0's area is
    trapped as well."""
    start, end = args.start_bus, args.end_bus
    before = core.windows.state
    result = core.windows.reserved(args.address, args.segment, start, end, args.flags)
    changed = result == 0 and core.windows.state != before
    known = core.records.segments.get(args.segment)
    if changed and core.version.extended_flag and known is not None:
        for record in known.devices.values():
            if start <= record.bus <= end:
                record.extended = has_extended_space(core, record)
                if core.vpci is not None:
                    core.vpci.look_again(record)
    if result == 0 and args.flags and core.trap_area is not None:
        return core.trap_area(args.address, args.segment, start, end)
    return result


def add(core: Core, segment: int, bus: int, devfn: int, info: Info | None) -> int:
    """`pci_add_device` (§2.3). `info` None: the caller says nothing about the function. Neither
    the function, nor a bridge for it, nor its segment need exist. A record that is made here stays
    after most failures, ownerless."""
    if core.admit is not None and (refused := core.admit(segment, bus, devfn)):
        return refused
    if info is not None and info.virtfn and not core.version.vf_list:
        info = _with_its_pf(core, segment, info)
    core.records.segment(segment)
    record = core.records.find(segment, bus, devfn) or make_record(core, segment, bus, devfn)
    if info is not None:
        record.extfn, record.virtfn, record.physfn_rid = info.extfn, info.virtfn, info.physfn
        if info.virtfn and core.version.vf_list and (error := _link(core, record)):
            return error
    if not record.virtfn and not record.has_first_word:
        _size_vf_bars(core, record)
    if record.owner is None and (error := _own(core, record)):
        return error
    _enable_acs(core, record)
    core.notice("added", record.sbdf)
    for _ in record.phantoms():
        core.notice("added-phantom", record.sbdf)
    return 0


def _with_its_pf(core: Core, segment: int, info: Info) -> Info:
    """4.17: a VF is an extended function if its PF is one; a PF that is not known is added, and
    nobody asks how that went."""
    bus, devfn = info.physfn >> 8, info.physfn & 0xFF
    parent = core.records.find(segment, bus, devfn)
    if parent is None:
        add(core, segment, bus, devfn, None)
    return Info(extfn=parent is not None and parent.extfn, virtfn=True, physfn=info.physfn)


def _link(core: Core, record: Record) -> int:
    """A reported VF and its PF: 0, or -ENODEV without the PF, and the record is freed, though its
    owner and its VFs may have it in their lists. Linked once, the flag of an extended function
    taken over; a PF whose own VF BARs were sized looks as if it were linked already."""
    parent = core.records.find(record.segment, record.physfn_rid >> 8, record.physfn_rid & 0xFF)
    if parent is None:
        core.notice("vf-without-pf", record.sbdf)
        if record.owner is not None:
            core.notice("freed-while-listed", record.sbdf)
        free_record(core, record)
        return -Errno.ENODEV
    if not record.has_first_word:
        record.pf = parent
        record.extfn = parent.extfn
        if not record.vf_list.is_empty and parent is not record:
            core.notice("pf-linked-as-vf", record.sbdf)
        record.vf_list.add(parent.vf_list)
    if core.version.extended_flag and not record.extended:
        core.notice("vf-without-extended", record.sbdf)
    return 0


def _own(core: Core, record: Record) -> int:
    """Make the record Dom0's: vPCI, then the IOMMU; on an error it is ownerless again. Where only a
    phantom function is refused, the device is Dom0's all the same."""
    core.give(record, DOM0)
    error = core.vpci.attach(record) if core.vpci is not None else 0
    if error == 0 and core.iommu is not None:
        error = core.iommu.add(record, record.devfn)
        if error == 0:
            core.move(record, DOM0)
            for phantom in record.phantoms():
                core.iommu.add(record, phantom)
        elif core.vpci is not None:
            core.vpci.detach(record)
    if error:
        core.take(record)
        record.owner = None
    return error


def remove(core: Core, segment: int, bus: int, devfn: int) -> int:
    """`pci_remove_device` (§2.5): -ENODEV; -EBUSY (VFs are left, or it is in a list of VFs without
    being one: all in the list are marked broken); -EINVAL (ownerless, freed all the same); else
    freed, with the IOMMU's result."""
    record = core.records.find(segment, bus, devfn)
    if record is None:
        return -Errno.ENODEV
    if core.version.vf_list and not record.virtfn and not record.vf_list.is_empty:
        core.notice("pf-with-vfs", record.sbdf)
        for left in record.vf_list.members(x86=core.x86):
            left.broken = True
        record.broken = True
        return -Errno.EBUSY
    if core.version.removal_asks_owner and core.x86 and record.owner is None:
        cause = f"removal of {record.sbdf}, whose record has no owner to be asked for vPCI"
        raise stop("page fault", cause, "§2.5")
    if core.vpci is not None:
        core.vpci.detach(record)
    if record.owner is not None:
        core.take(record)
    result = _take_from_iommu(core, record)
    free_record(core, record)
    return result


def _take_from_iommu(core: Core, record: Record) -> int:
    """`iommu_remove_device`: phantom functions first; the first error ends it."""
    if record.owner is None:
        return -Errno.EINVAL
    if core.iommu is None or not core.translates(record):
        return 0
    for devfn in (*record.phantoms(), record.devfn):
        if error := core.iommu.remove(record, devfn):
            return error
    return 0


def _size_vf_bars(core: Core, record: Record) -> None:
    """Size the six VF BARs of a PF whose VFs are off, by writing ones (bytes each, 0 for none)."""
    offset = extended_capability(core, record, ExtendedCapability.SRIOV)
    if offset is None:
        return
    function = function_of(core, record)
    if function.read(offset + SriovRegister.CONTROL, 2) & (VF_ENABLE | VF_MEMORY):
        core.notice("vfs-already-enabled", record.sbdf)
        return
    index = 0
    while index < VF_BARS:
        at = offset + SriovRegister.VF_BARS + 4 * index
        if function.read(at, 4) & 1:
            core.notice("vf-io-bar", record.sbdf)
            if core.version.vf_io_bar_hangs:
                cause = f"VF BAR {index} of {record.sbdf} is in I/O space, over which the loop does not step"
                raise stop("endless loop", cause, "§2.3")
            index += 1
            continue
        last = index == VF_BARS - 1
        size, taken = _bar_size(function, at, last=last)
        if last and size is None:
            core.notice("vf-bar-last-slot", record.sbdf)
        record.vf_sizes[index] = size or 0
        index += taken


def _bar_size(function: Function, at: int, *, last: bool) -> tuple[int | None, int]:
    """`pci_size_mem_bar`: write ones, read back, restore; the size in bytes that the address bits
    leave, and how many BARs it took. None: a 64-bit one in the last slot, which stays all ones."""
    low = function.read(at, 4)
    wide = low & 0x6 == 0x4
    function.write(at, 4, 0xFFFFFFFF)
    if wide and last:
        return None, 1
    high = 0
    if wide:
        high = function.read(at + 4, 4)
        function.write(at + 4, 4, 0xFFFFFFFF)
    size = function.read(at, 4) & MEMORY_MASK
    if wide:
        size |= function.read(at + 4, 4) << 32
        function.write(at + 4, 4, high)
    elif size:
        size |= 0xFFFFFFFF << 32
    function.write(at, 4, low)
    return -size & 0xFFFFFFFF_FFFFFFFF, 2 if wide else 1


def _enable_acs(core: Core, record: Record) -> None:
    """`pci_enable_acs`: switch on what the capability offers of four bits; never clear any."""
    if not core.translates(record):
        return
    offset = extended_capability(core, record, ExtendedCapability.ACS)
    if offset is None:
        return
    function = function_of(core, record)
    control = function.read(offset + 6, 2)
    function.write(offset + 6, 2, control | function.read(offset + 4, 2) & ACS_ENABLED)
