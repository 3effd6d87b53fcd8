"""What the device tree and ACPI say of one bridge."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import field
from rootplex.checks.agreement._sides import blamed_side, both
from rootplex.checks.bridges import config_layout, config_space
from rootplex.checks.causes import with_maps
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.pci import ECAM_BUS
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0812", Level.NOTE, only="aml")
def bridge_in_one_firmware(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge that only one of the two firmwares has.
    Why it matters: its devices are not there when the machine is booted by the other.
    Example: eight bridges in AML, one in the device tree.
    What to do: describe it in both, where it is wanted.
    Source: Linux drivers/of/platform.c, of_platform_populate, and drivers/acpi/pci_root.c, acpi_pci_root_add:
    one of them runs.
    Sources that prove it: device tree and ACPI of one board.
    """
    # What the author left out on purpose has no like.
    if facts.dt is None or facts.acpi is None:
        return
    for joined in facts.bridges:
        described = facts.described_bridge(joined.name)
        if described is not None and not (described.acpi.present and described.dt.present):
            continue
        if joined.acpi is None and joined.dt is not None and joined.dt.enabled:
            at: Place = joined.dt.place()
            text = "in the device tree and not in ACPI"
        elif joined.dt is None and joined.acpi is not None and joined.acpi.is_on:
            at, text = joined.acpi.place, "in ACPI and not in the device tree"
        else:
            continue
        yield bridge_in_one_firmware.rule.finding(at, f"{joined.name} is {text}", subject=joined.name)


@check("RPX0805", Level.WARNING, requires=("RPX0626",))
def enabled_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge that one firmware switches on and the other off.
    Why it matters: its devices are there or not by how the machine was booted.
    Example: `status = "disabled"` and no `_STA`.
    What to do: switch it on or off in both.
    Source: ACPI 6.5 §6.3.7 (`_STA`); Devicetree Specification 0.4 §2.3.4 (`status`).
    Sources that prove it: device tree and ACPI of one board.
    """
    for joined, dt, acpi in facts.pairs():
        in_tree = dt.is_on
        status = acpi.sta
        if acpi.is_on is None or in_tree == acpi.is_on:
            continue
        at, related = blamed_side(
            facts,
            joined,
            "enabled",
            (dt.place("status" if dt.status else None), f"{'on' if in_tree else 'off'} in the device tree"),
            (status.place, f"{'off' if in_tree else 'on'} in ACPI"),
        )
        words = ("on", "off") if in_tree else ("off", "on")
        yield enabled_differs.rule.finding(
            at,
            f"{joined.name} is {words[0]} by device tree and {words[1]} by ACPI",
            related=related,
            help="switch it on or off in both",
            subject=joined.name,
        )


@check("RPX0801", Level.ERROR, requires=("RPX0201", "RPX0205"), covers=("LNX-07", "XP-07"))
def segment_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: one host bridge with different segments in `linux,pci-domain`, `_SEG` and MCFG.
    Why it matters: one sBDF means different devices to Xen, to Dom0 and to the IOMMU, by who reads which.
    Example: `linux,pci-domain` 0 where `_SEG` is 2.
    What to do: write one number everywhere.
    Source: Linux drivers/pci/of.c, of_get_pci_domain_nr, and drivers/acpi/pci_root.c, acpi_pci_root_add; PCI
    Firmware 3.3 §4.1.2.
    Sources that prove it: device tree and ACPI of one board; tables among themselves.
    """
    automatic, off = _automatic(facts)
    for joined in facts.bridges:
        acpi = joined.acpi
        if acpi is None or not acpi.is_on:
            continue
        segment = acpi.segment
        if segment is None:
            continue
        number, place = _in_tree(joined.dt, automatic)
        seg = (acpi.seg.place, _seg_text(acpi))
        odd = [entry for entry in joined.mcfg if entry.segment != segment]
        for entry in odd:
            table = (field(entry, "segment"), f"MCFG has {entry.segment}")
            at, other = (seg, table) if number == entry.segment else (table, seg)
            tree = [] if place is None else [(place, f"the device tree has {number}")]
            yield segment_differs.rule.finding(
                at[0],
                f"{joined.name} is segment {segment} in _SEG and {entry.segment} in MCFG",
                related=[other, *tree],
                help="write one number everywhere",
                subject=joined.name,
                about=with_maps(joined.name),
            )
        if odd or place is None or number == segment:
            continue
        by_order = "" if joined.dt is None or joined.dt.domain is not None else " (by probe order)"
        if off:
            by_order += " once it is enabled"
        at_place, related = blamed_side(
            facts, joined, "segment", (place, f"the device tree has {number}{by_order}"), seg
        )
        yield segment_differs.rule.finding(
            at_place,
            f"{joined.name} is segment {number}{by_order} by device tree and {segment} by ACPI",
            level=Level.NOTE if off else None,
            related=related,
            help="write one number everywhere",
            subject=joined.name,
            about=with_maps(joined.name),
        )


def _seg_text(bridge: AcpiHostBridge) -> str:
    if bridge.seg.state == "absent":
        return "there is no _SEG: segment 0"
    return f"_SEG has {bridge.seg.value}"


def _in_tree(bridge: DtHostBridge | None, automatic: dict[str, int]) -> tuple[int | None, Place | None]:
    """The number of an enabled bridge of the tree, and where it says so."""
    if bridge is None or bridge.path not in automatic:
        return None, None
    if bridge.domain is not None:
        return bridge.domain & 0xFFFF, bridge.place("linux,pci-domain")
    return automatic[bridge.path], bridge.place()


