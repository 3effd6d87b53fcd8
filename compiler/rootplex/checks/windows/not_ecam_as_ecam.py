"""not-ecam-as-ecam

What it finds: a bridge that is described as windowed, with special cases, or with restricted access sizes,
and whose compatible string says that it is plain ECAM (or CAM).
Why it matters: the kernel's generic driver and Xen believe the string, map the window and access it freely;
they have no way to learn of the quirk. A register window is then read as if it were devices.
Example: `config: {kind: windowed, base: 0xfd50_0000, size: 64KiB, compatible: pci-host-ecam-generic}`.
What to do: write the vendor's own compatible string, for which the kernel has a driver.
Source: Linux drivers/pci/controller/pci-host-generic.c, gen_pci_of_match; Xen
xen/arch/arm/pci/pci-host-generic.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.devicetree import GENERIC
from rootplex.model.bridge import ConfigSpace
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0118",
    name="not-ecam-as-ecam",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-57", "XP-61"),
)

PLAIN = frozenset(GENERIC.values())
ALL_SIZES = {1, 2, 4}


def check(facts: Facts) -> Iterator[Finding]:
    """Described bridges with a quirk whose node says that they have none."""
    described = facts.described_bridges
    nodes = {each.name: each.dt for each in facts.bridges if each.dt is not None}
    for bridge in described:
        node, quirk = nodes.get(bridge.name), _quirk(bridge.config)
        if node is None or quirk is None or not node.enabled or not PLAIN.intersection(node.compatible):
            continue
        yield RULE.finding(
            node.place("compatible"),
            f"'{bridge.name}' {quirk}, and its compatible says that it is plain",
            related=[(bridge.config.at("kind"), "how its configuration space is reached")],
            help="write the compatible string of the vendor's own driver",
            subject=bridge.name,
        )


def _quirk(config: ConfigSpace) -> str | None:
    """What is not plain, in words; None where nothing is."""
    if config.kind == "windowed":
        return "is reached through a register window"
    if config.kind == "quirk":
        return "has special cases in its configuration space"
    for sizes in (config.sizes, config.sizes_root_bus):
        if sizes is not None and not set(sizes) >= ALL_SIZES:
            return "does not take every access size"
    return None
