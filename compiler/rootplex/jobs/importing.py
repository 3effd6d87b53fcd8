"""`import`: a source to a description, and the description to text."""

from __future__ import annotations

from collections.abc import Sequence

from rootplex.frontends.document import Imported
from rootplex.jobs.sources import Source
from rootplex.source.finding import unreadable
from rootplex.source.node import Node


def import_source(source: Source) -> Imported:
    """The description that a source tells of; Unreadable where it tells of no host bridge."""
    if source.snapshot is not None:
        from rootplex.frontends.snapshot import import_snapshot

        return import_snapshot(source.snapshot)
    if source.tree is not None:
        from rootplex.frontends.devicetree import import_tree

        return import_tree(source.tree, source.overlays)
    if source.paste is not None:
        from rootplex.jobs.pasted.simulation import import_pasted

        return import_pasted((source.paste,))
    from rootplex.frontends.acpi import import_acpi, source_of

    return import_acpi(source_of(source.tables, source.file))


def import_sources(sources: Sequence[Source]) -> Imported:
    """The same of several, which must be one machine's: what was pasted of it, and its firmware or a snapshot
    where there is one."""
    if len(sources) == 1:
        return import_source(sources[0])
    from rootplex.jobs.pasted.beside import with_pasted_devices
    from rootplex.jobs.pasted.simulation import import_pasted, pastes_of

    pastes = pastes_of(sources)
    firmware = [source for source in sources if source.paste is None]
    if not firmware:
        return import_pasted(pastes)
    if len(firmware) > 1 or not pastes:
        raise unreadable(
            firmware[1].file,
            f"{firmware[1].what}: a description is made of one firmware, or one snapshot, and of what was "
            "pasted of that machine",
            help="import it alone; `rootplex validate` holds two firmwares of one board against each other",
        )
    return with_pasted_devices(import_source(firmware[0]), pastes)


def heading_of(source: Source) -> Node:
    """`platform` of tables that stand alone: the OEM's name, and the architecture as far as they tell it."""
    from rootplex.frontends.acpi import heading, source_of
    from rootplex.readers.acpi.aml_facts import Namespace

    return heading(source_of(source.tables, source.file, Namespace(source.file, (), (), (), has_aml=False)))


def description_text(description: Imported) -> str:
    """As YAML with remarks."""
    from rootplex.frontends.writer import to_yaml

    return to_yaml(description.document)
