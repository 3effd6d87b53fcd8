"""What else is in the groups of guests' devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.causes import WRONG_MAP
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import (
    booted,
    called,
    chain,
    device_place,
    map_above,
    reason_places,
    wish_place,
    wishes,
)
from rootplex.known.kernels import profile
from rootplex.report.reasons import sentence
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group
from rootplex.simulator.groups.guests import GuestView, Neighbour
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

NO_STREAM = (
    "RPX0402", "RPX0404", "RPX0405", "RPX0406", "RPX0409", "RPX0520", "RPX0605", "RPX0606",
    "RPX0611", "RPX0612", "RPX0613", "RPX0731", "RPX0758", "RPX0759", "RPX0762", "RPX0763", "RPX0764",
    "RPX0765", "RPX0766", "RPX0768", "RPX0773", "RPX0806", "RPX0904", "RPX0636",
)  # fmt: skip
"""What else tells that the device has no stream, or not one of its own."""


@check(
    "RPX0503",
    Level.ERROR,
    needs="simulation",
    requires=(*WRONG_MAP, *NO_STREAM, "RPX0901", "RPX0903"),
    covers=("LNX-51", "XP-56"),
)
def no_group(facts: Facts) -> Iterator[Finding]:
    """What it finds: a guest's device without an IOMMU group: nothing translates it, its driver refuses it,
    or the IOMMU is off.
    Why it matters: what no IOMMU translates reaches all of memory; VFIO does not take it, and Xen has no
    domain to put it in.
    Example: a guest's device on a host bridge without `iommu`.
    What to do: translate the requester ids of the device, all its aliases included, each to a StreamID of its
    own.
    Source: Linux drivers/iommu/iommu.c, iommu_probe_device; drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c,
    arm_smmu_insert_master (a second device of one StreamID).
    """
    outcome = booted(facts)
    for guest, view in wishes(facts):
        for function in view.ungrouped:
            reason = next((each for each in outcome.linux.ungrouped if each.function is function), None)
            streams = outcome.streams.get(function)
            related: list[tuple[Place, str]] = [(device_place(facts, function), "the device is here")]
            if streams is not None and streams.place is not None and streams.unit is None:
                related.append((streams.place, "this decides it"))
            yield no_group.rule.finding(
                wish_place(facts, guest, function),
                f"{called(facts, function)}, which guest {guest.name} is to have, has no IOMMU group",
                related=related,
                notes=[] if reason is None else [sentence(reason)],
                help="let one IOMMU of its segment take its requester ids"
                if facts.arch == "x86_64"
                else "map its requester ids, each to a StreamID of its own",
                subject=facts.device_name(function),
                rests_on=(
                    facts.device_name(function),
                    map_above(facts, function, "iommu-map"),
                ),
            )


@check(
    "RPX0504",
    Level.ERROR,
    needs="simulation",
    covers=("LNX-48", "LNX-49", "LNX-51", "LNX-54", "LNX-60", "XP-55", "XP-56", "XP-57"),
)
def group_not_whole(facts: Facts) -> Iterator[Finding]:
    """What it finds: a guest that is to have a part of a group, while the rest stays in Dom0 or goes to
    another guest. Ports and host bridge functions do not count.
    Why it matters: the members of a group can reach each other, or cannot be told apart, behind the IOMMU's
    back; VFIO calls such a group not viable, Xen on Arm hands the device out all the same.
    Example: two cards below a switch whose downstream ports have no ACS, for two guests.
    What to do: give the guest the whole group, or separate its members: ACS on the ports that the notes name,
    or another slot.
    Source: Linux drivers/iommu/iommu.c, pci_device_group and iommu_device_claim_dma_owner; drivers/pci/pci.c,
    pci_acs_enabled; Xen xen/drivers/passthrough/pci.c, iommu_get_device_group (no groups on Arm).
    """
    # One finding a guest and group: what of the group the guest does not get.
    for guest, view in wishes(facts):
        for group in view.groups:
            blockers = [
                each
                for each in view.blockers
                if each.group is group and role_of(facts, each.function) is None
            ]
            if not blockers:
                continue
            own = next(function for function in view.functions if function in group.members)
            yield group_not_whole.rule.finding(
                wish_place(facts, guest, own),
                f"guest {guest.name} is to have {facts.device_name(own)}, "
                f"and {others(facts, blockers)} in the same group",
                related=_related(facts, blockers, group),
                notes=[*chain(group.reasons), *_late_acs(facts, group)],
                help="give the guest the whole group, or separate it where the notes say",
                subject=facts.device_name(own),
            )


def others(facts: Facts, neighbours: Iterable[Neighbour]) -> str:
    """`disk (0000:01:00.0), which stays in Dom0, is`, and so on."""
    said = []
    for each in neighbours:
        where = (
            f"which stays in {facts.host}" if each.owner is None else f"which guest {each.owner} is to have"
        )
        said.append(f"{called(facts, each.function)}, {where},")
    return f"{' and '.join(said)} {'is' if len(said) == 1 else 'are'}"


def _related(facts: Facts, blockers: list[Neighbour], group: Group) -> list[tuple[Place, str]]:
    """The others and the functions of the reasons, each place once."""
    found = {device_place(facts, each.function): called(facts, each.function) for each in blockers}
    return list((dict(reason_places(facts, group.reasons)) | found).items())


def _late_acs(facts: Facts, group: Group) -> Iterator[str]:
    """What kept ACS off that the hardware has (LNX-54, LNX-60)."""
    settings = booted(facts).settings
    if not any(reason.kind == "acs-off" for reason in group.reasons):
        return
    if settings.firmware == "dt" and profile(settings.kernel).acs_dt != "all":
        yield f"on a device tree {settings.kernel} can switch ACS on too late; 7.0 and later do not"
    elif settings.role == "pvh":
        yield "a PVH Dom0 does not ask for ACS: the firmware must have switched it on"


TOLD_ELSEWHERE = {"bar-page", "stream", "isolated"}
"""Reasons with findings of their own."""


@check("RPX0507", Level.WARNING, needs="simulation", covers=("LNX-50", "XP-55", "XP-57"))
def group_unsafe(facts: Facts) -> Iterator[Finding]:
    """What it finds: a guest's devices that form whole groups of Linux and are still not safe without others:
    downstream ports of a switch that let requests through to each other, ACS bits that a port does not offer,
    a port without a group of its own.
    Why it matters: requests between the devices never come to the IOMMU, whatever the kernel's groups say.
    Example: two cards below downstream ports without ACS on device numbers 0 and 1: up to 7.2 Linux gives
    each a group.
    What to do: give the guest what belongs together, or use ports with Source Validation, Request Redirect,
    Completion Redirect and Upstream Forwarding on.
    Source: PCI Express Base 6.0 §6.12 (ACS); Linux drivers/iommu/iommu.c, pci_device_group; linux.md §5.8;
    xen.md §10, the safe partition.
    """
    # What is together in the safe partition, and not in Linux's; without an IOMMU there is nothing to be safe
    # about.
    if not booted(facts).settings.iommu:
        return
    for guest, view in wishes(facts):
        beside = _beyond_linux(view)
        groups = {each.group.id: each.group for each in beside}
        for group in groups.values():
            if {reason.kind for reason in group.reasons} <= TOLD_ELSEWHERE:
                continue
            own = next((function for function in view.functions if function in group.members), None)
            if own is None:
                continue
            members = [each for each in beside if each.group is group]
            yield group_unsafe.rule.finding(
                wish_place(facts, guest, own),
                f"{facts.device_name(own)} goes to guest {guest.name} by Linux's groups, "
                f"and {others(facts, members)} not safely apart from it",
                related=reason_places(facts, group.reasons),
                notes=chain(group.reasons),
                help="give the guest what belongs together, or switch ACS on where the notes say",
                subject=facts.device_name(own),
            )


def _beyond_linux(view: GuestView) -> list[Neighbour]:
    known = {each.function for each in view.neighbours}
    return [each for each in view.safe_neighbours if each.harmless is None and each.function not in known]


@check("RPX0515", Level.NOTE, needs="simulation")
def group_by_chance(facts: Facts) -> Iterator[Finding]:
    """What it finds: NVMe functions of which one gets a StreamID that they all have, on a kernel that groups
    when drivers bind. A note; a warning where the boot device or a guest's is among them.
    Why it matters: the driver probes them all at once, and the first to come has the IOMMU and a group:
    another one from boot to boot. The others have none.
    Example: two NVMe functions behind a PCIe-to-PCI bridge and an SMMUv3, with Linux 6.12 on a device tree.
    What to do: put them behind ports of their own; or take a kernel that groups as devices are found (7.2).
    Source: Linux drivers/nvme/host/pci.c, PROBE_PREFER_ASYNCHRONOUS;
    drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master.
    """
    # One finding for all of them, at the first.
    outcome = booted(facts)
    found = [reason.function for reason in outcome.linux.ungrouped if reason.kind == "undetermined"]
    if not found:
        return
    names = [facts.device_name(function) for function in found]
    wanted = {page for guest in outcome.settings.guests for page in guest.pages} | {outcome.settings.boot}
    hurt = any(function.page in wanted for function in found)
    yield group_by_chance.rule.finding(
        device_place(facts, found[0]),
        f"which of these has a group is left to chance: {', '.join(names)}",
        level=Level.WARNING if hurt else None,
        related=[(device_place(facts, each), "this is one of them") for each in found[1:]],
        notes=[
            f"{outcome.settings.kernel} probes them all at once, and one gets the StreamID that they share"
        ],
        help="put them behind ports of their own, or take a kernel that groups as devices are found",
        subject=names[0],
    )


CONSOLE_CLASSES = {0x0700: "a serial controller", 0x0300: "a VGA controller"}
"""Class and subclass of what Dom0's console can be."""


