"""Host bridges that Dom0 registers with Xen: refused, late, or under another number."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.rule import BYTES
from rootplex.checks.simulated import booted, bridge_place, root_of, xen_of
from rootplex.checks.xen.devices import listed, refused_by_protocol
from rootplex.formats.errno import Errno
from rootplex.report import causes
from rootplex.simulator.function import Function
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check(
    "RPX0903",
    Level.ERROR,
    needs="simulation",
    requires=(BYTES, "RPX0116", "RPX0117", "RPX0209", "RPX0901", "RPX0902"),
)
def bridge_not_up(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge of the firmware that does not come up in Dom0, where no other finding
    speaks of it.
    Why it matters: none of its devices is found.
    Example: two host bridges of one segment that both begin with bus 0 (-EEXIST).
    What to do: follow the note: it is what the kernel would log.
    Source: Linux drivers/pci/probe.c, pci_register_host_bridge; drivers/pci/controller/pci-host-common.c,
    pci_host_common_probe; drivers/acpi/pci_root.c, acpi_pci_root_add.
    """
    # Only those of which no finding tells, by its subject or by its places.
    subjects = {each.subject for each in facts.found}
    places = {at for each in facts.found for at in (each.at, *(other.at for other in each.related))}
    for root in booted(facts).dom0.root_bridges:
        fault = root.fault
        if fault is None:
            continue
        name = facts.name_of(root.path)
        at = facts.source(fault.at)
        if name in subjects or at in places:
            continue
        yield bridge_not_up.rule.finding(
            at,
            f"host bridge {name} does not come up: {causes.fault(root)}",
            related=[] if fault.other is None else [(facts.source(fault.other), "this is in the way")],
            notes=[f"the kernel gives up with {fault.errno}"],
            help="correct what the place shows",
            subject=name,
        )


TOLD_ELSEWHERE = {0, -17, -38}
"""Taken; owned buses (segment-shared); a Xen that does not speak the protocol."""


@check("RPX0907", Level.ERROR, needs="simulation", only="xen", requires=(BYTES, "RPX0901"))
def registration_refused(facts: Facts) -> Iterator[Finding]:
    """What it finds: under the 2017 protocol, a host bridge that Xen does not take: its numbers are none, its
    ECAM has not 1 MiB a bus, or it lies over RAM or another window.
    Why it matters: Xen knows none of the bridge's buses: no traps, and every device there is refused.
    Example: `config: {base: 0x8000_0000}` where RAM is.
    What to do: correct base, size or bus range.
    Source: xen.md §7.2, the protocol discussed in 2017.
    """
    # Bridges that were refused for themselves, unless an error speaks of them already.
    outcome = booted(facts)
    told = {each.subject for each in facts.found if each.level is Level.ERROR}
    discovery = xen_of(facts).discovery
    refusals = () if discovery is None else discovery.refusals
    for root in outcome.dom0.root_bridges:
        name = facts.name_of(root.path)
        if root.registration is None or root.registration in TOLD_ELSEWHERE or name in told:
            continue
        why = [
            causes.refusal(each)
            for each in refusals
            if each.what == "bridge" and (each.segment, each.bus) == (root.segment, root.first_bus)
        ]
        yield registration_refused.rule.finding(
            bridge_place(facts, root, "config"),
            f"Xen does not take the host bridge {name}",
            notes=[*why, f"the result is {root.registration}"],
            help="correct its base, size or bus range",
            subject=name,
        )


@check("RPX0908", Level.WARNING, needs="simulation", only="xen", requires=("RPX0901", "RPX0905"))
def late_registration(facts: Facts) -> Iterator[Finding]:
    """What it finds: under the 2017 protocol, a host bridge that is registered after its configuration space
    has been used.
    Why it matters: traps are set when the bridge is registered; Xen has seen nothing of the accesses before
    that.
    Example: `xen: {dom0: {registers: after-first-device}}`.
    What to do: register every host bridge before it is scanned.
    Source: xen.md §7.2, the protocol discussed in 2017: configuration space that is registered before
    discovery can be trapped.
    """
    outcome = booted(facts)
    discovery = xen_of(facts).discovery
    for made in () if discovery is None else discovery.registrations:
        root = registered_root(outcome.dom0.root_bridges, made.bridge.segment, made.bridge.root.start)
        if not made.is_late or not made.kind.trapped or root is None:
            continue
        name = facts.name_of(root.path)
        yield late_registration.rule.finding(
            registers_place(facts) or bridge_place(facts, root),
            f"{made.untrapped} configuration accesses of {name} go untrapped before it is registered",
            related=[(bridge_place(facts, root, "config"), "its configuration space")],
            notes=[f"after that Xen traps {made.trapped}"],
            help="register host bridges before they are scanned: 'registers: before-scan'",
            subject=name,
        )


def registered_root(roots: list[RootBridge], segment: int, first: int) -> RootBridge | None:
    """Dom0's bridge of a registration."""
    return next((root for root in roots if (root.segment, root.first_bus) == (segment, first)), None)


