"""io-virtualisation-off

What it finds: guests that are to have devices, with today's Xen driving none of the platform's IOMMUs.
Why it matters: Xen runs with I/O virtualisation off and assigns nothing (-EOPNOTSUPP). An SMMU without stage
2 has the same effect.
Example: `discovery: xen` with an IOMMU of kind `dt-node`.
What to do: describe an IOMMU that Xen drives: an SMMU with stage 2, or an IPMMU.
Source: Xen xen/drivers/passthrough/arm/iommu.c, iommu_hardware_setup; xen/drivers/passthrough/arm/smmu-v3.c,
arm_smmu_device_hw_probe; xen/drivers/passthrough/pci.c, iommu_do_pci_domctl.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import EVERYTHING, Rule
from rootplex.checks.simulated import xen_of
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0913",
    name="io-virtualisation-off",
    level=Level.ERROR,
    needs="simulation",
    only="xen-probes",
    requires=("RPX0901", "RPX0911"),
    covers=("XP-38",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """IOMMUs that are wanted and that Xen does not drive."""
    described = facts.platform
    if not described.xen.guests or not described.xen.iommu:
        return
    if xen_of(facts).core.iommu is not None:
        return
    first = described.iommus[0] if described.iommus else None
    yield RULE.finding(
        described.xen.guests[0].at("devices"),
        "guests are to have devices, and Xen drives no IOMMU",
        related=[] if first is None else [(first.at("kind"), f"{first.name} is none that Xen drives")],
        help="describe an SMMU with stage 2 or another IOMMU that Xen has a driver for",
        about=(EVERYTHING,),
    )