def role_of(facts: Facts, function: Function) -> str | None:
    """What Dom0 needs a function for, in words; None: for nothing. A controller that could be a
    console counts only where no guest is to have it."""
    described = facts.described
    name = facts.pages.get(function.page)
    if described is None:
        return None
    if described.boot is not None and name == described.boot.device:
        return "the boot device"
    kind = CONSOLE_CLASSES.get(function.class_code >> 8)
    wished = {device for guest in described.xen.guests for device in guest.devices}
    return f"a console of {facts.host}'s ({kind})" if kind is not None and name not in wished else None


@check("RPX0505", Level.ERROR, needs="simulation", covers=("LNX-53", "XP-59"))
def dom0_device_in_group(facts: Facts) -> Iterator[Finding]:
    """What it finds: the boot device or a console of Dom0 in a guest's list, or in the group of a guest's
    device.
    Why it matters: with the group Dom0 loses what it runs from.
    Example: `boot: {device: disk}` where disk is below the same port without ACS as the guest's card.
    What to do: move the guest's device to a port of its own, or boot from another device.
    Source: Linux drivers/iommu/iommu.c, iommu_device_claim_dma_owner; Xen xen/drivers/passthrough/pci.c,
    assign_device (no check).
    """
    for guest, view in wishes(facts):
        for function in view.functions:
            role = role_of(facts, function)
            if role is not None:
                yield dom0_device_in_group.rule.finding(
                    wish_place(facts, guest, function),
                    f"guest {guest.name} is to have {called(facts, function)}, {role}",
                    related=[(device_place(facts, function), "it is described here")],
                    help=f"leave it to {facts.host}",
                    subject=facts.device_name(function),
                )
        for each in view.blockers:
            role = role_of(facts, each.function)
            own = next((function for function in view.functions if function in each.group.members), None)
            if role is None or own is None:
                continue
            yield dom0_device_in_group.rule.finding(
                wish_place(facts, guest, own),
                f"{called(facts, each.function)}, {role}, is in the group of "
                f"{facts.device_name(own)}, which guest {guest.name} is to have",
                related=[
                    (device_place(facts, each.function), f"this is {role}"),
                    *reason_places(facts, each.group.reasons),
                ],
                notes=chain(each.group.reasons),
                help=f"separate them where the notes say, or leave the group to {facts.host}",
                subject=facts.device_name(own),
            )