@check("RPX0906", Level.ERROR, needs="simulation", only="xen", requires=(BYTES, "RPX0901"), covers=("XP-05",))
def segment_shared(facts: Facts) -> Iterator[Finding]:
    """What it finds: under the 2017 protocol, a host bridge that registers buses of a segment that another
    one owns.
    Why it matters: Xen cannot tell whose a device on these buses is; it refuses the bridge (-EEXIST) and such
    devices.
    Example: with ACPI, segment 0 with buses 0-0x3f and segment 0 with buses 0x20-0x5f.
    What to do: give the bridges segments of their own, or disjoint buses.
    Source: xen.md §7.2, the protocol discussed in 2017: a device is named by its segment alone.
    """
    roots = booted(facts).dom0.root_bridges
    shared = [function for function, why in refused_by_protocol(facts).items() if why == "shared-bus"]
    for root in roots:
        if root.registration != -Errno.EEXIST:
            continue
        name = facts.name_of(root.path)
        owner = next((each for each in roots if each.registration == 0 and _overlap(each, root)), None)
        yield segment_shared.rule.finding(
            bridge_place(facts, root, "bus_range"),
            f"{name} registers buses {root.first_bus:#x}-{root.last_bus:#x} of segment {root.segment}, "
            "which another host bridge owns",
            related=[]
            if owner is None
            else [(bridge_place(facts, owner, "bus_range"), f"{facts.name_of(owner.path)} owns them")],
            notes=[f"devices refused: {listed(facts, shared)}"] if shared else [],
            help="give the bridges segments of their own, or disjoint buses",
            subject=name,
        )


def _overlap(one: RootBridge, other: RootBridge) -> bool:
    same = one.segment == other.segment
    return same and one.first_bus <= other.last_bus and other.first_bus <= one.last_bus


@check(
    "RPX0910",
    Level.ERROR,
    needs="simulation",
    only="xen",
    requires=(BYTES, "RPX0205", "RPX0901"),
    covers=("XP-07", "XP-09"),
)
def segments_differ(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge to which Xen and Dom0 give different segments.
    Why it matters: a device that Dom0 reports is another one for Xen, or none at all.
    Example: `discovery: xen`, `pci_passthrough: false` and bridges without `segment`, which Dom0 probes in
    another order.
    What to do: give every host bridge a segment.
    Source: xen.md §7.2, discussed in 2017: Xen and Dom0 must agree on segment numbers; Xen
    xen/arch/arm/domain_build.c, handle_linux_pci_domain.
    """
    outcome = booted(facts)
    for root in outcome.dom0.root_bridges:
        known = xen_of(facts).segment_of(root.path)
        if not root.is_up or known is None or root.segment is None or known == root.segment:
            continue
        name = facts.name_of(root.path)
        yield segments_differ.rule.finding(
            bridge_place(facts, root, "segment"),
            f"{name} is segment {known} in Xen and {root.segment} in Dom0",
            notes=["without linux,pci-domain both number by themselves, each in its own order"],
            help="give every host bridge a segment",
            subject=name,
        )


@check("RPX0905", Level.ERROR, needs="simulation", only="xen", requires=("RPX0901",))
def device_before_bridge(facts: Facts) -> Iterator[Finding]:
    """What it finds: under the 2017 protocol, devices that Dom0 reports before their host bridge is
    registered.
    Why it matters: Xen knows a device by its segment alone until the bridge comes, so it does not know on
    which bridge it is, and refuses it (-ENODEV).
    Example: `xen: {dom0: {registers: after-scan}}`.
    What to do: register every host bridge before it is scanned (`registers: before-scan`).
    Source: xen.md §7.2, the protocol discussed in 2017: a host bridge is registered before its devices.
    """
    # One finding a host bridge that is registered in the end, or one for all where one key says when; the
    # others are told elsewhere.
    outcome = booted(facts)
    at = registers_place(facts)
    early: dict[int, list[Function]] = {}
    for function, why in refused_by_protocol(facts).items():
        root = outcome.dom0.root_bridges[function.root]
        is_inside = root.first_bus <= function.bus.number <= root.effective_end
        if why == "unowned-bus" and root.registration == 0 and is_inside:
            early.setdefault(function.root if at is None else 0, []).append(function)
    for functions in early.values():
        yield _too_early(facts, at, functions)


def _too_early(facts: Facts, at: Place | None, functions: list[Function]) -> Finding:
    roots = {each.root: root_of(facts, each) for each in functions}
    names = [facts.name_of(root.path) for root in roots.values()]
    count = len(functions)
    whose = "a device reaches Xen" if count == 1 else f"{count} devices reach Xen"
    bridges = f"the host bridge {names[0]} is" if len(names) == 1 else f"the host bridges {_list(names)} are"
    when = booted(facts).settings.registers
    return device_before_bridge.rule.finding(
        at or bridge_place(facts, root_of(facts, functions[0])),
        f"{whose} before {bridges} registered",
        related=[
            (bridge_place(facts, root), f"{facts.name_of(root.path)} is registered {when}")
            for root in roots.values()
        ],
        notes=[f"refused: {listed(facts, functions)}"],
        help="register host bridges before they are scanned: 'registers: before-scan'",
        subject=names[0],
        about=names,
    )


def _list(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def registers_place(facts: Facts) -> Place | None:
    """Where the description says when bridges are registered, if it does."""
    described = facts.described
    if described is None or not described.xen.dom0.wrote("registers"):
        return None
    return described.xen.dom0.at("registers")
