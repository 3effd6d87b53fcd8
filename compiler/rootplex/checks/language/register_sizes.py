"""register-sizes

What it finds: BARs that cannot be: a size that is no power of two or too small, an index twice or out of
range for the header, a 64-bit BAR in the last slot, an expansion ROM of an impossible size.
Why it matters: the lowest bit of a BAR that can be set tells its size, so that no other size can be told.
Example: `bars: [{index: 0, space: mem32, size: 3000}]`.
What to do: round the size up to a power of two; give each BAR its own index (a mem64 takes two).
Source: PCI Express Base 6.0 §7.5.1.2.1 (BARs), §7.5.1.2.4 (ROM).
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.model.device import Bar, Device
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0022", name="register-sizes", level=Level.ERROR, needs="description")

# (smallest, largest) size of a BAR by space.
SIZES = {"io": (4, 256), "mem32": (16, 1 << 31), "mem64": (16, 1 << 63)}
ROM = (2048, 16 << 20)


def check(facts: Facts) -> Iterator[Finding]:
    """BARs and ROMs that a header cannot hold."""
    for _, device in facts.platform.walk():
        taken: dict[int, Bar] = {}
        for bar in device.bars:
            yield from _size(device, bar)
            yield from _index(device, bar, taken)
        if device.rom is not None and not _fits(device.rom, ROM):
            yield RULE.finding(
                device.at("rom"),
                f"the ROM of {device.label} has {device.rom:#x} bytes",
                notes=["an expansion ROM has a power of two from 2 KiB to 16 MiB"],
                subject=device.name,
            )


def _fits(size: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= size <= bounds[1] and size & (size - 1) == 0


def _size(device: Device, bar: Bar) -> Iterator[Finding]:
    if bar.wrote("size") and not _fits(bar.size, SIZES[bar.space]):
        low, high = SIZES[bar.space]
        rounded = max(low, 1 << (bar.size - 1).bit_length()) if bar.size else low
        fits = rounded <= high
        yield RULE.finding(
            bar.at("size"),
            f"BAR {bar.index} of {device.label} has {bar.size:#x} bytes",
            notes=[f"a BAR of space {bar.space} has a power of two from {low:#x} to {high:#x}"],
            help=f"round it up to {rounded:#x}" if fits else "let it be no larger",
            rewrite=bar.written("size", f"{rounded:#x}") if fits else None,
            subject=device.name,
        )


def _index(device: Device, bar: Bar, taken: dict[int, Bar]) -> Iterator[Finding]:
    last = 1 if device.is_bridge else 5
    slots = (bar.index, bar.index + 1) if bar.space == "mem64" else (bar.index,)
    if slots[-1] > last:
        yield RULE.finding(
            bar.at("index"),
            f"BAR {slots[-1]} of {device.label} would be behind the last one of its header, BAR {last}",
            help="a mem64 BAR takes two places; choose a lower index",
            subject=device.name,
        )
    for slot in slots:
        first = taken.setdefault(slot, bar)
        if first is not bar:
            yield RULE.finding(
                bar.at("index"),
                f"BAR {bar.index} of {device.label} stands where BAR {first.index} does",
                related=[(first.at("index"), f"a {first.space} BAR is here")],
                help="a mem64 BAR takes two places; choose another index",
                subject=device.name,
            )
            return
