"""acpi-without-pci

What it finds: today's Xen on Arm booted by ACPI.
Why it matters: it discovers no host bridges from ACPI, takes no streams from IORT for PCI, and a build with
ACPI has no SMMUv3 driver: devices can be reported, and nothing can be done with them.
Example: `xen: {discovery: xen, dom0: {firmware: acpi}}` on arm64.
What to do: boot by device tree, or describe the 2017 protocol (`discovery: dom0`).
Source: Xen xen/arch/arm/pci/pci.c, acpi_pci_init; xen/drivers/passthrough/arm/iommu.c,
iommu_add_pci_sideband_ids; xen/drivers/passthrough/Kconfig, ARM_SMMU_V3.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import EVERYTHING, Rule
from rootplex.checks.simulated import booted
from rootplex.model.controllers import SmmuV3
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0911",
    name="acpi-without-pci",
    level=Level.ERROR,
    needs="simulation",
    only="xen-probes",
    covers=("XP-51", "XP-52"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """An ACPI boot of the Arm port."""
    described = facts.platform
    if booted(facts).settings.firmware != "acpi":
        return
    dom0 = described.xen.dom0
    at = dom0.at("firmware") if dom0.wrote("firmware") else described.xen.at("discovery")
    units = [unit for unit in described.iommus if isinstance(unit, SmmuV3)]
    notes = ["Xen says that ACPI PCI initialisation is not supported, and goes on without"]
    if units:
        notes.append(f"Xen with ACPI has no driver for the SMMUv3 {units[0].name}")
    yield RULE.finding(
        at,
        "today's Xen on Arm has no PCI when it is booted by ACPI",
        related=[(units[0].at("kind"), "needs a Xen without ACPI")] if units else [],
        notes=notes,
        help="boot by device tree, or set 'discovery: dom0'",
        about=(EVERYTHING,),
    )
