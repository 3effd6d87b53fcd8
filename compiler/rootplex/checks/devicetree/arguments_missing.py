"""arguments-missing

What it finds: a reference in `msi-parent` of an enabled bridge, or of an SMMU that one is mapped to, with
fewer cells behind it than its target asks for (`#msi-cells`).
Why it matters: the kernel refuses the property at that entry (-EINVAL): for a bridge no MSI domain is found,
and every function behind it falls back to INTx.
Example: `msi-parent = <&its>` at an ITS with `#msi-cells = <1>`.
What to do: write the argument (`<&its 0>`; an ITS takes the requester id as it is), or `msi-map`.
Source: Devicetree Specification 0.4 §2.3.13; Linux drivers/of/base.c, of_phandle_iterator_next, and
drivers/of/irq.c, of_msi_get_domain; dtc's check msi_parent_property.
Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import map_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.phandles import PhandleRef, phandle_refs
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0620",
    name="arguments-missing",
    level=Level.ERROR,
    needs="artifacts",
    covers=("LNX-25",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges whose `msi-parent` ends too early, then IOMMUs."""
    units: dict[str, str] = {}
    for bridge in enabled_bridges(facts):
        name = name_of(facts, bridge.path)
        for reference in bridge.msi_parent:
            if reference.lacking:
                yield _finding(facts, f"'{name}'", reference, bridge, name)
        for entry in () if bridge.iommu_map is None else bridge.iommu_map.entries:
            if entry.target is not None:
                units.setdefault(entry.target, name)
    for path in units:
        assert facts.dt is not None
        unit = facts.dt.tree.by_path[path]
        for reference in phandle_refs(facts.dt.tree, unit, "msi-parent", "#msi-cells"):
            if reference.lacking:
                yield _finding(facts, path, reference)


def _finding(
    facts: Facts,
    whose: str,
    reference: PhandleRef,
    bridge: DtHostBridge | None = None,
    name: str | None = None,
) -> Finding:
    assert facts.dt is not None
    assert reference.target is not None
    tree = facts.dt.tree
    has = len(reference.arguments)
    needs = has + reference.lacking
    idle = bridge is not None and bridge.msi_map is not None
    lost = "no function behind it has MSIs" if bridge is not None else "it goes without MSIs of its own"
    if idle:
        lost = "msi-map counts first, and this only for what that leaves out"
    return RULE.finding(
        reference.place,
        f"msi-parent of {whose} has {has} of the {needs} cells that {reference.target} asks for",
        level=Level.ERROR if bridge is not None and not idle else Level.WARNING,
        related=[(tree.place(reference.target, "#msi-cells"), f"#msi-cells is {needs} here")],
        notes=["the kernel refuses such a reference (-EINVAL)", lost],
        help="write the argument, 0 for an ITS, or an msi-map",
        subject=name,
        about=() if name is None else (name, map_of(name, "msi-map")),
    )
