"""Segment numbers that are too wide, taken, missing or left to chance."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.disjoint import segment_apart
from rootplex.checks.facts import Facts
from rootplex.checks.platforms import xen_probes
from rootplex.readers.buses import ALL_BUSES
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.simulator.linux.domains import NewScheme
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

WIDTH = 0xFFFF


@check("RPX0204", Level.ERROR, requires=("RPX0734",), covers=("LNX-03", "XP-04"))
def segment_too_wide(facts: Facts) -> Iterator[Finding]:
    """What it finds: a segment number beyond 0xffff: `linux,pci-domain` or `_SEG`.
    Why it matters: Linux and Xen cut it to 16 bits without a word, so that 0x10000 becomes segment 0 and
    clashes with the real one.
    Example: `dt: {properties: {"linux,pci-domain": 0x10000}}`.
    What to do: write a number from 0 to 0xffff.
    Source: Linux drivers/pci/of.c, of_get_pci_domain_nr, and drivers/acpi/pci_root.c, acpi_pci_root_add; Xen
    xen/common/device-tree/device-tree.c, dt_get_pci_domain_nr.
    Sources that prove it: device tree, DSDT and SSDT.
    """
    # Numbers of disabled bridges are reserved like any other.
    found: list[tuple[str, int, Place]] = [
        (bridge.path, bridge.domain, bridge.place("linux,pci-domain", 0))
        for bridge in facts.dt_bridges
        if bridge.domain is not None
    ]
    hosts = facts.acpi_bridges
    found += [(host.path, host.seg.known, host.seg.place) for host in hosts if host.seg.known is not None]
    for path, number, at in found:
        if number > WIDTH:
            name = facts.name_of(path)
            yield segment_too_wide.rule.finding(
                at,
                f"segment {number:#x} of '{name}' does not fit 16 bits",
                notes=[f"it is cut to {number & WIDTH:#x}"],
                help="write a number up to 0xffff",
                subject=name,
            )


@check("RPX0201", Level.ERROR, only="numbered-here", covers=("LNX-01", "XP-01", "XP-02"))
def segment_on_some_bridges(facts: Facts) -> Iterator[Finding]:
    """What it finds: enabled host bridges of which some have `linux,pci-domain` and some have not. In a tree
    that was not compiled from a description it is a warning: newer kernels take it, and nothing shows for
    which kernel the tree was made.
    Why it matters: kernels before 6.2 refuse the odd ones, today's Arm port of Xen stops (BUG), and newer
    kernels give the others whatever number is free when they are probed.
    Example: two bridges, one with `segment: 1`, one without.
    What to do: give every bridge a segment, or none.
    Source: Linux drivers/pci/pci.c, of_pci_bus_find_domain_nr; Xen xen/arch/arm/pci/pci-host-common.c,
    pci_bus_find_domain_nr.
    Sources that prove it: device tree.
    """
    bridges, port = tuple(enabled_bridges(facts)), xen_probes(facts)
    numbered = [bridge for bridge in bridges if bridge.domain is not None]
    if not numbered:
        return
    for bridge in bridges:
        if "linux,pci-domain" not in bridge.node.properties:
            name = facts.name_of(bridge.path)
            apart = segment_apart(facts, name, "dt")
            yield segment_on_some_bridges.rule.finding(
                bridge.place(),
                f"'{name}' has no linux,pci-domain, and other host bridges have one",
                related=[
                    (
                        numbered[0].place("linux,pci-domain", 0),
                        f"'{facts.name_of(numbered[0].path)}' has number {numbered[0].domain}",
                    )
                ],
                level=Level.WARNING if facts.described is None else Level.ERROR,
                notes=["Xen stops over it while it boots, or while it builds Dom0"] if port else (),
                help="give every host bridge a segment, or none"
                + ("" if apart is None else f": {apart[0]} is free"),
                rewrite=None if apart is None else apart[1],
                subject=name,
            )


@check("RPX0202", Level.ERROR, requires=("RPX0801",), covers=("LNX-02", "XP-05", "XP-06"))
def segment_taken_twice(facts: Facts) -> Iterator[Finding]:
    """What it finds: two host bridges with the same `linux,pci-domain`, as the kernel cuts it (16 bits),
    whatever their buses. Where one of them is disabled it is a warning: the fault comes with the overlay that
    enables it.
    Why it matters: Linux refuses the second bridge (-ENOSPC), with disjoint buses too. Xen takes both; where
    their buses overlap the earlier one answers for both.
    Example: two bridges with `segment: 1`.
    What to do: give each host bridge a number of its own.
    Source: Linux drivers/pci/pci.c, of_pci_bus_find_domain_nr; Xen xen/arch/arm/pci/pci-host-common.c,
    pci_find_host_bridge.
    Sources that prove it: device tree.
    """
    holders: dict[int, list[DtHostBridge]] = {}
    for bridge in facts.dt_bridges:
        number = bridge.segment
        if number is None:
            continue
        for other in holders.get(number, [])[:1]:
            yield _taken_twice(facts, number, bridge, other)
        # those that are on come first: the worse fault is told
        holders.setdefault(number, []).insert(0 if bridge.is_on else len(holders[number]), bridge)


def _taken_twice(facts: Facts, number: int, bridge: DtHostBridge, other: DtHostBridge) -> Finding:
    name, other_name = facts.name_of(bridge.path), facts.name_of(other.path)
    on = (bridge.is_on, other.is_on)
    level = Level.ERROR if all(on) else Level.WARNING if any(on) else Level.NOTE
    notes = []
    if not all(on):
        off = other_name if on[0] else name
        notes.append(f"{off} is disabled" if any(on) else "both are disabled")
    buses = (bridge.buses or ALL_BUSES).common(other.buses or ALL_BUSES)
    if buses is not None:
        notes.append(f"both have buses {buses.first:#x}-{buses.last:#x}")
    elif all(on):
        notes.append("their buses are disjoint; Linux refuses the second one all the same")
    apart = segment_apart(facts, name, "dt")
    return segment_taken_twice.rule.finding(
        bridge.place("linux,pci-domain", 0),
        f"'{name}' and '{other_name}' are both segment {number}",
        level=level,
        related=[(other.place("linux,pci-domain", 0), f"'{other_name}' has it, too")],
        notes=notes,
        help="give each host bridge a number of its own" + ("" if apart is None else f": {apart[0]} is free"),
        rewrite=None if apart is None else apart[1],
        subject=name,
        about=with_maps(name, other_name),  # IORT has maps by segment
    )


@check("RPX0205", Level.WARNING, only="numbered-here", covers=("LNX-05", "XP-09"))
def segment_by_probe_order(facts: Facts) -> Iterator[Finding]:
    """What it finds: several enabled host bridges, none of which has `linux,pci-domain`.
    Why it matters: their numbers follow the order in which drivers come to probe them, which a missing clock,
    another kernel or a module changes; device names follow, and so does which bridge Xen and Dom0 mean by a
    number. With pci-passthrough off Xen numbers the bridges, too, and does not tell Dom0.
    Example: two host bridges without `segment`.
    What to do: give every host bridge a segment.
    Source: Linux drivers/pci/pci.c, of_pci_bus_find_domain_nr; Xen xen/arch/arm/domain_build.c,
    handle_linux_pci_domain.
    Sources that prove it: device tree.
    """
    # One finding for the platform, at its first bridge.
    bridges = tuple(enabled_bridges(facts))
    if len(bridges) < 2 or any(bridge.domain is not None for bridge in bridges):
        return
    first, *others = bridges
    name = facts.name_of(first.path)
    yield segment_by_probe_order.rule.finding(
        first.place(),
        f"the segment numbers of {len(bridges)} host bridges hang on the order in which they are probed",
        related=[
            (other.place(), f"'{facts.name_of(other.path)}' has no linux,pci-domain either")
            for other in others
        ],
        help="give every host bridge a segment",
        subject=name,
        about=(facts.name_of(each.path) for each in bridges),
    )


@check("RPX0206", Level.WARNING, only="numbered-here", covers=("LNX-06",))
def disabled_segment_shifts(facts: Facts) -> Iterator[Finding]:
    """What it finds: a disabled host bridge (or another node of device_type "pci") whose `linux,pci-domain`
    keeps a number from the bridges that have none and are numbered by the kernel.
    Why it matters: a disabled node keeps its number reserved, so the others start behind it; who enables or
    deletes that node renumbers them all.
    Example: a bridge with `segment: 0, enabled: false` beside one without `segment`, which becomes segment 1.
    What to do: give the enabled bridges numbers, too.
    Source: Linux drivers/pci/pci.c, of_pci_reserve_static_domain_nr.
    Sources that prove it: device tree.
    """
    bridges = tuple(enabled_bridges(facts))
    if all(bridge.domain is not None for bridge in bridges):
        return
    on = {bridge.path for bridge in bridges}
    taken = [bridge.domain for bridge in bridges if bridge.domain is not None]
    off = [
        bridge
        for bridge in facts.dt_bridges
        if bridge.path not in on and bridge.domain is not None and bridge.device_type == "pci"
    ]
    reserved = [*taken, *(bridge.domain for bridge in off if bridge.domain is not None)]
    automatic = [bridge for bridge in bridges if bridge.domain is None]
    numbers = _automatic(reserved, len(automatic))
    for bridge in off:
        others = list(reserved)
        others.remove(bridge.domain or 0)
        changed = [
            (each, now, then)
            for each, now, then in zip(automatic, numbers, _automatic(others, len(automatic)), strict=True)
            if now != then
        ]
        if changed:
            each, now, then = changed[0]
            name = facts.name_of(each.path)
            yield disabled_segment_shifts.rule.finding(
                bridge.place("linux,pci-domain", 0),
                f"segment {bridge.domain} of '{facts.name_of(bridge.path)}', which is disabled, "
                f"makes '{name}' segment {now}",
                related=[(each.place(), f"without it this one would be segment {then}")],
                help="give the enabled bridges numbers, too",
                subject=name,
            )


def _automatic(reserved: list[int], count: int) -> list[int]:
    scheme = NewScheme(reserved)
    return [number for _ in range(count) if isinstance(number := scheme.number(None), int)]
