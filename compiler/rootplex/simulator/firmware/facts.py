"""What the artifacts say, parsed once: the facts that Xen and Dom0 both start from."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rootplex.formats.devicetree import MapCells
from rootplex.readers.acpi.aml import evaluate
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.tables import AcpiTables
from rootplex.readers.hostbridge import DtHostBridge, pci_host_bridges
from rootplex.readers.platform_dt import DtPlatform, read_platform
from rootplex.readers.tree import Tree


class DtFirmware(Struct, frozen=True):
    """A device tree: the blob, its host bridges in document order, and the platform around."""

    tree: Tree
    bridges: tuple[DtHostBridge, ...]
    platform: DtPlatform


class AcpiFirmware(AcpiTables, frozen=True, dict=True):
    """ACPI: all tables, and the namespace of DSDT and SSDTs."""

    namespace: Namespace


def dt_firmware(tree: Tree, cells: MapCells) -> DtFirmware:
    """The facts of a tree; `cells` is how wide this reader takes iommu-map and msi-map entries."""
    return DtFirmware(tree, pci_host_bridges(tree, cells), read_platform(tree))


def acpi_firmware(tables: Sequence[Table]) -> AcpiFirmware:
    """The facts of ACPI tables. Tables that stand alone have an empty namespace. Raises `Unreadable` where
    the AML cannot be read."""
    known = AcpiTables(tuple(tables))
    if known.tables and not known.has_aml:
        return AcpiFirmware(known.tables, Namespace(known.tables[0].file, (), (), (), has_aml=False))
    return AcpiFirmware(known.tables, evaluate(tables))
