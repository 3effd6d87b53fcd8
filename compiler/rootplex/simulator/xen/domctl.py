"""The domctls on devices: assign, test, deassign, and the group query (§2.8, §2.9)."""

from __future__ import annotations

from rootplex.simulator.xen.core import Core, Domain
from rootplex.simulator.xen.errno import Errno
from rootplex.simulator.xen.physdev import Args
from rootplex.simulator.xen.records import DOM0, DOMID_INVALID, DOMID_IO, DOMID_XEN, Record

DEV_PCI = 0
RELAXED = 1


def _target(core: Core, number: int, *, allow_none: bool = False) -> Domain | int | None:
    """The domain that the call is about, or an error: -ESRCH (unknown; Xen's own is not to be
    had), -EOPNOTSUPP (no IOMMU, or not for it), -EINVAL (the caller's own). None: no domain."""
    if number == DOMID_INVALID and allow_none:
        return None if core.iommu is not None else -Errno.EOPNOTSUPP
    domain = core.domain(number) if number != DOMID_XEN else None
    if domain is None:
        return -Errno.ESRCH
    if core.iommu is None or not domain.iommu:
        return -Errno.EOPNOTSUPP
    return -Errno.EINVAL if number == DOM0 else domain


def _record(core: Core, args: Args) -> Record | None:
    sbdf = args["machine_sbdf"]
    return core.records.find(sbdf >> 16, sbdf >> 8 & 0xFF, sbdf & 0xFF)


def test_assign_device(core: Core, args: Args) -> int:
    """`test_assign_device` (45): 0 where the device is Dom0's or in quarantine, else -EINVAL for
    an unknown one and one in use alike. -ENODEV: not a PCI device."""
    domain = _target(core, args["domain"], allow_none=True)
    if isinstance(domain, int):
        return domain
    if args["dev"] != DEV_PCI:
        return -Errno.ENODEV
    if args["flags"]:
        return -Errno.EINVAL
    record = _record(core, args)
    if record is None or record.owner not in (DOM0, DOMID_IO):
        core.notice("test-assign", f"{args['machine_sbdf']:08x} already assigned, or non-existent")
        return -Errno.EINVAL
    return 0


def assign_device(core: Core, args: Args) -> int:
    """`assign_device` (37). Nothing is asked about the kind of device: on Arm a host bridge or a
    root port goes to a guest like any other."""
    domain = _target(core, args["domain"])
    if not isinstance(domain, Domain):
        return domain or -Errno.ESRCH
    if args["dev"] != DEV_PCI:
        return -Errno.ENODEV
    if args["flags"] & ~RELAXED or domain.dying:
        return -Errno.EINVAL
    record = _record(core, args)
    if record is None:
        return -Errno.ENODEV
    if record.owner not in (DOM0, DOMID_IO):
        return -Errno.EBUSY
    return assign(core, record, domain, bool(args["flags"] & RELAXED))


def assign(core: Core, record: Record, domain: Domain, relaxed: bool) -> int:
    """`assign_device()`: -EXDEV (x86 refuses the domain), -EBADF (broken), -EBUSY (MSI-X masked),
    the IOMMU's errors, vPCI's. What fails is rolled back."""
    if core.x86 and domain.number in core.refusing:
        return -Errno.EXDEV
    if record.broken and core.is_guest(domain.number):
        return -Errno.EBADF
    if record.mask_all:
        return -Errno.EBUSY
    assert core.iommu is not None
    before = record.owner
    if core.vpci is not None:
        core.vpci.detach(record)
    if error := core.iommu.assign(record, domain.number, relaxed):
        return error
    record.owner = domain.number
    if core.vpci is not None and (error := core.vpci.attach(record)):
        record.owner = before
        core.vpci.attach(record)
        return error
    record.quarantine = domain.number == DOMID_IO
    return 0


def deassign_device(core: Core, args: Args) -> int:
    """`deassign_device` (47): -ENODEV where the device is not that domain's. It goes to quarantine,
    or to Dom0 from there and where quarantine is off."""
    domain = _target(core, args["domain"])
    if not isinstance(domain, Domain):
        return domain or -Errno.ESRCH
    if args["dev"] != DEV_PCI:
        return -Errno.ENODEV
    if args["flags"]:
        return -Errno.EINVAL
    record = _record(core, args)
    if record is None or record.owner != domain.number:
        return -Errno.ENODEV
    keep = (core.options.quarantine or record.quarantine) and domain.number != DOMID_IO
    target = DOMID_IO if keep else DOM0
    assert core.iommu is not None
    if error := core.iommu.reassign(record, target):
        return error
    if core.vpci is not None:
        core.vpci.detach(record)
    record.owner = target
    record.quarantine = keep
    return core.vpci.attach(record) if core.vpci is not None and not keep else 0


def get_device_group(core: Core, args: Args) -> tuple[int, tuple[int, ...]]:
    """`get_device_group` (50): the result, and the other devices of the domain in that segment
    with the same group id, each as bus << 16 | devfn << 8 (§2.1), at most `max`."""
    domain = core.domain(args["domain"])
    if domain is None:
        return -Errno.ESRCH, ()
    if core.iommu is None or not domain.iommu:
        return -Errno.EOPNOTSUPP, ()
    segment, rid = args["machine_sbdf"] >> 16, args["machine_sbdf"] & 0xFFFF
    asked = core.records.find(segment, rid >> 8, rid & 0xFF) or Record.unknown(segment, rid)
    group = core.iommu.group(core.records, asked)
    if group is None or group < 0:
        return group or 0, ()
    found: list[int] = []
    for record in core.records:
        if record.owner != domain.number or record.segment != segment or record.rid == rid:
            continue
        other = core.iommu.group(core.records, record)
        if other is not None and other < 0:
            return other, ()
        if other == group and len(found) < args["max"]:
            found.append(record.bus << 16 | record.devfn << 8)
    return 0, tuple(found)
