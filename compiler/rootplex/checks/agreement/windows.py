"""Windows of both firmwares, and ranges of DMA: which one has that the other lacks, or has otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from rootplex.checks.agreement._sides import blamed_side, both
from rootplex.checks.areas import part_of
from rootplex.checks.causes import property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts, Joined
from rootplex.readers.acpi.aml_facts import AcpiHostBridge, Template
from rootplex.readers.address import DtWindow
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place

NEAR = 64
"""How many windows one is held against to find the one that was meant: no bridge has as many."""


class ComparedWindow(Struct, frozen=True):
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

    def touches(self, other: ComparedWindow) -> bool:
        """Whether the two are on each other, on the bus or for the CPU."""
        bus = self.pci <= other.last and other.pci <= self.last
        low, high = self.pci + self.offset, self.last + self.offset
        cpu = low <= other.last + other.offset and other.pci + other.offset <= high
        return self.io == other.io and (bus or cpu)


@check("RPX0804", Level.ERROR, requires=("RPX0601", "RPX0603", "RPX0711", "RPX0754"))
def window_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: a window that one firmware has and the other has not, or has otherwise.
    Why it matters: BARs that one firmware's kernel places do not answer under the other, or lie on
    something else. Windows are matched by space, bus address and CPU address. ACPI has no 64-bit flag:
    mem32 and mem64 are one there.
    Example: a mem32 window of 256 MiB in the tree and of 512 MiB in `_CRS`.
    What to do: write the same windows.
    Source: Linux drivers/of/address.c, of_pci_range_parser_one, and drivers/acpi/resource.c,
    acpi_decode_space. Sources that prove it: device tree and ACPI of one board; descriptors that depend on
    memory are left alone.
    """
    for joined, dt, acpi in both(facts):
        template = acpi.crs.value
        if template is None or acpi.crs.state not in ("known", "unknown"):
            continue
        certain = len(template.certain) == len(template.resources)
        for tree, tables in _unlike(_of_tree(dt), _of_template(acpi, template)):
            if tables is not None or certain:
                elsewhere = acpi.crs.place if tables is None else dt.place("ranges")
                yield _finding(facts, joined, tree, tables, elsewhere)


def _unlike(
    tree: Iterable[ComparedWindow], tables: Iterable[ComparedWindow]
) -> Iterator[tuple[ComparedWindow | None, ComparedWindow | None]]:
    """The windows of each side without their like on the other, with the one that seems to be meant."""
    left, right = _merged(tree), _merged(tables)
    here, there = {each.key for each in left}, {each.key for each in right}
    unmatched = {each.key: each for each in right if each.key not in here}
    for window in left:
        if window.key in there:
            continue
        near = _nearest(window, tuple(islice(unmatched.values(), NEAR)))
        if near is not None:
            del unmatched[near.key]
        yield window, near
    yield from ((None, each) for each in unmatched.values())


def _finding(
    facts: Facts, joined: Joined, tree: ComparedWindow | None, tables: ComparedWindow | None, elsewhere: Place
) -> Finding:
    dt_side = (tree.at, f"the device tree has {tree}") if tree else (elsewhere, "the device tree's windows")
    acpi_side = (tables.at, f"_CRS has {tables}") if tables else (elsewhere, "the windows of _CRS")
    at, related = blamed_side(facts, joined, "windows", dt_side, acpi_side)
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
    return window_differs.rule.finding(
        at,
        text,
        related=related,
        help="write the same windows",
        subject=joined.name,
        about=(joined.name, *parts),
        rests_on=(property_of(joined.name, "ranges"), *parts),
    )


def _nearest(window: ComparedWindow, others: Sequence[ComparedWindow]) -> ComparedWindow | None:
    """Which of the other side's is meant for the same: one that touches it, one of another space at the
    same addresses, or the only one of its space."""
    touching = next((each for each in others if window.touches(each)), None)
    same = next((each for each in others if window.key[1:] == each.key[1:]), None)
    alike = [each for each in others if each.io == window.io]
    return touching or same or (alike[0] if len(alike) == 1 else None)


def _of_tree(bridge: DtHostBridge) -> Iterator[ComparedWindow]:
    return _readable(window for window in bridge.windows if window.space != "config")


def _readable(windows: Iterable[DtWindow]) -> Iterator[ComparedWindow]:
    for window in windows:
        if window.size and window.cpu is not None and window.translation == "cpu":
            last = window.pci + window.size - 1
            yield ComparedWindow(
                window.space == "io", window.pci, last, window.cpu - window.pci, window.place, (window.pci,)
            )


