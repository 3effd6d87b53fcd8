"""window-differs

What it finds: a window that one firmware has and the other has not, or has otherwise.
Why it matters: BARs that one firmware's kernel places do not answer under the other, or lie on something
else. Windows are matched by space, bus address and CPU address. ACPI has no 64-bit flag: mem32 and mem64 are
one there.
Example: a mem32 window of 256 MiB in the tree and of 512 MiB in `_CRS`.
What to do: write the same windows.
Source: Linux drivers/of/address.c, of_pci_range_parser_one, and drivers/acpi/resource.c, acpi_decode_space.
Sources that prove it: device tree and ACPI of one board; descriptors that depend on memory are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from rootplex.checks.agreement._parties import (
    both,
    laid_to,
)
from rootplex.checks.areas import part_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts, Joined
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.aml_facts import AcpiHostBridge, Template
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

RULE = Rule(
    code="RPX0804",
    name="window-differs",
    level=Level.ERROR,
    requires=(
        "RPX0601",
        "RPX0603",
        "RPX0711",
    ),
)

NEAR = 64
"""How many windows one is held against to find the one that was meant: no bridge has as many."""


class Window(Struct, frozen=True):
    """A stretch of bus addresses with what the CPU adds; neighbours that continue it are in it."""

    io: bool
    pci: int
    last: int
    offset: int
    at: Place
    starts: tuple[int, ...] = ()
    """Where on the bus it and those joined to it begin."""

    def __str__(self) -> str:
        cpu = self.pci + self.offset
        return f"{'I/O' if self.io else 'memory'} {self.pci:#x}-{self.last:#x} at CPU {cpu:#x}"

    @property
    def key(self) -> tuple[bool, int, int, int]:
        return self.io, self.pci, self.last, self.offset

    def touches(self, other: Window) -> bool:
        """Whether the two are on each other, on the bus or for the CPU."""
        bus = self.pci <= other.last and other.pci <= self.last
        low, high = self.pci + self.offset, self.last + self.offset
        cpu = low <= other.last + other.offset and other.pci + other.offset <= high
        return self.io == other.io and (bus or cpu)


def check(facts: Facts) -> Iterator[Finding]:
    """Each window without its like on the other side."""
    for joined, dt, acpi in both(facts):
        template = acpi.crs.value
        if template is None or acpi.crs.state not in ("known", "unknown"):
            continue
        certain = len(template.certain) == len(template.resources)
        tree, tables = _merged(_of_tree(dt)), _merged(_of_template(acpi, template))
        here, there = {each.key for each in tree}, {each.key for each in tables}
        unmatched = {each.key: each for each in tables if each.key not in here}
        for mine in tree:
            if mine.key in there:
                continue
            near = _nearest(mine, tuple(islice(unmatched.values(), NEAR)))
            if near is not None:
                del unmatched[near.key]
            elif not certain:
                continue
            yield _finding(facts, joined, mine, near, acpi.crs.place)
        for theirs in unmatched.values():
            yield _finding(facts, joined, None, theirs, dt.place("ranges"))


def _finding(
    facts: Facts, joined: Joined, tree: Window | None, tables: Window | None, elsewhere: Place
) -> Finding:
    dt_side = (tree.at, f"the device tree has {tree}") if tree else (elsewhere, "the device tree's windows")
    acpi_side = (tables.at, f"_CRS has {tables}") if tables else (elsewhere, "the windows of _CRS")
    at, related = laid_to(facts, joined, "windows", dt_side, acpi_side)
    if tree and tables:
        text = f"a window of {joined.name} is {tree} by device tree and {tables} by _CRS"
    elif tree:
        text = f"the window {tree} of {joined.name} is missing in _CRS"
    else:
        text = f"the window {tables} of {joined.name} is missing in the device tree"
    parts = {
        part_of("window", joined.name, start + window.offset)
        for window in (tree, tables)
        if window
        for start in window.starts
    }
    return RULE.finding(
        at,
        text,
        related=related,
        help="write the same windows",
        subject=joined.name,
        about=(joined.name, *parts),
        rests_on=(property_of(joined.name, "ranges"),),
    )


def _nearest(window: Window, others: Sequence[Window]) -> Window | None:
    """Which of the other side's is meant for the same: one that touches it, one of another space at the
    same addresses, or the only one of its space."""
    touching = next((each for each in others if window.touches(each)), None)
    same = next((each for each in others if window.key[1:] == each.key[1:]), None)
    alike = [each for each in others if each.io == window.io]
    return touching or same or (alike[0] if len(alike) == 1 else None)


def _of_tree(bridge: DtHostBridge) -> Iterator[Window]:
    for window in bridge.windows:
        if (
            window.space != "config"
            and window.size
            and window.cpu is not None
            and window.translation == "cpu"
        ):
            last = window.pci + window.size - 1
            yield Window(
                window.space == "io", window.pci, last, window.cpu - window.pci, window.place, (window.pci,)
            )


def _of_template(bridge: AcpiHostBridge, template: Template) -> Iterator[Window]:
    for item in template.certain:
        if item.type in ("memory", "io") and item.span and item.producer:
            last = item.minimum + item.span - 1
            offset = item.cpu_minimum - item.minimum
            yield Window(
                item.type == "io", item.minimum, last, offset, bridge.descriptor(item), (item.minimum,)
            )


def _merged(windows: Iterable[Window]) -> list[Window]:
    """The windows by address, those that continue each other made one."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda each: (each.io, each.offset, each.pci)):
        last = found[-1] if found else None
        if last is not None and (last.io, last.offset, last.last + 1) == (
            window.io,
            window.offset,
            window.pci,
        ):
            found[-1] = replace(last, last=window.last, starts=last.starts + window.starts)
        else:
            found.append(window)
    return found
