"""virtual-apart

What it finds: a physical function that a guest is to have while its virtual functions are switched on; an
error where one of them is to be a guest's.
Why it matters: the driver of the physical function switches its virtual functions on. The host's driver lets
go of a function that a guest is given, and the virtual ones are gone; the guest that has it could also turn
them off, or see what they do.
Example: guests `a: [nic]` and `b: [nic.vf0]`.
What to do: leave the physical function in the host, and give virtual ones away; or switch none on
(`sriov.enabled`).
Source: PCI Express Base 6.0 §9.1 (the PF manages its VFs); Linux drivers/vfio/pci/vfio_pci_core.c,
vfio_pci_core_sriov_configure and vfio_pci_validate_vf_token; Linux drivers/pci/iov.c, sriov_disable.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import called, device_place, wish_place, wishes
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0516",
    name="virtual-apart",
    level=Level.WARNING,
    needs="simulation",
    requires=("RPX0512",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each physical function that a guest is to have, once."""
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
        yield RULE.finding(
            wish_place(facts, guest, function),
            message,
            level=Level.ERROR if given else None,
            related=related,
            notes=("when the host lets go of a physical function, its virtual ones are gone",),
            help=f"leave {name} in {facts.host} and give virtual functions away, or write 'enabled: 0'",
            subject=name,
        )
