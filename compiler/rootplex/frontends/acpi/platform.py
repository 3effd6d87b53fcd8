"""The whole description of a machine's ACPI tables."""

from __future__ import annotations

import re

from rootplex.frontends.acpi.bridge import bridge_record
from rootplex.frontends.acpi.controllers import AcpiControllers
from rootplex.frontends.acpi.source import AcpiSource
from rootplex.frontends.document import Imported, Missing, Names, imported, leaf, listing, record, tree
from rootplex.readers.acpi.header import Table
from rootplex.source.finding import unreadable
from rootplex.source.node import Node


def import_acpi(source: AcpiSource) -> Imported:
    """The description of the namespace's host bridges; Unreadable where it has none."""
    bridges = source.namespace.bridges
    if not bridges:
        raise unreadable(source.file, "the AML has no PCI host bridge (PNP0A03 or PNP0A08)")
    missing: list[Missing] = []
    names = Names()
    head = heading(source)
    place = head.place
    wanted = [_name(bridge.path) for bridge in bridges]
    bridge_names = [names.take(each, "pci") for each in wanted]
    controllers = AcpiControllers(source, names, missing, list(zip(bridges, bridge_names, strict=True)))
    missing.append(Missing("memory", "the firmware's memory map is not in the tables", place))
    records = [
        bridge_record(bridge, index, name, controllers)
        for index, (bridge, name) in enumerate(zip(bridges, bridge_names, strict=True))
    ]
    document = record(
        place,
        {
            "rootplex": leaf(1, place),
            "platform": head,
            **controllers.entries(),
            "host_bridges": listing(records, place),
        },
    )
    paths = [bridge.path for bridge in bridges]
    label = source.file.rpartition("/")[2]
    facing = [bridge.external_facing for bridge in bridges]
    return imported(source.file, document, paths, missing, f"the ACPI tables {label}", facing)


def heading(source: AcpiSource) -> Node:
    """`platform`, named after the OEM fields of the DSDT (the first AML table). Without AML, and without a
    table that only one architecture has, there is no `arch`."""
    aml = [table for table in source.tables if table.signature in ("DSDT", "SSDT", "MCFG")]
    table = next((each for each in aml if each.signature == "DSDT"), (aml or list(source.tables))[0])
    place = table.place()
    oem = _text(table.oem_id), _text(table.oem_table_id)
    tables = ("APIC", "IORT", "GTDT", "DMAR", "IVRS", "FACP", "RHCT", "RIMT")
    told = source.namespace.has_aml or source.has_table(*tables)
    return record(
        place,
        {
            "name": leaf(Names().take("-".join(part for part in oem if part), "machine"), place),
            "arch": leaf(source.arch, place) if told else None,
            "firmware": tree(["acpi"], place),
            "oem": _oem(table),
        },
        f"{table.name} header",
    )


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("latin-1").strip()


def _oem(table: Table) -> Node | None:
    """The OEM ids as they stand, where they are text."""
    ids = {"id": table.oem_id.rstrip(b"\0"), "table_id": table.oem_table_id.rstrip(b"\0")}
    if not all(re.fullmatch(rb"[ -~]+", value) for value in ids.values()):
        return None
    names = {key: value.decode("ascii") for key, value in ids.items()}
    return tree({**names, "revision": table.oem_revision}, table.place())


def _name(path: str) -> str:
    """The last name of an AML path, without the underscores that pad it."""
    return path.rpartition(".")[2].lstrip("\\").strip("_").lower()
