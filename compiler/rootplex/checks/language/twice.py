"""What cannot be twice: names, functions, registers, interrupt lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from rootplex.checks.areas import IO_APIC_SIZE, VTD_SIZE
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.pci import devfn_text
from rootplex.model.controllers import (
    Controller,
    DtNode,
    GicV2,
    GicV2m,
    GicV3,
    IntelVtd,
    IoApic,
    Its,
    RidIommu,
    RiscvIommu,
    SmmuV2,
    SmmuV3,
)
from rootplex.model.device import Device
from rootplex.model.part import Part
from rootplex.model.platform import Expect, Platform
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0008", Level.ERROR, needs="description")
def duplicate_name(facts: Facts) -> Iterator[Finding]:
    """What it finds: one name for two things; a device that stands twice among the groups of `expect`.
    Why it matters: a reference by that name could mean either; a device is in one group, and once.
    Example: two host bridges named `main`.
    What to do: rename one of them; every named thing of a file shares one space of names.
    Source: the platform language, version 1 (`rootplex schema`).
    """
    seen: dict[str, Part] = {}
    for name, part in _named(facts.platform):
        first = seen.setdefault(name, part)
        if name and first is not part:
            yield duplicate_name.rule.finding(
                part.at("name"),
                f"the name '{name}' is already taken",
                related=[(first.at("name"), "first used here")],
                help="give one of the two another name",
                subject=name,
            )
    for expect in (facts.platform.expect, *(each.expect for each in facts.platform.expect.when)):
        yield from _grouped_twice(expect)


def _grouped_twice(expect: Expect) -> Iterator[Finding]:
    """`expect.groups` is a partition: a name in it twice cannot hold."""
    first: dict[str, Place] = {}
    for i, names in enumerate(expect.groups or ()):
        for j, name in enumerate(names):
            place = expect.at(f"groups.{i}.{j}")
            if first.setdefault(name, place) is not place:
                yield duplicate_name.rule.finding(
                    place,
                    f"{name} already stands in one of these groups",
                    related=[(first[name], "first named here")],
                    help="name each device in one group, once",
                    subject=name,
                )


def _named(platform: Platform) -> Iterator[tuple[str, Part]]:
    for each in (
        *platform.interrupt_controllers,
        *platform.msi_controllers,
        *platform.iommus,
        *platform.host_bridges,
    ):
        yield each.name, each
    for _, device in platform.walk():
        if device.name is not None:
            yield device.name, device
    for guest in platform.xen.guests:
        yield guest.name, guest


@check("RPX0020", Level.ERROR, needs="description")
def duplicate_function(facts: Facts) -> Iterator[Finding]:
    """What it finds: two functions with one device and function number on one bus.
    Why it matters: both would answer the same configuration access.
    Example: two devices with `dev: 1` below one root bus and no `fn`.
    What to do: give one of them another `dev` or `fn`.
    Source: PCI Express Base 6.0 §2.2.4.2.
    """
    for bridge in facts.platform.host_bridges:
        yield from _on_bus(bridge.devices)
        for device in bridge.walk():
            if device.devices:
                yield from _on_bus(device.devices)


def _on_bus(devices: Iterable[Device]) -> Iterator[Finding]:
    seen: dict[int, Device] = {}
    for device in devices:
        if not device.wrote("dev"):
            continue  # the key is missing, and that was said
        first = seen.setdefault(device.devfn, device)
        if first is not device:
            yield duplicate_function.rule.finding(
                device.at("dev"),
                f"{device.label} has the number of {first.label}, {devfn_text(device.devfn)}",
                related=[(first.at("dev"), "taken here")],
                help="give one of the two another 'dev' or 'fn'",
                subject=device.name,
            )


Block = tuple[int, int, Controller, Place]
"""First and last address of a register block, whose it is, and where it is written."""


@check("RPX0027", Level.ERROR, needs="description")
def controllers_overlap(facts: Facts) -> Iterator[Finding]:
    """What it finds: two controllers of a description whose register blocks overlap: of one kind or of two.
    Two VT-d units of different segments at one base have a finding of their own.
    Why it matters: there is one set of registers at an address: the second driver to come does not get it
    (-EBUSY), or both set up one unit, each over the other's tables.
    Example: two entries `{kind: intel-vtd, base: 0xfed9_0000}`.
    What to do: give each unit its own registers, or describe one unit and let both bridges name it.
    Source: Linux drivers/iommu/intel/dmar.c, map_iommu; drivers/irqchip/irq-gic-v3-its.c, its_probe_one;
    Intel VT-d specification 4.1 §8.3.
    """
    # Each block with the first one before it that it meets; a built-in IOMMU goes where one is described.
    platform = facts.platform
    everything = (*platform.interrupt_controllers, *platform.msi_controllers, *platform.iommus)
    seen: list[Block] = []
    for controller in everything:
        if not controller.enabled or (controller.built_in and controller in platform.iommus):
            continue
        for block in _blocks(controller):
            low, high, _, at = block
            others = (each for each in seen if each[0] <= high and low <= each[1])
            other = next((each for each in others if not _takes_messages_too(platform, block, each)), None)
            if other is not None and not _told_by_dmar(controller, other[2]):
                yield controllers_overlap.rule.finding(
                    at,
                    f"the registers of '{controller.name}' at {low:#x}-{high:#x} overlap '{other[2].name}'",
                    related=[(other[3], f"{other[2].name} is at {other[0]:#x}-{other[1]:#x}")],
                    help="give each its own, or let both users name one controller",
                    subject=controller.name,
                )
                break
        seen += _blocks(controller)


def _takes_messages_too(platform: Platform, block: Block, other: Block) -> bool:
    """Whether two blocks are one GIC's, of its distributor: a GICv3 with `mbi-ranges` is an MSI controller
    by itself (Linux drivers/irqchip/irq-gic-v3-mbi.c, mbi_init)."""
    same = block[:2] == other[:2] and block[2] in platform.msi_controllers
    return same and isinstance(block[2], DtNode) and other[2] in platform.interrupt_controllers


def _told_by_dmar(unit: Controller, other: Controller) -> bool:
    return isinstance(unit, IntelVtd) and isinstance(other, IntelVtd) and unit.segment != other.segment


def _blocks(controller: Controller) -> list[Block]:
    def block(base: int, size: int, key: str) -> Block:
        return base, base + size - 1, controller, controller.at(key)

    match controller:
        case GicV3(distributor=first, redistributors=other):
            return [
                block(first.base, first.size, "distributor"),
                block(other.base, other.size, "redistributors"),
            ]
        case GicV2(distributor=first, cpu_interface=other):
            return [
                block(first.base, first.size, "distributor"),
                block(other.base, other.size, "cpu_interface"),
            ]
        case IoApic(base=base):
            return [block(base, IO_APIC_SIZE, "base")]
        case RidIommu(base=base):
            return [block(base, VTD_SIZE, "base")]
        case Its(base=base, size=size) | GicV2m(base=base, size=size):
            return [block(base, size, "base")]
        case SmmuV3(base=base, size=size) | SmmuV2(base=base, size=size):
            return [block(base, size, "base")]
        case RiscvIommu(base=int(base), size=size, parent=None):
            return [block(base, size, "base")]
        case DtNode(base=int(base), size=int(size), parent=None) if size:
            return [block(base, size, "base")]
    return []


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


@check("RPX0028", Level.ERROR, needs="description")
def line_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: an interrupt line of the GIC that two things have which cannot share one: INTx of a host
    bridge and an SMMU's, the range that a GICv2m frame gives out and either of them, or another frame's; also
    two lines of an SMMUv3, or of two, that its driver asks for: all but `cmdq_sync`.
    Why it matters: INTx is level, an SMMU's and a message's interrupt is an edge: one line has one type, so
    the second to ask for it gets an error (-EBUSY for an SMMUv3's), or loses interrupts. Lines of several
    bridges' INTx may be shared.
    Example: `intx: {irqs: [3, 4, 5, 6]}` beside `interrupts: {eventq: 4}` of the SMMU.
    What to do: look both up in the SoC's interrupt map; a number is the SPI, without the 32.
    Source: Arm IHI0070 §3.18 (an SMMUv3's wired interrupts are edges); Linux kernel/irq/irqdomain.c,
    irq_create_fwspec_mapping ("type mismatch"); drivers/irqchip/irq-gic-v2m.c, gicv2m_init_one;
    drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_setup_unique_irqs.
    """
    # Each claim with the first earlier one of another kind that has its line; of the same two once.
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
        yield line_twice.rule.finding(
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
