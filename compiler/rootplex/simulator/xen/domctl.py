"""The domctls on devices: assign, test, deassign, and the group query (§2.8, §2.9)."""

from __future__ import annotations

from rootplex.formats.errno import Errno
from rootplex.formats.hypercalls import AssignDevice, GetDeviceGroup
from rootplex.simulator.xen.core import Core, Domain
from rootplex.simulator.xen.msix import is_masked
from rootplex.simulator.xen.outcome import stop
from rootplex.simulator.xen.records import DOM0, DOMID_FIRST_RESERVED, DOMID_INVALID, DOMID_IO, Record

DEV_PCI = 0
RELAXED = 1


def _target(core: Core, number: int, special: int) -> Domain | int | None:
    """The domain that the call is about (`do_domctl`), or an error: -ESRCH (unknown; of Xen's own
    only the `special` one is to be had), -EOPNOTSUPP (no IOMMU, or not for it). None: no domain."""
    if number == special == DOMID_INVALID:
        return None if core.iommu is not None else -Errno.EOPNOTSUPP
    domain = core.domain(number) if number < DOMID_FIRST_RESERVED or number == special else None
    if domain is None:
        return -Errno.ESRCH
    return domain if core.iommu is not None and domain.iommu else -Errno.EOPNOTSUPP


def _record(core: Core, sbdf: int) -> Record | None:
    return core.records.find(sbdf >> 16, sbdf >> 8 & 0xFF, sbdf & 0xFF)


def _refused(args: AssignDevice, domain: Domain | None, flags: int) -> int:
    """What all three ask first: the caller's own domain (-EINVAL), a device that is none of PCI
    (-ENODEV), unknown flags (-EINVAL)."""
    if domain is not None and domain.number == DOM0:
        return -Errno.EINVAL
    if args.dev != DEV_PCI:
        return -Errno.ENODEV
    return -Errno.EINVAL if args.flags & ~flags else 0


def without_pci(core: Core, args: AssignDevice | GetDeviceGroup) -> int:
    """Any of these in a Xen for Arm that was built without PCI: -ESRCH, -EOPNOTSUPP; then -ENODEV, for
    only device tree nodes are known, and -ENOSYS for the group query (`iommu_do_dt_domctl`)."""
    special = DOMID_IO if isinstance(args, AssignDevice) else DOMID_INVALID
    domain = _target(core, args.domain, special)
    if isinstance(domain, int):
        return domain
    return -Errno.ENODEV if isinstance(args, AssignDevice) else -Errno.ENOSYS


def test_assign_device(core: Core, args: AssignDevice) -> int:
    """`test_assign_device` (45): 0 where the device is Dom0's or in quarantine, else -EINVAL for
    an unknown one and one in use alike. The domain may be none."""
    domain = _target(core, args.domain, DOMID_INVALID)
    if isinstance(domain, int):
        return domain
    if error := _refused(args, domain, 0):
        return error
    record = _record(core, args.machine_sbdf)
    if record is None or record.owner not in (DOM0, DOMID_IO):
        core.notice("test-assign", f"{args.machine_sbdf:08x}")
        return -Errno.EINVAL
    return 0


def assign_device(core: Core, args: AssignDevice) -> int:
    """`assign_device` (37). Nothing is asked about the kind of device: on Arm a host bridge or a
    root port goes to a guest like any other."""
    domain = _target(core, args.domain, DOMID_IO)
    if not isinstance(domain, Domain):
        return domain or -Errno.ESRCH
    if error := _refused(args, domain, RELAXED):
        return error
    if domain.dying:
        return -Errno.EINVAL
    record = _record(core, args.machine_sbdf)
    if record is None:
        return -Errno.ENODEV
    if record.owner not in (DOM0, DOMID_IO):
        return -Errno.EBUSY
    return assign(core, record, domain, bool(args.flags & RELAXED))