def _of_template(bridge: AcpiHostBridge, template: Template) -> Iterator[ComparedWindow]:
    for item in template.windows:
        last, offset = item.minimum + item.span - 1, item.cpu_minimum - item.minimum
        yield ComparedWindow(
            item.type == "io", item.minimum, last, offset, bridge.descriptor(item), (item.minimum,)
        )


def _merged(windows: Iterable[ComparedWindow]) -> list[ComparedWindow]:
    """The windows by address, those that continue each other made one."""
    found: list[ComparedWindow] = []
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


@check("RPX0813", Level.ERROR, requires=("RPX0601",))
def dma_windows_differ(facts: Facts) -> Iterator[Finding]:
    """What it finds: memory that DMA of a host bridge's devices reaches by `dma-ranges` and not by `_DMA`, or
    the other way round, or at another bus address; a warning where one of the two names no limit at all.
    Why it matters: the kernel takes the ranges for the addresses that devices can use, and the offset for
    what to add: wrong ones give transfers to the wrong memory, or buffers that are copied for nothing.
    Example: `dma-ranges` of the first 4 GiB, and a host bridge without `_DMA`.
    What to do: say in both what the hardware does, by `dma_windows`.
    Source: Linux drivers/of/address.c, of_dma_get_range, and drivers/acpi/scan.c, acpi_dma_get_range;
    ACPI 6.5 §6.2.4. Sources that prove it: device tree and ACPI of one board.
    """
    for joined, dt, acpi in both(facts):
        if acpi.dma.state not in ("absent", "known"):
            continue
        tree = list(_readable(dt.dma_windows)) if dt.dma_ranges == "entries" else None
        tables = None if acpi.dma.value is None else list(_of_dma(acpi, acpi.dma.value))
        if tree is None and tables is None:
            continue
        places = (dt.place("dma-ranges" if dt.dma_ranges != "absent" else None), acpi.dma.place)
        if tree is None or tables is None:
            yield _unlimited(facts, joined, tree, tables, places)
            continue
        for mine, theirs in _unlike(tree, tables):
            yield _dma_finding(facts, joined, mine, theirs, places)


def _of_dma(bridge: AcpiHostBridge, template: Template) -> Iterator[ComparedWindow]:
    """Ranges of `_DMA`: the memory descriptors, whatever they say of producing."""
    for item in template.certain:
        if item.type == "memory" and item.span:
            last, offset = item.minimum + item.span - 1, item.cpu_minimum - item.minimum
            yield ComparedWindow(False, item.minimum, last, offset, bridge.descriptor(item, "_DMA"))


def _unlimited(
    facts: Facts,
    joined: Joined,
    tree: Sequence[ComparedWindow] | None,
    tables: Sequence[ComparedWindow] | None,
    places: tuple[Place, Place],
) -> Finding:
    some = ", ".join(_reach(each) for each in _merged(tree or tables or ())[:NEAR]) or "nothing"
    words = (some, "all of memory") if tables is None else ("all of memory", some)
    at, related = blamed_side(
        facts,
        joined,
        "dma_windows",
        (places[0], f"by device tree it reaches {words[0]}"),
        (places[1], f"by ACPI it reaches {words[1]}"),
    )
    return dma_windows_differ.rule.finding(
        at,
        f"DMA of {joined.name} reaches {words[0]} by device tree and {words[1]} by ACPI",
        level=Level.WARNING,
        related=related,
        help="say in both what the hardware does",
        subject=joined.name,
        rests_on=(property_of(joined.name, "dma-ranges"),),
    )


def _dma_finding(
    facts: Facts,
    joined: Joined,
    tree: ComparedWindow | None,
    tables: ComparedWindow | None,
    places: tuple[Place, Place],
) -> Finding:
    words = tuple("no such range" if each is None else _reach(each) for each in (tree, tables))
    at, related = blamed_side(
        facts,
        joined,
        "dma_windows",
        (places[0] if tree is None else tree.at, f"dma-ranges has {words[0]}"),
        (places[1] if tables is None else tables.at, f"_DMA has {words[1]}"),
    )
    if tree and tables:
        text = f"DMA of {joined.name} reaches {words[0]} by dma-ranges and {words[1]} by _DMA"
    else:
        text = f"DMA of {joined.name} reaches {words[0] if tree else words[1]} by "
        text += "dma-ranges alone" if tree else "_DMA alone"
    return dma_windows_differ.rule.finding(
        at,
        text,
        related=related,
        help="write the same ranges",
        subject=joined.name,
        rests_on=(property_of(joined.name, "dma-ranges"),),
    )


def _reach(window: ComparedWindow) -> str:
    cpu = "" if not window.offset else f" as {window.pci:#x}-{window.last:#x}"
    return f"{window.pci + window.offset:#x}-{window.last + window.offset:#x}{cpu}"
