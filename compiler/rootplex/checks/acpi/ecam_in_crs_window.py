"""ecam-in-crs-window

What it finds: ECAM inside a memory window of a host bridge's `_CRS`.
Why it matters: the kernel may place a BAR on configuration space. On x86 it does not where a motherboard
resource (PNP0C02) reserves all of it, as on many machines: a warning.
Example: a window 0x3000_0000-0xfbff_ffff with ECAM at 0x3000_0000.
What to do: take ECAM out of the window.
Source: PCI Firmware 3.3 §4.1.2; https://github.com/cloud-hypervisor/cloud-hypervisor/pull/4566, where BARs
landed on ECAM.
Sources that prove it: MCFG with AML; windows that depend on memory are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges, consumed, entries, entry_text, field, owners_of
from rootplex.checks.areas import part_of
from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.formats.pci import ECAM_BUS
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0724",
    name="ecam-in-crs-window",
    level=Level.ERROR,
    needs="artifacts",
    requires=("RPX0105", "RPX0106", "RPX0804", "RPX0101"),
    covers=("LNX-33", "XP-19"),
)


def check(facts: Facts) -> Iterator[Finding]:
    """Each window with ECAM in it; the first entry that it meets."""
    for bridge in bridges(facts):
        template = bridge.crs.value
        for item in () if template is None else template.certain:
            if item.type != "memory" or not item.span:
                continue
            low, high = item.cpu_minimum, item.cpu_minimum + item.span
            entry = next((each for each in entries(facts) if _meets(each, low, high)), None)
            if entry is None:
                continue
            name = name_of(facts, bridge.path)
            held = facts.arch == "x86_64" and _is_held(facts, entry)
            yield RULE.finding(
                bridge.descriptor(item),
                f"the window {low:#x}-{high - 1:#x} of {name} has ECAM in it",
                level=Level.WARNING if held else None,
                related=[(field(entry, "base"), entry_text(entry))],
                notes=["a motherboard resource reserves it, and Linux places no BAR there"] if held else (),
                help="take the configuration space out of the window",
                subject=name,
                about=(name, part_of("window", name, low)),
                rests_on=_parts(facts, name, low, entry),
            )


def _parts(facts: Facts, name: str, low: int, entry: McfgEntry) -> Iterator[str]:
    """The window, and the configuration space that the entry gives a bridge."""
    yield part_of("window", name, low)
    for owner in owners_of(facts, entry):
        yield part_of("config", owner, entry.base + entry.start_bus * ECAM_BUS)


def _is_held(facts: Facts, entry: McfgEntry) -> bool:
    """Whether one descriptor of a motherboard resource reserves what the entry covers."""
    assert facts.acpi is not None
    low, end = entry.base + entry.start_bus * ECAM_BUS, entry.base + (entry.end_bus + 1) * ECAM_BUS
    ranges, _ = consumed(facts.acpi.namespace.motherboard)
    return any(base <= low and end <= last for base, last in ranges)


def _meets(entry: McfgEntry, low: int, high: int) -> bool:
    first, end = entry.base + entry.start_bus * ECAM_BUS, entry.base + (entry.end_bus + 1) * ECAM_BUS
    return low < end and first < high
