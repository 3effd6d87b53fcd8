"""cannot-start

What it finds: the device tree of a whole Arm machine that is for Xen (one that QEMU's base machine completes,
or a board's that is held against a description) and lacks what Xen needs before it looks at PCI: memory, a
GIC with the maintenance interrupt and registers that a hypervisor has of it, the timer's four interrupts. A
warning: no PSCI that Xen can call, so that it starts with one processor; a board's tree without memory.
Why it matters: Xen panics. Where memory, the GIC or the timer is not there at all, it does so before its
console is on, and nothing is seen. Linux, on bare metal, needs less, and boots on the same tree.
Example: `base: qemu-virt` with a key `xen` and `platform: {virtualization: false}`.
What to do: say what is there: `maintenance` at a described GIC, `platform: {virtualization: true}` for
QEMU's machine; in a board's tree, the property that the place names.
Source: Xen xen/arch/arm/gic-v3.c, gicv3_dt_init; xen/arch/arm/gic-v2.c, gicv2_dt_init; xen/arch/arm/time.c,
preinit_dt_xen_time and init_dt_xen_time; xen/arch/arm/psci.c, psci_init; xen/common/device-tree/bootfdt.c.
Sources that prove it: device tree; only where a description has a key `xen`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.known.xen import DEFAULT, version
from rootplex.simulator.xen.start import Lack, is_whole, lacks
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0916",
    name="cannot-start",
    level=Level.ERROR,
    needs="artifacts",
    only="xen",
    covers=("XP-63",),
)

_HELP = {
    "memory": "give a node with device_type memory the machine's RAM",
    "interrupt controller": "give the GIC what a hypervisor has of it: its registers and 'maintenance'",
    "timer": "give the timer its four interrupts",
    "psci": "give the tree a PSCI node with method smc",
}
_QEMU = "let QEMU's machine have what a hypervisor needs: 'platform: {virtualization: true}'"
_LOADER = "let the boot loader write the machine's RAM into the tree"


def check(facts: Facts) -> Iterator[Finding]:
    """One finding for each part that is missing."""
    if facts.dt is None or not facts.for_xen or not facts.arch.startswith("arm"):
        return
    if facts.settings is not None and facts.settings.firmware != "dt":
        return
    tree = facts.dt.tree
    if is_whole(tree):
        xen = DEFAULT if facts.settings is None else facts.settings.xen
        yield from (_finding(facts, each) for each in lacks(tree, version(xen)))


def _finding(facts: Facts, lack: Lack) -> Finding:
    described = facts.described
    by_loader = described is None and lack.part == "memory"
    by_qemu = described is not None and not described.virtualization and lack.part != "memory"
    how = "Xen panics" if lack.fatal else "Xen goes on with one processor"
    return RULE.finding(
        lack.at,
        f"Xen does not start: {lack.text}" if lack.fatal else f"Xen starts with one processor: {lack.text}",
        level=Level.ERROR if lack.fatal and not by_loader else Level.WARNING,
        notes=[f"{how} before its console is on" if lack.said is None else f"{how}: {lack.said}"],
        help=_LOADER if by_loader else _QEMU if by_qemu else _HELP[lack.part],
        subject=lack.part,
    )
