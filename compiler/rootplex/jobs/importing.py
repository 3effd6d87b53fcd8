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
    """The same of several, which must be what was pasted of one machine."""
    if len(sources) == 1:
        return import_source(sources[0])
    other = next((source for source in sources if source.paste is None), None)
    if other is not None:
        raise unreadable(
            other.file,
            f"{other.what}: of several files only what was pasted of one machine is imported together",
            help="import it alone; `rootplex validate` takes a board's firmware and pastes together",
        )
    from rootplex.jobs.pasted.simulation import import_pasted, pastes_of

    return import_pasted(pastes_of(sources))


def heading_of(source: Source) -> Node:
    """`platform` of tables that stand alone: the OEM's name, and the architecture as far as they tell it."""
    from rootplex.frontends.acpi import heading, source_of
    from rootplex.readers.acpi.aml_facts import Namespace

    return heading(source_of(source.tables, source.file, Namespace(source.file, (), (), (), has_aml=False)))


def description_text(description: Imported) -> str:
    """As YAML with remarks."""
    from rootplex.frontends.writer import to_yaml

    return to_yaml(description.document)
