"""phantom-unknown

What it finds: a device that sends requests in another requester id's name, which Xen does not know: Linux
knows such devices by their ids, Xen does not. An error where a guest is to have the device, or the platform
boots from it.
Why it matters: the IOMMU has no entry for that id and stops the requests; the device seems dead.
Example: a Marvell SATA controller, 1b4b:9172, which also uses the id of its function 1, and is a guest's.
What to do: put `pci-phantom=` on Xen's command line, which `xen.pci_phantom` says is there; or, where the id
is a real function's, give that to the same guest.
Source: Xen xen/drivers/passthrough/pci.c, parse_phantom_dev and alloc_pdev; Linux drivers/pci/quirks.c,
quirk_dma_func1_alias.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rootplex.checks.facts import Facts
from rootplex.checks.phantoms import phantom_stride, unknown_ids
from rootplex.checks.rule import Rule
from rootplex.checks.simulated import booted, called, device_place, lives, wish_place, wishes, xen_of
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0915",
    name="phantom-unknown",
    level=Level.WARNING,
    needs="simulation",
    only="xen",
    requires=("RPX0901", "RPX0902", "RPX0904"),
)

MANY = 4


def check(facts: Facts) -> Iterator[Finding]:
    """Every function behind an IOMMU that Xen drives."""
    outcome = booted(facts)
    if not outcome.settings.iommu or not lives(facts):
        return
    core = xen_of(facts).core
    wished = {function: guest for guest, view in wishes(facts) for function in view.functions}
    for function in outcome.dom0.functions:
        record = core.records.find(function.segment, function.bus.number, function.devfn)
        if record is None or outcome.streams[function].unit is None:
            continue
        unknown = unknown_ids(core, record, function)
        if not unknown:
            continue
        guest = wished.get(function)
        whose = "" if guest is None else f", which guest {guest.name} is to have,"
        needed = guest is not None or function.page == outcome.settings.boot
        place = device_place(facts, function, "aliases")
        yield RULE.finding(
            place if guest is None else wish_place(facts, guest, function),
            f"{called(facts, function)}{whose} also uses {_ids(function, unknown)}, which Xen does not know",
            level=Level.ERROR if needed else None,
            related=[] if guest is None else [(place, "it is described here")],
            notes=_notes(function),
            help=_help(facts, function, unknown),
            subject=facts.device_name(function),
        )


def _ids(function: Function, unknown: Sequence[int]) -> str:
    bus = function.bus.number << 8
    names = ", ".join(f"{bus | devfn:#06x}" for devfn in unknown[:MANY])
    more = f" and {len(unknown) - MANY} more" if len(unknown) > MANY else ""
    return f"the requester id{'s' if len(unknown) > 1 else ''} {names}{more}"


def _notes(function: Function) -> list[str]:
    known = [f"Linux knows it by its id {function.id}"] if "alias" in function.known_by_id else []
    return [*known, "the IOMMU stops its requests in that name"]


def _help(facts: Facts, function: Function, unknown: Sequence[int]) -> str:
    real = [other for devfn in unknown if (other := function.bus.at(devfn)) is not None]
    if real:
        return f"leave it with {called(facts, real[0])}, whose id that is: both to one guest, or both to Dom0"
    stride = phantom_stride(function)
    if stride:
        slot = f"{function.segment:04x}:{function.bus.number:02x}:{function.devfn >> 3:02x},{stride}"
        return f"put pci-phantom={slot} on Xen's command line, and '{slot}' into xen.pci_phantom"
    return "no option has Xen know these ids: use another device, or leave its host bridge without an IOMMU"