def assign(core: Core, record: Record, domain: Domain, relaxed: bool) -> int:
    """`assign_device()`: -EXDEV (x86 refuses the domain), -EBADF (broken), -EBUSY (MSI-X masked),
    the IOMMU's errors, vPCI's. Dom0's emulation is taken down before most of them, and a refused
    assignment does not set it up again; a device that only vPCI refuses is the new domain's all the
    same."""
    if core.x86 and domain.number in core.refusing and domain.number != DOMID_IO:
        return -Errno.EXDEV
    if record.broken and core.is_guest(domain.number):
        return -Errno.EBADF
    if core.vpci is not None and core.version.vpci_follows:
        core.vpci.detach(record)
    error, reached = _translate(core, record, domain, relaxed)
    if error == 0 and core.vpci is not None and core.version.vpci_follows:
        error = core.vpci.attach(record)
    if error:
        if record.owner == DOM0 and core.vpci is not None and core.version.vpci_follows:
            core.notice("emulation-lost", record.sbdf)
        if reached != record.devfn and deassign(core, record, domain):
            record.broken = True
            domain.crashed |= core.is_guest(domain.number)
        return error
    if domain.number == DOMID_IO:
        record.quarantine = True
    return 0


def _translate(core: Core, record: Record, domain: Domain, relaxed: bool) -> tuple[int, int]:
    """Point the function and its phantoms at the domain: (errno, the devfn that was come to)."""
    assert core.iommu is not None
    if is_masked(core, record):
        return -Errno.EBUSY, record.devfn
    if record.owner != DOMID_IO and core.options.quarantine and (error := core.iommu.quarantine(record)):
        return error, record.devfn
    for devfn in record.functions():
        error = core.iommu.assign(record, domain.number, devfn, relaxed)
        if devfn == record.devfn and core.iommu.gives(error):
            core.move(record, domain.number)
        if error:
            return error, devfn
    return 0, record.devfn


def deassign_device(core: Core, args: AssignDevice) -> int:
    """`deassign_device` (47): -ENODEV where the device is not that domain's."""
    domain = _target(core, args.domain, DOMID_IO)
    if not isinstance(domain, Domain):
        return domain or -Errno.ESRCH
    if error := _refused(args, domain, 0):
        return error
    where = args.machine_sbdf >> 16, args.machine_sbdf & 0xFFFF
    listed = core.devices_of(domain)
    record = next((one for one in listed if (one.segment, one.rid) == where), None)
    if record is None:
        return -Errno.ENODEV
    if record.owner != domain.number:
        cause = f"{record.sbdf} is in the list of domain {domain.number} and not its own"
        raise stop("assertion", f"{cause}: its owner is not locked", "§2.8")
    return deassign(core, record, domain)


def deassign(core: Core, record: Record, domain: Domain) -> int:
    """`deassign_device()`: it goes to quarantine, or to Dom0 from there and where quarantine is off."""
    assert core.iommu is not None
    target = DOM0
    if (core.options.quarantine or record.quarantine) and record.owner != DOMID_IO:
        if core.options.quarantine and (error := core.iommu.quarantine(record)):
            return error
        target = DOMID_IO
    for phantom in record.phantoms():
        if error := core.iommu.reassign(record, target, phantom):
            return error
    if core.vpci is not None and core.version.vpci_follows:
        core.vpci.detach(record)
    error = core.iommu.reassign(record, target, record.devfn)
    if core.iommu.gives(error):
        core.move(record, target)
    if error:
        return error
    if target == DOM0:
        record.quarantine = False
    return core.vpci.attach(record) if core.vpci is not None and core.version.vpci_follows else 0


def get_device_group(core: Core, args: GetDeviceGroup) -> tuple[int, tuple[int, ...]]:
    """`get_device_group` (50): the result, and the other devices of the domain in that segment
    with the same group id, the newest first, each as bus << 16 | devfn << 8 (§2.1), at most `max`."""
    domain = core.domain(args.domain) if args.domain < DOMID_FIRST_RESERVED else None
    if domain is None:
        return -Errno.ESRCH, ()
    if core.iommu is None or not domain.iommu:
        return -Errno.EOPNOTSUPP, ()
    segment, rid = args.machine_sbdf >> 16, args.machine_sbdf & 0xFFFF
    group = core.iommu.group(segment, rid >> 8, rid & 0xFF)
    if group is None or group < 0:
        return group or 0, ()
    found: list[int] = []
    for record in core.devices_of(domain):
        if record.segment != segment or record.rid == rid:
            continue
        other = core.iommu.group(segment, record.bus, record.devfn)
        if other is not None and other < 0:
            return other, ()
        if other == group and len(found) < args.max:
            found.append(record.bus << 16 | record.devfn << 8)
    return 0, tuple(found)
