"""assignment-refused

What it finds: a device that Xen refuses to assign to its guest, for a reason that no other finding gives.
Why it matters: the guest starts without it, or not at all.
Example: a device that two guests are to have.
What to do: see the error: -EBUSY: another guest has it; -ENODEV: Xen does not know it; -EOPNOTSUPP: there is
no IOMMU.
Source: Xen xen/drivers/passthrough/pci.c, iommu_do_pci_domctl and assign_device.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES, Rule
from rootplex.checks.simulated import called, wish_place, wishes, xen_of
from rootplex.formats.errno import Errno, name_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0514",
    name="assignment-refused",
    level=Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES, "RPX0402", "RPX0503", "RPX0901", "RPX0904", "RPX0905", "RPX0911", "RPX0913"),
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


def check(facts: Facts) -> Iterator[Finding]:
    """Every assign call that failed; not where the device's own trouble is told already."""
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
            yield RULE.finding(
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
