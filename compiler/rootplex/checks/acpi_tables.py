"""What several ACPI checks ask of the tables: numbers that can be relied on, and places of fields."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.facts import Facts
from rootplex.formats.acpi import MCFG_ENTRY, offset_of
from rootplex.readers.acpi.aml_facts import AcpiDevice, AcpiHostBridge
from rootplex.readers.acpi.iort_facts import Iort, IortNode, RootComplex
from rootplex.readers.acpi.ivrs import Ivrs
from rootplex.readers.acpi.mcfg import McfgEntry
from rootplex.readers.acpi.rimt import Rimt
from rootplex.readers.acpi.viot import Viot
from rootplex.readers.problem import Problem
from rootplex.source.place import TablePlace

_IORT_STEPS = 2
"""Root complex to SMMU to ITS group."""

SEGMENTS = "segments of IORT"
"""What a finding about the set of root complexes bears on."""


def bridges(facts: Facts) -> Iterator[AcpiHostBridge]:
    """The host bridges of AML that are surely there."""
    if facts.acpi is not None:
        yield from (bridge for bridge in facts.acpi.namespace.bridges if bridge.is_on)


def own_problems(table: Ivrs | Viot | Rimt | None) -> Iterator[Problem]:
    """What is wrong inside a table, apart from its header; behind a wrong length nothing is told."""
    for problem in () if table is None else table.problems[len(table.table.problems) :]:
        yield problem
        if problem.kind == "length":
            return


def entries(facts: Facts) -> tuple[McfgEntry, ...]:
    """The entries of the MCFG that an operating system takes."""
    mcfg = facts.tables.mcfg
    return () if mcfg is None else mcfg.entries


def field(entry: McfgEntry, name: str) -> TablePlace:
    """The place of one field of an MCFG entry, by its name in `MCFG_ENTRY`."""
    offset, length = entry.offset + offset_of(MCFG_ENTRY, name), dict(MCFG_ENTRY)[name]
    return TablePlace(entry.place.file, entry.place.table, offset, length)


def entry_text(entry: McfgEntry) -> str:
    """An entry as messages say it."""
    return f"segment {entry.segment}, buses {entry.start_bus:#04x}-{entry.end_bus:#04x} at {entry.base:#x}"


def entry_for(facts: Facts, segment: int, first: int, last: int) -> McfgEntry | None:
    """The entry that Linux on arm64 takes: the first of the segment that holds the whole range."""
    mcfg = facts.tables.mcfg
    of_segment = () if mcfg is None else mcfg.by_segment.get(segment, ())
    held = (entry for entry in of_segment if entry.start_bus <= first and last <= entry.end_bus)
    return next(held, None)


def entry_at(facts: Facts, segment: int, bus: int) -> McfgEntry | None:
    """The first entry that holds one bus."""
    return entry_for(facts, segment, bus, bus)


def owners_of(facts: Facts, *entries: McfgEntry) -> Iterator[str]:
    """The names of the bridges that MCFG entries mean."""
    yield from dict.fromkeys(filter(None, map(facts.owner_of, entries)))


def bridges_of(facts: Facts, node: IortNode) -> Iterator[str]:
    """The names of the bridges whose ids come to an IORT node, at once or by way of others."""
    iort = facts.tables.iort
    wanted = {node.offset}
    for _ in range(_IORT_STEPS):
        nodes = () if iort is None else iort.nodes
        leading = (each for each in nodes if any(m.output_reference in wanted for m in each.mappings))
        wanted |= {each.offset for each in leading}
    segments = {data.segment for each, data in root_complexes(iort) if each.offset in wanted}
    for bridge in bridges(facts):
        if bridge.segment in segments:
            yield facts.name_of(bridge.path)


def root_complexes(iort: Iort | None) -> Iterator[tuple[IortNode, RootComplex]]:
    """The root complex nodes, in table order."""
    for node in () if iort is None else iort.nodes:
        if isinstance(node.data, RootComplex):
            yield node, node.data


def takes_iort(facts: Facts) -> bool:
    """Whether the machine is one whose ids IORT tells: Arm."""
    return facts.arch in ("arm64", "arm")


def consumed(devices: tuple[AcpiDevice, ...]) -> tuple[list[tuple[int, int]], bool]:
    """What devices surely consume, as (base, end), and whether that is all."""
    ranges: list[tuple[int, int]] = []
    certain = True
    for device in devices:
        if device.sta.known is not None and not device.sta.known & 1:
            continue
        template = device.crs.value
        certain = certain and (template is not None or device.crs.state != "unknown")
        sure = () if template is None else template.certain
        for item in () if template is None else template.resources:
            if item.type == "memory" and item in sure:
                ranges.append((item.cpu_minimum, item.cpu_minimum + item.length))
            elif item.type == "memory":
                certain = False
    return ranges, certain
