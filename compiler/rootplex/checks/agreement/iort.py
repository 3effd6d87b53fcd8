"""What the device tree and IORT say of what a bridge's devices send, and of an SMMU's own messages."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import takes_iort
from rootplex.checks.agreement._sides import blamed_side, both
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.ids._own_messages import by_device_tree, by_iort
from rootplex.readers.acpi.iort_facts import RootComplex
from rootplex.readers.acpi.iort_ids import root_complex
from rootplex.source.finding import Finding, Level


@check("RPX0808", Level.ERROR)
def coherence_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: DMA that is coherent by one of `dma-coherent`, `_CCA` and IORT's root complex, and not
    by another.
    Why it matters: with the wrong word the kernel leaves out cache maintenance that is needed: data is lost
    without a message.
    Example: `dma-coherent` in the tree and `_CCA` 0.
    What to do: say what the hardware does.
    Source: Linux drivers/of/address.c, of_dma_is_coherent, and drivers/acpi/scan.c, acpi_get_dma_attr; Arm
    DEN0049 E.f §3.1.1.2.
    Sources that prove it: device tree and ACPI of one board; tables among themselves.
    """
    iort = facts.tables.iort
    for joined in facts.bridges:
        acpi = joined.acpi
        cca = None if acpi is None or not acpi.is_on else acpi.cca.known
        if acpi is None or cca is None or not takes_iort(facts):
            continue
        table = (acpi.cca.place, f"_CCA is {cca}")
        dt = joined.dt
        if dt is not None and dt.is_on and bool(dt.dma_coherent) != bool(cca):
            word = "coherent" if dt.dma_coherent else "not coherent"
            at, related = blamed_side(
                facts, joined, "dma_coherent", (dt.place(), f"{word} by device tree"), table
            )
            yield coherence_differs.rule.finding(
                at,
                f"DMA of {joined.name} is {word} by device tree, and _CCA is {cca}",
                related=related,
                help="say what the hardware does",
                subject=joined.name,
            )
        segment = acpi.segment
        node = None if iort is None or segment is None else root_complex(iort, segment)
        if iort is None or node is None or not isinstance(node.data, RootComplex):
            continue
        if bool(node.data.cache_coherency & 1) != bool(cca):
            yield coherence_differs.rule.finding(
                iort.place(node, "cache_coherency"),
                f"IORT has coherency {node.data.cache_coherency} for {joined.name}, _CCA is {cca}",
                related=[table],
                help="say what the hardware does",
                subject=joined.name,
            )


@check("RPX0809", Level.WARNING)
def ats_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: ATS that one of `ats-supported` and IORT's root complex allows and the other does not.
    Why it matters: devices translate addresses themselves, or not, by how the machine was booted.
    Example: `ats-supported` in the tree, ATS attribute 0.
    What to do: say what the root complex does.
    Source: Linux drivers/iommu/of_iommu.c, of_pci_check_device_ats, and drivers/acpi/arm64/iort.c,
    iort_pci_rc_supports_ats.
    Sources that prove it: device tree and ACPI of one board.
    """
    # Only where both translate it.
    iort = facts.tables.iort
    for joined, dt, acpi in both(facts):
        segment = acpi.segment
        node = None if iort is None or segment is None else root_complex(iort, segment)
        if iort is None or node is None or not isinstance(node.data, RootComplex) or dt.iommu_map is None:
            continue
        allowed = bool(node.data.ats_attribute & 1)
        if allowed == dt.ats_supported:
            continue
        at, related = blamed_side(
            facts,
            joined,
            "iommu",
            (dt.place("ats-supported" if dt.ats_supported else None), "by device tree"),
            (iort.place(node, "ats_attribute"), f"the attribute is {node.data.ats_attribute}"),
        )
        yield ats_differs.rule.finding(
            at,
            f"ATS of {joined.name} is {'off' if allowed else 'on'} by device tree and "
            f"{'on' if allowed else 'off'} by IORT",
            related=related,
            help="say what the root complex does",
            subject=joined.name,
        )


@check("RPX0814", Level.ERROR)
def own_device_id_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: an SMMUv3 whose own messages have one DeviceID by `msi-parent` and another by IORT.
    Why it matters: the unit sends one of the two. With the other one the ITS drops its messages: faults are
    not reported, and waits for its queues time out.
    Example: `msi-parent = <&its 0x10000>` at the SMMU, and output base 0 in the mapping of its own
    interrupts.
    What to do: give both firmwares the DeviceID that the unit is wired to.
    Source: Arm DEN0049 E.f §3.1.1.2 (DeviceID mapping index); Linux drivers/acpi/arm64/iort.c,
    iort_get_id_mapping_index, and drivers/irqchip/irq-gic-v3-its-platform-msi.c, of_pmsi_get_dev_id.
    Sources that prove it: device tree and ACPI of one board.
    """
    tree = {own.unit: own for own in by_device_tree(facts)}
    for own in by_iort(facts):
        other = tree.get(own.unit)
        if other is None or other.id == own.id:
            continue
        yield own_device_id_differs.rule.finding(
            own.at,
            f"the SMMU at {own.unit:#x} sends its own messages with DeviceID {own.id:#x} by IORT and "
            f"{other.id:#x} by device tree",
            related=[(other.at, "by device tree")],
            help="give both the DeviceID that the unit is wired to",
            subject=f"{own.unit:#x}",
        )
