"""`import`: a source to a description, and the description to text."""

from __future__ import annotations

from rootplex.frontends.document import Imported
from rootplex.jobs.sources import Source
from rootplex.source.node import Node


def import_source(source: Source) -> Imported:
    """The description that a source tells of; Unreadable where it tells of no host bridge."""
    if source.snapshot is not None:
        from rootplex.frontends.snapshot import import_snapshot

        return import_snapshot(source.snapshot)
    if source.tree is not None:
        from rootplex.frontends.devicetree import import_tree

        return import_tree(source.tree)
    if source.kind == "lspci":
        from rootplex.frontends.lspci import import_lspci

        return import_lspci(source.text, source.file)
    from rootplex.frontends.acpi import import_acpi, source_of

    return import_acpi(source_of(source.tables, source.file))


def heading_of(source: Source) -> Node:
    """`platform` of tables that stand alone: the OEM's name, and the architecture as far as they tell it."""
    from rootplex.frontends.acpi import heading, source_of
    from rootplex.readers.acpi.aml_facts import Namespace

    return heading(source_of(source.tables, source.file, Namespace(source.file, (), (), (), has_aml=False)))


def description_text(description: Imported) -> str:
    """As YAML with remarks."""
    from rootplex.frontends.writer import to_yaml

    return to_yaml(description.document)
