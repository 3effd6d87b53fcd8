"""xen-32-bit

What it finds: today's Xen on 32-bit Arm.
Why it matters: it has no PCI at all: every hypercall about PCI answers -ENOSYS.
Example: `platform: {arch: arm}` with `xen: {discovery: xen}`.
What to do: use a 64-bit Xen, or describe the 2017 protocol (`discovery: dom0`).
Source: Xen xen/arch/arm/Kconfig, PCI_PASSTHROUGH (depends on ARM_64).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0912",
    name="xen-32-bit",
    level=Level.ERROR,
    needs="artifacts",
    only="arm-32-xen",
    covers=("XP-54",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """A 32-bit Arm platform that today's Xen is to run."""
    described = facts.platform
    if described.xen.discovery != "xen":
        return
    yield RULE.finding(
        described.xen.at("discovery"),
        "today's Xen has no PCI on 32-bit Arm",
        related=[(described.at("arch"), "the platform is 32-bit")],
        help="use a 64-bit Xen, or set 'discovery: dom0'",
    )
