"""What routing reads: a device tree, ACPI, or both, and which part of each is for a root bridge."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.formats.devicetree import RISCV_IOMMU, VIRTIO_IOMMU
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.platform_dt import DtController
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware
from rootplex.simulator.firmware.routing.routes import FirmwareUnit, UnitKind
from rootplex.simulator.function import Root

Source: TypeAlias = Literal["dt", "acpi"]


class DtFacts(Struct, frozen=True, dict=True):
    """A device tree, with lookups by path."""

    firmware: DtFirmware

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

    def unit(self, path: str) -> FirmwareUnit:
        """An IOMMU or MSI controller by its node path."""
        found = self._controllers.get(path)
        if found is None:
            node = self.firmware.tree.by_path[path]
            other: UnitKind = "msi" if "msi-controller" in node.properties else "iommu"
            if VIRTIO_IOMMU.intersection(node.compatible):
                other = "virtio-iommu"
            if RISCV_IOMMU.intersection(node.compatible):
                other = "riscv-iommu"
            return FirmwareUnit(other, path, None, self.firmware.tree.place(node))
        kind: UnitKind = "msi" if found.kind == "gic" or found.kind == "interrupt" else found.kind
        return FirmwareUnit(kind, path, found.regs[0].cpu if found.regs else None, found.place)

    @cached_property
    def _by_path(self) -> dict[str, DtHostBridge]:
        return {bridge.path: bridge for bridge in self.firmware.bridges}

    @cached_property
    def _by_number(self) -> dict[tuple[int | None, int], DtHostBridge]:
        found: dict[tuple[int | None, int], DtHostBridge] = {}
        for bridge in self.firmware.bridges:
            if bridge.is_on:
                first = bridge.bus_range[0] if bridge.bus_range else 0
                found.setdefault((bridge.segment or 0, first), bridge)
        return found

    @cached_property
    def _controllers(self) -> dict[str, DtController]:
        return {controller.path: controller for controller in self.firmware.platform.controllers}


class Firmware(Struct, frozen=True):
    """Both firmwares of a platform; what is absent is None."""

    dt: DtFacts | None = None
    acpi: AcpiFirmware | None = None

    @classmethod
    def of(cls, dt: DtFirmware | None = None, acpi: AcpiFirmware | None = None) -> Firmware:
        return cls(None if dt is None else DtFacts(dt), acpi)