@check("RPX0506", Level.NOTE, needs="simulation")
def port_in_group(facts: Facts) -> Iterator[Finding]:
    """What it finds: a port, bridge or host bridge function in the group of a guest's device. A note.
    Why it matters: it stays in Dom0, and VFIO and Xen accept that; but it shows that the device is not alone
    behind it.
    Example: a card below a root port without ACS.
    What to do: nothing, as long as nothing else comes below the port; ACS on the port takes it out of the
    group.
    Source: Linux drivers/iommu/iommu.c, iommu_device_claim_dma_owner; drivers/pci/pcie/portdrv.c, whose
    driver_managed_dma lets a port stay (portdrv_pci.c in 6.1).
    """
    # One note a guest and group.
    for guest, view in wishes(facts):
        for group in view.groups:
            ports = [each for each in view.neighbours if each.group is group and each.harmless is not None]
            own = next((function for function in view.functions if function in group.members), None)
            if not ports or own is None:
                continue
            names = ", ".join(called(facts, each.function) for each in ports)
            yield port_in_group.rule.finding(
                wish_place(facts, guest, own),
                f"the group of {facts.device_name(own)} holds {names}, which can stay in {facts.host}",
                related=reason_places(facts, group.reasons),
                notes=chain(group.reasons),
                subject=facts.device_name(own),
            )
