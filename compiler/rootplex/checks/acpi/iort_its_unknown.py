"""iort-its-unknown

What it finds: an ITS group of IORT that names an ITS which MADT does not have.
Why it matters: no MSI reaches the devices mapped to it. A machine with a GICv2m frame and no ITS at all (as
QEMU's with a GICv2) uses that, and the mapping says too much.
Example: ITS 3 in IORT, ITS 0 and 1 in MADT.
What to do: name an ITS by its id in MADT.
Source: Arm DEN0049 E.f §3.1.1.3; Linux drivers/acpi/arm64/iort.c, iort_dev_find_its_id and
iort_get_device_domain.
Sources that prove it: IORT with MADT; for a description its `msi_controllers` stand for MADT, which stays the
firmware's.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges_of
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.acpi import IORT_ITS, IORT_ITS_GROUP, size_of
from rootplex.model.controllers import Its
from rootplex.readers.acpi.fields import place_of
from rootplex.readers.acpi.iort_facts import ItsGroup
from rootplex.readers.acpi.madt import Madt
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0748",
    name="iort-its-unknown",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0751",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each id without an ITS."""
    iort = facts.tables.iort
    madt = facts.tables.madt
    known = _known(facts, madt)
    frames = madt is not None and not madt.its and bool(madt.msi_frames)
    if iort is None or known is None:
        return
    for node in iort.nodes:
        for index, id in enumerate(node.data.ids if isinstance(node.data, ItsGroup) else ()):
            if id not in known:
                at = node.offset + size_of(IORT_ITS_GROUP, *(IORT_ITS,) * index)
                yield RULE.finding(
                    place_of(iort.table, at, IORT_ITS, "id"),
                    f"IORT names ITS {id}, which is not there",
                    level=Level.WARNING if frames else Level.ERROR,
                    notes=("the messages go to the GICv2m frame of MADT",) if frames else (_there(known),),
                    help="name an ITS by its id in MADT",
                    about=with_maps(*bridges_of(facts, node)),
                )


def _known(facts: Facts, madt: Madt | None) -> frozenset[int] | None:
    """The ids of all ITSs; None where they cannot be known."""
    if madt is not None:
        return frozenset(its.id for its in madt.its)
    if facts.described is not None:
        return frozenset(each.id for each in facts.described.msi_controllers if isinstance(each, Its))
    return None


def _there(known: frozenset[int]) -> str:
    return f"there are: {', '.join(map(str, sorted(known)))}" if known else "there is none"
