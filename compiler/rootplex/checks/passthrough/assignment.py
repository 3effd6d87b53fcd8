"""Whether guests get the devices that they are to have."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.absence import Absence, absence
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES
from rootplex.checks.simulated import (
    booted,
    bridge_place,
    called,
    device_place,
    function_named,
    listed,
    lives,
    root_of,
    wish_place,
    wishes,
    xen_of,
)
from rootplex.checks.unseen import unseen_slots
from rootplex.formats.errno import Errno, name_of
from rootplex.model.platform import Guest
from rootplex.model.virtual import physical_of
from rootplex.report.causes import not_enabled
from rootplex.report.reasons import type_name
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level


@check(
    "RPX0501",
    Level.ERROR,
    needs="simulation",
    requires=(BYTES, "RPX0116", "RPX0117", "RPX0212", "RPX0805", "RPX0901", "RPX0902", "RPX0903", "RPX0301"),
)
def guest_device_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: a device that a guest is to have and that Dom0 does not see.
    Why it matters: what Dom0 does not find it cannot report to Xen, and Xen cannot assign it.
    Example: `guests: [{name: router, devices: [nic]}]` where nic has `present: false`.
    What to do: follow the note to what is in the way, or take the device from the guest's list.
    Source: Xen xen/drivers/passthrough/pci.c, assign_device (-ENODEV).
    """
    # Hidden ones are told elsewhere.
    described = facts.described
    if described is None or not lives(facts):
        return
    accepted = {each.subject for each in described.suppress if each.code == "RPX0501"}
    unseen = {device.name for each in unseen_slots(described) for device in each.devices}
    for guest in described.xen.guests:
        wanted: dict[tuple[str, str], list[tuple[int, str, Absence]]] = {}
        for i, name in enumerate(guest.devices):
            if name not in unseen and function_named(facts, name) is None:
                missing = absence(facts, name)
                owner, _ = physical_of(name) or (name, 0)
                key = (name if name in accepted else owner, missing.reason)
                wanted.setdefault(key, []).append((i, name, missing))
        for absent in wanted.values():
            first, name, _ = absent[0]
            names = listed([each for _, each, _ in absent])
            last = max((missing for _, _, missing in absent), key=lambda each: each.enough)
            yield guest_device_missing.rule.finding(
                guest.at(f"devices.{first}"),
                f"guest {guest.name} is to have {names}, which {facts.host} does not see",
                related=last.places,
                notes=[last.reason],
                help=f"{last.help}, or take {'the device' if len(absent) == 1 else 'them'} from the list",
                subject=name,
                about=tuple(dict.fromkeys(each for _, name, missing in absent for each in missing.of(name))),
            )


