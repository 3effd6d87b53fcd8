"""Memory that firmware reserves for a guest's device."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted, called, wish_place, wishes
from rootplex.formats.acpi import ScopeType
from rootplex.known.kernels import profile
from rootplex.simulator.firmware.routing.dmar_units import scope_end
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

REQUIRES_DIRECT = (6, 6)
"""The first Linux that asks of every IOMMU, and not of VT-d alone, whether memory must stay mapped."""

_FUNCTIONS = (ScopeType.ENDPOINT, ScopeType.BRIDGE)

DISPLAY, USB = 0x03, 0x0C03
"""Classes whose reserved memory is of no use once their driver has them (device_rmrr_is_relaxable)."""


def reserved(facts: Facts) -> Iterator[tuple[Function, int, int, Place]]:
    """(function, first address, last address, where it is said) of all memory that firmware keeps mapped."""
    outcome = booted(facts)
    functions = outcome.dom0.functions
    acpi = facts.acpi if outcome.settings.arch == "x86_64" else None
    dmar, ivrs = (None, None) if acpi is None else (acpi.dmar, acpi.ivrs)
    if booted(facts).xen is None and profile(outcome.settings.kernel).knows < REQUIRES_DIRECT:
        ivrs = None
    at = {(each.segment, each.bus.number, each.devfn): each for each in functions}
    for rmrr in () if dmar is None else dmar.rmrrs:
        for scope in rmrr.scopes:
            named = scope_end(rmrr.segment, scope, at) if scope.type in _FUNCTIONS else None
            for function in functions if named is not None else ():
                if _is_at_or_below(function, named):
                    yield function, rmrr.base, rmrr.limit, rmrr.place
    for ivmd in () if ivrs is None else ivrs.ivmds:
        for function in functions if ivmd.is_mapped else ():
            if function.segment == ivmd.segment and ivmd.first <= function.rid <= ivmd.last:
                yield function, ivmd.base, ivmd.base + ivmd.size - 1, ivmd.place


def _is_at_or_below(function: Function, named: Function | None) -> bool:
    """Whether a function is the one that is named, or below it (`is_downstream_to_pci_bridge`)."""
    at: Function | None = function
    while at is not None and at is not named:
        at = at.parent
    return at is not None


def is_relaxed(facts: Facts, function: Function) -> bool:
    """Whether Linux hands the function over all the same."""
    intel = facts.acpi is not None and facts.acpi.dmar is not None
    return intel and (function.class_code >> 16 == DISPLAY or function.class_code >> 8 == USB)


@check("RPX0517", Level.ERROR, needs="simulation", only="x86", requires=("RPX0503",))
def reserved_memory(facts: Facts) -> Iterator[Finding]:
    """What it finds: a guest's device for which firmware keeps memory mapped (RMRR of DMAR, IVMD of IVRS). An
    error where Linux itself hands devices over; under Xen a warning.
    Why it matters: the device uses that memory behind the system's back. Linux does not let a guest have such
    a device (behind VT-d, USB controllers and displays excepted); Xen maps the memory into the guest, and
    refuses where it overlaps the guest's own, or where several devices share it, unless that is relaxed.
    Example: a server's storage controller that its management processor reads by DMA.
    What to do: switch off in the firmware what uses the memory; under Xen `rdm =
    "strategy=host,policy=relaxed"`.
    Source: Intel VT-d specification 4.1 §8.4; Linux drivers/iommu/iommu.c, __iommu_device_set_domain
    (`require_direct`), and drivers/iommu/intel/iommu.c, device_rmrr_is_relaxable; Xen
    xen/drivers/passthrough/vtd/iommu.c, intel_iommu_assign_device.
    """
    wished = {function: guest for guest, view in wishes(facts) for function in view.functions}
    xen = booted(facts).xen is not None
    told: set[Function] = set()
    for function, first, last, place in reserved(facts) if wished else ():
        guest = wished.get(function)
        if guest is None or function in told or (not xen and is_relaxed(facts, function)):
            continue
        told.add(function)
        yield reserved_memory.rule.finding(
            wish_place(facts, guest, function),
            f"firmware keeps memory at {first:#x} to {last:#x} mapped for {called(facts, function)}, "
            f"which guest {guest.name} is to have",
            level=Level.WARNING if xen else None,
            related=[(place, "this reserves it")],
            notes=() if xen else ("Linux does not attach such a device to a guest's domain",),
            help="give the guest 'rdm = \"strategy=host,policy=relaxed\"', or switch off what uses the memory"
            if xen
            else "switch off in the firmware what uses the memory, or leave the device to the host",
            subject=facts.device_name(function),
        )
