"""group-not-whole

What it finds: a guest that is to have a part of a group, while the rest stays in Dom0 or goes to another
guest. Ports and host bridge functions do not count.
Why it matters: the members of a group can reach each other, or cannot be told apart, behind the IOMMU's back;
VFIO calls such a group not viable, Xen on Arm hands the device out all the same.
Example: two cards below a switch whose downstream ports have no ACS, for two guests.
What to do: give the guest the whole group, or separate its members: ACS on the ports that the notes name, or
another slot.
Source: Linux drivers/iommu/iommu.c, pci_device_group and iommu_device_claim_dma_owner; drivers/pci/pci.c,
pci_acs_enabled; Xen xen/drivers/passthrough/pci.c, iommu_get_device_group (no groups on Arm).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.passthrough.dom0_device_in_group import role_of
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, called, chain, device_place, reason_places, wish_place, wishes
from rootplex.known.kernels import profile
from rootplex.simulator.groups.grouping import Group
from rootplex.simulator.groups.guests import Neighbour
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0504",
    name="group-not-whole",
    level=Level.ERROR,
    needs="simulation",
    covers=("LNX-48", "LNX-49", "LNX-51", "LNX-54", "LNX-60", "XP-55", "XP-56", "XP-57"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """One finding a guest and group: what of the group the guest does not get."""
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
            yield RULE.finding(
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
