"""dma-range-not-passed

What it finds: an entry of `dma-ranges`, the bridge's own or the one of a bus that holds for it, that the
`dma-ranges` of a bus above do not pass: not at all (an error), or not to its end (a warning).
Why it matters: the kernel translates the first address through all buses. Where that fails it drops the
entry, and that memory is never used for DMA; where all fail, it takes DMA for unlimited. It does not look at
the end: buffers beyond what the bus above passes are lost.
Example: `dma-ranges` of 4 GiB below a bus whose own are of 1 GiB.
What to do: name on each level what the level above passes; buses without `dma-ranges`, or with empty ones,
pass all of it.
Source: Linux drivers/of/address.c, of_dma_get_range and of_translate_dma_address; Devicetree Specification
0.4, §2.3.9. Sources that prove it: device tree.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.inbound import Unpassed, unpassed
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0630",
    name="dma-range-not-passed",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0601",),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge once, at the first entry that is cut."""
    if facts.dt is None:
        return
    for bridge in enabled_bridges(facts):
        cut = next(unpassed(facts.dt.tree, bridge.node), None)
        if cut is not None:
            yield _finding(facts, name_of(facts, bridge.path), cut)


def _finding(facts: Facts, name: str, cut: Unpassed) -> Finding:
    assert facts.dt is not None
    last = cut.address + cut.size - 1
    property = property_of(name, "dma-ranges")
    text = f"the dma-range of '{name}' to {cut.address:#x}-{last:#x} is not passed by {cut.bus.path}"
    note = "the kernel drops it: memory there is not used for DMA"
    if cut.passed:
        text += f" beyond {cut.address + cut.passed - 1:#x}"
        note = "the kernel does not look at its end, and hands out what is beyond, too"
    return RULE.finding(
        cut.place,
        text,
        level=Level.WARNING if cut.passed else Level.ERROR,
        related=[(facts.dt.tree.place(cut.bus, "dma-ranges"), "this is what passes there")],
        notes=[note],
        help="name on each level what the level above passes",
        subject=name,
        about=(property,),
        rests_on=(property, cut.bus.path),
    )
