"""What the artifacts say, parsed once: the facts that Xen and Dom0 both start from."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rootplex.formats.devicetree import MapCells
from rootplex.readers.acpi.aml import evaluate
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.iort import read_iort
from rootplex.readers.acpi.iort_facts import Iort
from rootplex.readers.acpi.mcfg import Mcfg, read_mcfg
from rootplex.readers.hostbridge import DtHostBridge, pci_host_bridges
from rootplex.readers.platform_dt import DtPlatform, read_platform
from rootplex.readers.tree import Tree


class DtFirmware(Struct, frozen=True):
    """A device tree: the blob, its host bridges in document order, and the platform around."""

    tree: Tree
    bridges: tuple[DtHostBridge, ...]
    platform: DtPlatform


class AcpiFirmware(Struct, frozen=True):
    """ACPI: all tables, the namespace of DSDT and SSDTs, and the first MCFG and IORT (None:
    absent), which is the one an operating system takes."""

    tables: tuple[Table, ...]
    namespace: Namespace
    mcfg: Mcfg | None = None
    iort: Iort | None = None

    def has_table(self, *signatures: str) -> bool:
        """Whether a table of one of the signatures is there."""
        return any(table.signature in signatures for table in self.tables)


def dt_firmware(tree: Tree, cells: MapCells) -> DtFirmware:
    """The facts of a tree; `cells` is how wide this reader takes iommu-map and msi-map entries."""
    return DtFirmware(tree, pci_host_bridges(tree, cells), read_platform(tree))


def acpi_firmware(tables: Sequence[Table]) -> AcpiFirmware:
    """The facts of ACPI tables. Raises `Unreadable` where MCFG, IORT or the AML cannot be read."""
    mcfg = next((table for table in tables if table.signature == "MCFG"), None)
    iort = next((table for table in tables if table.signature == "IORT"), None)
    return AcpiFirmware(
        tuple(tables),
        evaluate(tables),
        None if mcfg is None else read_mcfg(mcfg),
        None if iort is None else read_iort(iort),
    )
