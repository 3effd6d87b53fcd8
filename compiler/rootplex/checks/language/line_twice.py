"""line-twice

What it finds: an interrupt line of the GIC that two things have which cannot share one: INTx of a host bridge
and an SMMU's, the range that a GICv2m frame gives out and either of them, or another frame's; also two lines
of an SMMUv3, or of two, that its driver asks for: all but `cmdq_sync`.
Why it matters: INTx is level, an SMMU's and a message's interrupt is an edge: one line has one type, so the
second to ask for it gets an error (-EBUSY for an SMMUv3's), or loses interrupts. Lines of several bridges'
INTx may be shared.
Example: `intx: {irqs: [3, 4, 5, 6]}` beside `interrupts: {eventq: 4}` of the SMMU.
What to do: look both up in the SoC's interrupt map; a number is the SPI, without the 32.
Source: Arm IHI0070 §3.18 (an SMMUv3's wired interrupts are edges); Linux kernel/irq/irqdomain.c,
irq_create_fwspec_mapping ("type mismatch"); drivers/irqchip/irq-gic-v2m.c, gicv2m_init_one;
drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_setup_unique_irqs.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.controllers import GicV2, GicV2m, GicV3, SmmuV2, SmmuV3
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(code="RPX0028", name="line-twice", level=Level.ERROR, needs="description")

FIRST_SPI = 32
SMMU_LINES = ("eventq", "priq", "cmdq_sync", "gerror")


class Claim(Struct, frozen=True):
    """SPIs `first` to `last`, what has them, and its kind: two of one kind may share, but for those that want
    a line `alone`."""

    first: int
    last: int
    kind: str
    what: str
    subject: str
    at: Place
    alone: bool = False

    def shares(self, other: Claim) -> bool:
        """Whether the two may have one line."""
        return self.kind == other.kind and not (self.alone and other.alone)


def check(facts: Facts) -> Iterator[Finding]:
    """Each claim with the first earlier one of another kind that has its line; of the same two once."""
    seen: list[Claim] = []
    found: dict[tuple[str, str, str], list[tuple[int, Claim, Claim]]] = {}
    for claim in _claims(facts.platform):
        meeting = (each for each in seen if each.first <= claim.last and claim.first <= each.last)
        other = next((each for each in meeting if not claim.shares(each)), None)
        seen.append(claim)
        if other is not None:
            line = max(claim.first, other.first)
            found.setdefault((claim.kind, claim.subject, other.subject), []).append((line, claim, other))
    for (line, claim, other), *more in found.values():
        yield RULE.finding(
            claim.at,
            f"SPI {line} is {claim.what}, and {other.what}",
            related=[(other.at, f"{other.what} is here")],
            notes=[f"SPI {number} is {mine.what}, and {its.what}" for number, mine, its in more],
            help="give each a line of its own",
            subject=claim.subject,
        )


def _claims(platform: Platform) -> Iterator[Claim]:
    for unit in platform.iommus:
        if isinstance(unit, SmmuV3) and unit.enabled:
            lines = ((name, getattr(unit, name)) for name in SMMU_LINES)
            for name, line in lines:
                if line is not None:
                    at = unit.at(f"interrupts.{name}")
                    what, alone = f"{name} of '{unit.name}'", name != "cmdq_sync"
                    yield Claim(line, line, "smmu", what, unit.name, at, alone)
        elif isinstance(unit, SmmuV2) and unit.enabled:
            for line in unit.interrupts:
                at = unit.at("interrupts")
                yield Claim(line, line, "smmu", f"an interrupt of '{unit.name}'", unit.name, at)
    for frame in platform.msi_controllers:
        if isinstance(frame, GicV2m) and frame.enabled:
            first = frame.spi_base - FIRST_SPI
            what = f"in the range of '{frame.name}'"
            at = frame.at("spi_base")
            yield Claim(first, first + frame.spi_count - 1, "frame", what, frame.name, at, alone=True)
    gics = {each.name for each in platform.interrupt_controllers if isinstance(each, GicV3 | GicV2)}
    for bridge in platform.host_bridges:
        intx = bridge.intx
        if intx is None or intx.controller not in gics or not bridge.enabled:
            continue
        for index, line in enumerate(intx.irqs or ()):
            what = f"INT{'ABCD'[index % 4]} of '{bridge.name}'"
            yield Claim(line, line, "intx", what, bridge.name, intx.at(f"irqs.{index}"))
        for entry in intx.map or ():
            what = f"INT{entry.pin} of '{bridge.name}'"
            yield Claim(entry.irq, entry.irq, "intx", what, bridge.name, entry.at("irq"))
