"""smmu-line-twice

What it finds: two lines of enabled SMMUv3s in a given tree, `eventq`, `priq` or `gerror`, with one interrupt.
Why it matters: the driver asks for each alone: the second gets -EBUSY and a line in the log, and what it
would tell of (faults, page requests, errors of the unit) is never heard.
Example: `interrupts = <0 40 1>, <0 40 1>` with `interrupt-names = "eventq", "gerror"`.
What to do: look both up in the SoC's interrupt map. A unit with one line for all is said so by the name
`combined`.
Source: Linux drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_setup_unique_irqs; devicetree binding
iommu/arm,smmu-v3.yaml. Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace

RULE = Rule(
    code="RPX0632",
    name="smmu-line-twice",
    level=Level.WARNING,
    needs="artifacts",
    only="undescribed",
    requires=("RPX0601",),
)

ASKED_FOR = {"eventq", "priq", "gerror"}


def check(facts: Facts) -> Iterator[Finding]:
    """Each line whose interrupt an earlier one has."""
    seen: dict[tuple[int, ...], tuple[str, str, DtPlace]] = {}
    for line, unit, interrupt, at in _lines(facts):
        other = seen.setdefault(interrupt, (line, unit, at))
        if other[2] != at:
            yield RULE.finding(
                at,
                f"{line} of {unit} has the interrupt of {other[0]} of {other[1]}",
                related=[(other[2], "it is named here")],
                notes=[f"its cells are {' '.join(map(str, interrupt[1:]))}"],
                help="give each a line of its own",
                subject=unit,
            )


def _lines(facts: Facts) -> Iterator[tuple[str, str, tuple[int, ...], DtPlace]]:
    """Each line that a driver asks for: its name, its unit, the phandle of its controller and its cells, and
    where they are; `combined` beside them is asked for instead of all."""
    for unit in facts.dt.platform.controllers if facts.dt is not None else ():
        if unit.kind != "smmu-v3" or not unit.enabled or facts.dt is None:
            continue
        node = facts.dt.tree.by_path[unit.path]
        names, cells = node.strings("interrupt-names"), node.cells("interrupts") or ()
        above = (each.u32("interrupt-parent") for each in (node, *node.ancestors()))
        parent = next((each for each in above if each is not None), 0)
        if not names or len(cells) % len(names) or "combined" in names:
            continue
        width = len(cells) // len(names)
        for index, name in enumerate(names):
            if name in ASKED_FOR:
                place = facts.dt.tree.place(node, "interrupts", index * width)
                yield name, unit.path, (parent, *cells[index * width : (index + 1) * width]), place