def _automatic(facts: Facts) -> tuple[dict[str, int], bool]:
    """Numbers of the enabled bridges, those without one in document order (linux.md §1.2, the new
    scheme). Where all are disabled, a boot loader enables them: then those count that ACPI has too (True)."""
    every = facts.dt_bridges
    on = {bridge.path for bridge in every if bridge.is_on}
    off = not on
    if off:
        on = {each.dt.path for each in facts.bridges if each.dt is not None and each.acpi is not None}
    taken = {bridge.domain & 0xFFFF for bridge in every if bridge.domain is not None}
    found: dict[str, int] = {}
    for bridge in every:
        if bridge.path in on and bridge.domain is not None:
            found[bridge.path] = bridge.domain & 0xFFFF
        elif bridge.path in on:
            found[bridge.path] = next(number for number in range(1 << 17) if number not in taken)
            taken.add(found[bridge.path])
    return found, off


@check("RPX0803", Level.ERROR, requires=("RPX0756",), covers=("LNX-09",))
def bus_range_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge with another bus range by device tree than by `_CRS`.
    Why it matters: a device on a bus that only one has is found by one firmware only. MCFG may be wider than
    both.
    Example: `bus-range` 0-0xff, `_CRS` 0-0x7f.
    What to do: write the same range.
    Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources, and drivers/acpi/pci_root.c,
    try_get_root_bridge_busnr.
    Sources that prove it: device tree and ACPI of one board.
    """
    for joined, dt, acpi in both(facts):
        tree, theirs = dt.buses, acpi.buses
        if theirs is None or tree is None or tree == theirs:
            continue
        at, related = blamed_side(
            facts,
            joined,
            "bus_range",
            (dt.place("bus-range" if dt.bus_range else None), f"the device tree has {tree}"),
            (acpi.buses_at, f"_CRS has {theirs}"),
        )
        yield bus_range_differs.rule.finding(
            at,
            f"{joined.name} has buses {tree} by device tree and {theirs} by _CRS",
            related=related,
            help="write the same range",
            subject=joined.name,
            about=with_maps(joined.name),
        )


@check("RPX0811", Level.NOTE)
def config_kind_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: a bridge that MCFG or `_CBA` gives as ECAM, and whose node is of a controller with a
    register window.
    Why it matters: common with DesignWare controllers, whose firmware sets up a window that looks like ECAM:
    the two do not show the same devices, the root port above all.
    Example: `marvell,armada8k-pcie` in the tree, an MCFG entry in ACPI.
    What to do: nothing, where that is meant; name the ECAM compatible in the tree otherwise.
    Source: linux.md §1.13, which lists the drivers of Linux drivers/pci/controller/ by kind.
    Sources that prove it: device tree and ACPI of one board.
    """
    for joined, dt, acpi in both(facts):
        controller = dt.controller
        if controller is None or controller.layout not in ("windowed", "cam"):
            continue
        places = [(field(entry, "base"), f"at {entry.base:#x}") for entry in joined.mcfg]
        if acpi.cba.known:
            places.append((acpi.cba.place, f"at {acpi.cba.known:#x}"))
        if not places:
            continue
        at, related = blamed_side(
            facts, joined, "config", (dt.place("compatible"), f"{controller.compatible}"), places[0]
        )
        yield config_kind_differs.rule.finding(
            at,
            f"{joined.name} is ECAM {places[0][1]} by ACPI, and {controller.layout} by device tree",
            related=related,
            subject=joined.name,
        )


@check(
    "RPX0802",
    Level.ERROR,
    requires=("RPX0030", "RPX0601", "RPX0717", "RPX0801", "RPX0803"),
    covers=("LNX-08",),
)
def config_base_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: configuration space that lies elsewhere by device tree than by MCFG or `_CBA`.
    Why it matters: one of the two reads other registers than those of the bridge. `reg` is the space of the
    first bus, MCFG and `_CBA` that of bus 0: `base == reg - (first << 20)`.
    Example: `reg` 0x4010000000 for buses 0x10-0x1f and an MCFG base of 0x4010000000.
    What to do: take the first bus off the base.
    Source: PCI Firmware 3.3 §4.1.2; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, and drivers/pci/ecam.c,
    pci_ecam_map_bus.
    Sources that prove it: device tree and ACPI of one board.
    """
    # Not where the tree's is no ECAM.
    for joined, dt, acpi in both(facts):
        reg = config_space(dt)
        if reg is None or reg.cpu is None or config_layout(dt) != ECAM_BUS or dt.buses is None:
            continue
        first = dt.buses.first
        base = reg.cpu - first * ECAM_BUS
        claims = [(field(entry, "base"), entry.base, "MCFG") for entry in joined.mcfg]
        if acpi.cba.known:
            claims.append((acpi.cba.place, acpi.cba.known, "_CBA"))
        for place, said_base, word in claims:
            if said_base == base:
                continue
            at, related = blamed_side(
                facts,
                joined,
                "config",
                (reg.place, f"reg is {reg.cpu:#x}, that of bus {first:#04x}"),
                (place, f"{word} has {said_base:#x}"),
            )
            yield config_base_differs.rule.finding(
                at,
                f"bus 0 of {joined.name} is at {base:#x} by device tree and at {said_base:#x} by {word}",
                related=related,
                notes=("MCFG and _CBA hold the address of bus 0, reg that of the first bus",),
                help=f"let {word} be reg - (first bus << 20)",
                subject=joined.name,
            )
