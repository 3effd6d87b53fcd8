"""What the artifacts say, parsed once: the facts that Xen and Dom0 both start from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

from msgspec import Struct

from rootplex.formats.devicetree import MapCells
from rootplex.readers.acpi.aml import evaluate
from rootplex.readers.acpi.aml_facts import AcpiHostBridge, Namespace
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.tables import AcpiTables
from rootplex.readers.hostbridge import DtHostBridge, pci_host_bridges
from rootplex.readers.platform_dt import DtController, DtPlatform, read_platform
from rootplex.readers.tree import Tree
from rootplex.simulator.function import Root


class DtFirmware(Struct, frozen=True, dict=True):
    """A device tree: the blob, its host bridges in document order, and the platform around."""

    tree: Tree
    bridges: tuple[DtHostBridge, ...]
    platform: DtPlatform

    def bridge_of(self, root: Root) -> DtHostBridge | None:
        """The node of a root bridge: by path, or (Dom0 booted by ACPI) the enabled one that says
        the same segment and first bus."""
        by_path = self._by_path.get(root.path)
        if by_path is not None:
            return by_path
        return self._by_number.get((root.segment, root.first_bus))

    def bridge_at(self, path: str) -> DtHostBridge | None:
        """The host bridge whose node is at a path."""
        return self._by_path.get(path)

    def controller(self, path: str) -> DtController | None:
        return self._controllers.get(path)

    def lost(self, path: str) -> str | None:
        """Why no driver comes up for the controller at a path; None where one can."""
        found = self._controllers.get(path)
        return None if found is None or found.unreachable is None else found.unreachable.text

    @cached_property
    def _by_path(self) -> dict[str, DtHostBridge]:
        return {bridge.path: bridge for bridge in self.bridges}

    @cached_property
    def _by_number(self) -> dict[tuple[int | None, int], DtHostBridge]:
        found: dict[tuple[int | None, int], DtHostBridge] = {}
        for bridge in self.bridges:
            if bridge.is_on:
                first = bridge.bus_range[0] if bridge.bus_range else 0
                found.setdefault((bridge.segment or 0, first), bridge)
        return found

    @cached_property
    def _controllers(self) -> dict[str, DtController]:
        return {controller.path: controller for controller in self.platform.controllers}


class AcpiFirmware(AcpiTables, frozen=True, dict=True):
    """ACPI: all tables, and the namespace of DSDT and SSDTs."""

    namespace: Namespace

    def bridge_of(self, root: Root) -> AcpiHostBridge | None:
        """The device of a root bridge: by path, or (Dom0 booted by device tree) the one that says
        the same segment, and if there are several the same first bus."""
        by_path = self._by_path.get(root.path)
        if by_path is not None:
            return by_path
        same = [b for b in self.namespace.bridges if (b.segment or 0) == root.segment]
        exact = [bridge for bridge in same if bridge.bbn.known == root.first_bus]
        return next(iter(exact or same), None)

    @cached_property
    def _by_path(self) -> dict[str, AcpiHostBridge]:
        return {bridge.path: bridge for bridge in self.namespace.bridges}


Firmware: TypeAlias = DtFirmware | AcpiFirmware


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
