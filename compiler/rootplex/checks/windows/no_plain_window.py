"""no-plain-window

What it finds: an enabled host bridge without a memory window that is not prefetchable and lies below 4 GiB on
the PCI side; also one without any window where a device of the description has memory (an error), or where
the kernel drops all that `_CRS` lists: on Arm what is not marked as passed on (ResourceProducer), too.
Why it matters: 32-bit BARs, and those that must not be prefetched, find no place; most devices have one.
Example: `windows: [{space: mem64, pci: 0x80_0000_0000, size: 64GiB}]` alone.
What to do: add a `mem32` window.
Source: Linux drivers/pci/of.c, pci_parse_request_of_pci_ranges, and drivers/pci/setup-res.c,
__pci_assign_resource.
Sources that prove it: device tree; DSDT and SSDT where all of `_CRS` is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.bridges import enabled_bridges, name_of
from rootplex.checks.causes import MCFG_UNUSABLE, property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.device import Device
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0112",
    name="no-plain-window",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0113", "RPX0601", "RPX0603", "RPX0711", *MCFG_UNUSABLE, "RPX0754"),
    covers=("LNX-16",),
)

GIB_4 = 1 << 32


def check(facts: Facts) -> Iterator[Finding]:
    """Bridges without a window for their devices' memory; then those that list some, but no plain one."""
    told = set()
    for described in facts.described_bridges:
        device = next((each for each in described.walk() if _has_memory(each)), None)
        if described.enabled and not described.windows and device is not None:
            told.add(described.name)
            yield RULE.finding(
                described.at("windows"),
                f"'{described.name}' has no window, and '{device.label}' has memory",
                level=Level.ERROR,
                related=[(device.at("bars" if device.bars else "rom"), "it is to be placed")],
                help="add a mem32 window",
                subject=described.name,
                about=(described.name, property_of(described.name, "ranges")),
            )
    for bridge in enabled_bridges(facts):
        if bridge.ranges != "entries" or any(each.translation == "mbus" for each in bridge.windows):
            continue
        plain = any(
            window.space in ("mem32", "mem64") and not window.prefetchable and window.pci < GIB_4
            for window in bridge.windows
        )
        if not plain and bridge.windows:
            told.add(name_of(facts, bridge.path))
            yield _finding(bridge.place("ranges"), name_of(facts, bridge.path))
    for host in facts.acpi_bridges:
        template = host.crs.known
        if template is None or not host.is_on or name_of(facts, host.path) in told:
            continue
        windows = [each for each in template.resources if each.type == "memory" and each.length]
        usable = [each for each in windows if each.span and not each.prefetchable]
        if facts.arch != "x86_64" and not template.windows and facts.described is None:
            yield _no_window(host.crs.place, name_of(facts, host.path), is_listed=bool(windows))
        elif windows and not any(each.minimum < GIB_4 for each in usable):
            yield _finding(host.crs.place, name_of(facts, host.path))


def _has_memory(device: Device) -> bool:
    return device.rom is not None or any(bar.space != "io" for bar in device.bars)


def _no_window(at: Place, name: str, *, is_listed: bool) -> Finding:
    """Linux on x86 takes all addresses then; elsewhere there are none (`pci_acpi_root_prepare_resources`)."""
    left_out = "Linux leaves out what is not marked as passed on, and a fixed descriptor never is"
    return RULE.finding(
        at,
        f"_CRS of '{name}' has no window",
        notes=["no BAR below can be placed", *([left_out] if is_listed else ())],
        help="list each window as a ResourceProducer",
        subject=name,
        rests_on=(name, property_of(name, "ranges")),
    )


def _finding(at: Place, name: str) -> Finding:
    return RULE.finding(
        at,
        f"'{name}' has no window below 4 GiB that is not prefetchable",
        notes=["32-bit BARs cannot be placed"],
        help="add a mem32 window",
        subject=name,
        rests_on=(name, property_of(name, "ranges")),
    )