@check("RPX0502", Level.ERROR, needs="simulation", covers=("XP-59",))
def bridge_assigned(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge's function, a port or a bridge in a guest's list.
    Why it matters: VFIO takes no bridges, and Xen on Arm checks nothing: the guest would control the port
    through which other owners' devices are reached.
    Example: `guests: [{name: router, devices: [rp1, nic]}]` where rp1 is a root port.
    What to do: give the guest what is behind the port; the port stays in Dom0.
    Source: Linux drivers/vfio/pci/vfio_pci_core.c, vfio_pci_core_register_device; Xen
    xen/drivers/passthrough/pci.c, assign_device (no check on Arm), and xen/drivers/passthrough/vtd/iommu.c,
    domain_context_mapping (-EPERM for a host bridge).
    """
    for guest, view in wishes(facts):
        for function in view.functions:
            if not (function.is_bridge or is_host_bridge(function)):
                continue
            kind = "a host bridge's function" if is_host_bridge(function) else type_name(function)
            name = facts.device_name(function)
            yield bridge_assigned.rule.finding(
                wish_place(facts, guest, function),
                f"guest {guest.name} is to have {name}, {kind}",
                related=[(device_place(facts, function, "type"), f"{function.sbdf} is {kind}")],
                help="take it from the list; "
                f"it stays in {facts.host} when what is behind it goes to a guest",
                subject=name,
            )


def is_host_bridge(function: Function) -> bool:
    """Class 0600: the function that stands for the host bridge itself."""
    return function.class_code >> 8 == 0x0600


@check("RPX0512", Level.ERROR, needs="simulation", covers=("LNX-55", "LNX-56"))
def vfs_not_enabled(facts: Facts) -> Iterator[Finding]:
    """What it finds: virtual functions that are to be enabled and cannot be: they reach beyond the bus range,
    or their BARs have no place.
    Why it matters: not one of them comes up.
    Example: `sriov: {total: 64, offset: 0x80, stride: 2, enabled: 64}` at the end of a bus range.
    What to do: widen the bus range, or enable fewer.
    Source: Linux drivers/pci/iov.c, sriov_enable.
    """
    for function in booted(facts).dom0.functions:
        sriov = function.sriov
        if sriov is None or sriov.refused is None:
            continue
        name = facts.device_name(function)
        root = root_of(facts, function)
        yield vfs_not_enabled.rule.finding(
            device_place(facts, function, "sriov.enabled"),
            f"{sriov.wanted} VFs of {called(facts, function)} cannot be enabled: {not_enabled(sriov)}",
            related=[(bridge_place(facts, root, "bus_range"), "the bus range of its host bridge")],
            help="widen the bus range or the windows, or enable fewer VFs",
            subject=name,
        )


@check("RPX0516", Level.WARNING, needs="simulation", requires=("RPX0512",))
def virtual_apart(facts: Facts) -> Iterator[Finding]:
    """What it finds: a physical function that a guest is to have while its virtual functions are switched on;
    an error where one of them is to be a guest's.
    Why it matters: the driver of the physical function switches its virtual functions on. The host's driver
    lets go of a function that a guest is given, and the virtual ones are gone; the guest that has it could
    also turn them off, or see what they do.
    Example: guests `a: [nic]` and `b: [nic.vf0]`.
    What to do: leave the physical function in the host, and give virtual ones away; or switch none on
    (`sriov.enabled`).
    Source: PCI Express Base 6.0 §9.1 (the PF manages its VFs); Linux drivers/vfio/pci/vfio_pci_core.c,
    vfio_pci_core_sriov_configure and vfio_pci_validate_vf_token; Linux drivers/pci/iov.c, sriov_disable.
    """
    wished = {function: guest for guest, view in wishes(facts) for function in view.functions}
    for function, guest in wished.items():
        virtual = function.virtual_functions
        if not virtual:
            continue
        given = [(each, wished[each]) for each in virtual if each in wished]
        name, count = facts.device_name(function), len(virtual)
        verb = "VFs are" if count > 1 else "VF is"
        message = f"guest {guest.name} is to have {called(facts, function)}, whose {count} {verb} switched on"
        related = [(device_place(facts, function, "sriov.enabled"), "they are switched on here")]
        if given:
            first, owner = given[0]
            message = (
                f"guest {guest.name} is to have {called(facts, function)}, "
                f"and guest {owner.name} its virtual function {called(facts, first)}"
            )
            related = [(wish_place(facts, owner, first), f"guest {owner.name} is to have it")]
        yield virtual_apart.rule.finding(
            wish_place(facts, guest, function),
            message,
            level=Level.ERROR if given else None,
            related=related,
            notes=("when the host lets go of a physical function, its virtual ones are gone",),
            help=f"leave {name} in {facts.host} and give virtual functions away, or write 'enabled: 0'",
            subject=name,
        )


MEANINGS = {
    -Errno.EPERM: "not permitted",
    -Errno.EBADF: "the device is broken",
    -Errno.EBUSY: "another guest has it",
    -Errno.EXDEV: "the guest cannot take devices",
    -Errno.ENODEV: "Xen does not know the device",
    -Errno.EINVAL: "invalid",
    -Errno.ENOSPC: "no slot is free",
    -Errno.EOPNOTSUPP: "there is no IOMMU, or vPCI cannot carry it",
}


HELPS = {
    -Errno.EBUSY: "give the device to one guest",
    -Errno.ENODEV: (
        "let Dom0 report the device: 'rootplex check --trace' shows each hypercall with its result"
    ),
    -Errno.EOPNOTSUPP: "put the device behind an IOMMU that Xen drives",
}


@check(
    "RPX0514",
    Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES, "RPX0402", "RPX0503", "RPX0901", "RPX0904", "RPX0905", "RPX0911", "RPX0913"),
)
def assignment_refused(facts: Facts) -> Iterator[Finding]:
    """What it finds: a device that Xen refuses to assign to its guest, for a reason that no other finding
    gives.
    Why it matters: the guest starts without it, or not at all.
    Example: a device that two guests are to have.
    What to do: see the error: -EBUSY: another guest has it; -ENODEV: Xen does not know it; -EOPNOTSUPP: there
    is no IOMMU.
    Source: Xen xen/drivers/passthrough/pci.c, iommu_do_pci_domctl and assign_device.
    """
    # Not where the device's own trouble is told already.
    told = {each.subject for each in facts.found if each.level is Level.ERROR}
    domains = _domains(facts)
    for guest, view in wishes(facts):
        for function in dict.fromkeys(view.functions):
            sbdf = function.segment << 16 | function.rid
            result = next(
                (
                    call.result
                    for call in xen_of(facts).calls
                    if call.op == "assign_device"
                    and call.args.get("machine_sbdf") == sbdf
                    and call.args.get("domain") == domains.get(guest.name)
                ),
                0,
            )
            name = facts.device_name(function)
            if not result or name in told:
                continue
            yield assignment_refused.rule.finding(
                wish_place(facts, guest, function),
                f"Xen refuses to give {called(facts, function)} to guest {guest.name}",
                notes=[_meaning(result)],
                help=HELPS.get(result),
                subject=name,
            )


def _domains(facts: Facts) -> dict[str, int]:
    return {domain.name: number for number, domain in xen_of(facts).core.domains.items()}


def _meaning(result: int) -> str:
    return f"{MEANINGS[result]} ({name_of(result)})" if result in MEANINGS else f"the result is {result}"


SLOTS = 32
PAGE = 4096


@check("RPX0513", Level.ERROR, needs="simulation", only="xen", covers=("XP-58", "XP-62"))
def vpci_limits(facts: Facts) -> Iterator[Finding]:
    """What it finds: with vPCI on, guests' devices that it cannot carry: a function other than 0, more than
    32 devices, a BAR smaller than a page, a BAR that is not inside one window of its host bridge.
    Why it matters: Xen refuses the device, or leaves its BAR unmapped.
    Example: `xen: {vpci: true, guests: [{name: g, devices: [port1]}]}` where port1 is function 1 of its card.
    What to do: give the guest function 0, or switch vPCI off.
    Source: Xen xen/drivers/vpci/vpci.c, vpci_assign_device; xen/arch/arm/pci/pci-host-common.c,
    pci_check_bar.
    """
    # Today's x86 has no vPCI for guests.
    settings = booted(facts).settings
    if not settings.vpci or settings.arch != "arm64":
        return
    for guest, view in wishes(facts):
        for index, function in enumerate(view.functions):
            at = wish_place(facts, guest, function)
            if index == SLOTS:
                yield vpci_limits.rule.finding(
                    at,
                    f"guest {guest.name} is to have {len(view.functions)} devices of the {SLOTS} of vPCI",
                    help=f"give it at most {SLOTS}",
                    subject=guest.name,
                )
            if function.devfn & 7:
                yield vpci_limits.rule.finding(
                    at,
                    f"{called(facts, function)}, which guest {guest.name} is to have, is not a function 0",
                    related=[(device_place(facts, function, "fn"), f"function {function.devfn & 7}")],
                    notes=["vPCI gives guests functions 0 alone (-EOPNOTSUPP)"],
                    help="give the guest function 0, or switch vPCI off",
                    subject=facts.device_name(function),
                )
            yield from _bars(facts, guest, function)


def _bars(facts: Facts, guest: Guest, function: Function) -> Iterator[Finding]:
    root = root_of(facts, function)
    for bar in function.bars:
        if bar.space == "io" or bar.cpu is None or bar.index > 5:
            continue
        start, end = bar.cpu & -PAGE, bar.cpu + bar.size + PAGE - 1 & -PAGE
        fits = any(w.space == "mem" and w.cpu <= start and end <= w.cpu + w.size for w in root.windows)
        if bar.size < PAGE:
            what = f"has {bar.size:#x} bytes, less than a page"
        elif not fits:
            what = "is not inside one window of its host bridge"
        else:
            continue
        yield vpci_limits.rule.finding(
            device_place(facts, function, "bars"),
            f"BAR {bar.index} of {called(facts, function)}, which guest {guest.name} is to have, {what}",
            related=[] if fits else [(bridge_place(facts, root, "windows"), "the windows")],
            help="a guest is given whole pages: use BARs of at least 4 KiB inside one window",
            subject=facts.device_name(function),
        )
