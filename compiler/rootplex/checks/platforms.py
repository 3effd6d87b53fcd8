"""For which platforms a check holds."""

from __future__ import annotations

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Platforms


def xen_probes(facts: Facts) -> bool:
    """Whether the rules of today's Arm port of Xen hold, which probes the tree's bridges itself: only where
    the description asks for it."""
    described = facts.described
    if facts.hypervisor is None:
        return False
    return described is not None and described.arch == "arm64" and described.xen.discovery == "xen"


def is_among(facts: Facts, platforms: Platforms | None) -> bool:
    """Whether the platform is one of those that a check holds for."""
    match platforms:
        case None:
            return True
        case "x86":
            return facts.arch == "x86_64"
        case "xen":
            return facts.hypervisor == "xen"
        case "x86-xen":
            return facts.hypervisor == "xen" and facts.arch == "x86_64"
        case "arm-32-xen":
            return facts.hypervisor == "xen" and is_among(facts, "arm-32")
        case "arm-32":
            return facts.described is not None and facts.described.arch == "arm"
        case "xen-probes":
            return xen_probes(facts)
        case "undescribed":
            return facts.described is None
        case "aml":
            return facts.acpi is None or facts.acpi.namespace.has_aml
        case "numbered-here":
            return facts.dt is None or facts.dt.platform.foreign is None
