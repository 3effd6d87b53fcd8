"""segment-differs

What it finds: one host bridge with different segments in `linux,pci-domain`, `_SEG` and MCFG.
Why it matters: one sBDF means different devices to Xen, to Dom0 and to the IOMMU, by who reads which.
Example: `linux,pci-domain` 0 where `_SEG` is 2.
What to do: write one number everywhere.
Source: Linux drivers/pci/of.c, of_get_pci_domain_nr, and drivers/acpi/pci_root.c, acpi_pci_root_add; PCI
Firmware 3.3 §4.1.2.
Sources that prove it: device tree and ACPI of one board; tables among themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import field
from rootplex.checks.agreement._sides import blamed_side
from rootplex.checks.causes import with_maps
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0801",
    name="segment-differs",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0201", "RPX0205"),
    covers=("LNX-07", "XP-07"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge that has more than one number."""
    automatic, off = _automatic(facts)
    for joined in facts.bridges:
        acpi = joined.acpi
        if acpi is None or not acpi.is_on:
            continue
        segment = acpi.segment
        if segment is None:
            continue
        number, place = _in_tree(joined.dt, automatic)
        seg = (acpi.seg.place, _seg_text(acpi))
        odd = [entry for entry in joined.mcfg if entry.segment != segment]
        for entry in odd:
            table = (field(entry, "segment"), f"MCFG has {entry.segment}")
            at, other = (seg, table) if number == entry.segment else (table, seg)
            tree = [] if place is None else [(place, f"the device tree has {number}")]
            yield RULE.finding(
                at[0],
                f"{joined.name} is segment {segment} in _SEG and {entry.segment} in MCFG",
                related=[other, *tree],
                help="write one number everywhere",
                subject=joined.name,
                about=with_maps(joined.name),
            )
        if odd or place is None or number == segment:
            continue
        by_order = "" if joined.dt is None or joined.dt.domain is not None else " (by probe order)"
        if off:
            by_order += " once it is enabled"
        at_place, related = blamed_side(
            facts, joined, "segment", (place, f"the device tree has {number}{by_order}"), seg
        )
        yield RULE.finding(
            at_place,
            f"{joined.name} is segment {number}{by_order} by device tree and {segment} by ACPI",
            level=Level.NOTE if off else None,
            related=related,
            help="write one number everywhere",
            subject=joined.name,
            about=with_maps(joined.name),
        )


def _seg_text(bridge: AcpiHostBridge) -> str:
    if bridge.seg.state == "absent":
        return "there is no _SEG: segment 0"
    return f"_SEG has {bridge.seg.value}"


def _in_tree(bridge: DtHostBridge | None, automatic: dict[str, int]) -> tuple[int | None, Place | None]:
    """The number of an enabled bridge of the tree, and where it says so."""
    if bridge is None or bridge.path not in automatic:
        return None, None
    if bridge.domain is not None:
        return bridge.domain & 0xFFFF, bridge.place("linux,pci-domain")
    return automatic[bridge.path], bridge.place()


def _automatic(facts: Facts) -> tuple[dict[str, int], bool]:
    """Numbers of the enabled bridges, those without one in document order (linux.md §1.2, the new
    scheme). Where all are disabled, a boot loader enables them: then those count that ACPI has too (True)."""
    every = facts.dt_bridges
    on = {bridge.path for bridge in every if bridge.is_on}
    off = not on
    if off:
        on = {each.dt.path for each in facts.bridges if each.dt is not None and each.acpi is not None}
    taken = {bridge.domain & 0xFFFF for bridge in every if bridge.domain is not None}
    found: dict[str, int] = {}
    for bridge in every:
        if bridge.path in on and bridge.domain is not None:
            found[bridge.path] = bridge.domain & 0xFFFF
        elif bridge.path in on:
            found[bridge.path] = next(number for number in range(1 << 17) if number not in taken)
            taken.add(found[bridge.path])
    return found, off
