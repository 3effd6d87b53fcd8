"""The properties and compatible strings of PCI in a device tree: what they are called, and their form."""

from __future__ import annotations

from enum import Enum

SPACE_CODES = {"config": 0, "io": 1, "mem32": 2, "mem64": 3}
SPACE_SHIFT = 24
PREFETCHABLE = 1 << 30
"""The first cell of a PCI address (IEEE 1275's PCI binding §2.2.1.1): two bits of space, and a flag."""

CONFIG_REG_NAMES = ("cfg", "config", "ecam", "config_axi_slave")
"""What vendors call the `reg` entry of their configuration space."""

GENERIC_ECAM, GENERIC_CAM = "pci-host-ecam-generic", "pci-host-cam-generic"
VIRTIO_IOMMU = frozenset({"virtio,pci-iommu", "pci1af4,1057"})
"""Compatibles of a virtio-iommu that is a PCI function (devicetree binding virtio/pci-iommu.yaml)."""

VIRTIO_MMIO = "virtio,mmio"
"""Of a virtio device with registers: where a map of ids leads, a virtio-iommu (binding virtio/mmio.yaml)."""

RISCV_IOMMU = frozenset({"riscv,iommu", "riscv,pci-iommu"})
"""Of RISC-V's IOMMU, with registers of its own and as a PCI function (binding iommu/riscv,iommu.yaml)."""

GENERIC = {"ecam": GENERIC_ECAM, "quirk": GENERIC_ECAM, "cam": GENERIC_CAM}
"""The compatible of a host bridge that needs no driver of its own, by its kind of configuration space."""


MADE = frozenset(
    {
        "compatible", "device_type", "reg", "reg-names", "bus-range", "linux,pci-domain", "numa-node-id",
        "#address-cells", "#size-cells", "#interrupt-cells", "ranges", "dma-ranges", "dma-coherent",
        "interrupt-map", "interrupt-map-mask", "msi-map", "msi-map-mask", "msi-parent", "iommu-map",
        "iommu-map-mask", "ats-supported", "linux,pci-probe-only", "status", "phandle", "linux,phandle",
        "name", "dma-noncoherent", "msi-controller",
    }
)  # fmt: skip
"""Made by us: properties of a host bridge that the language has keys for, and what `dtc` puts there."""

FIXED_CELLS = {
    "linux,pci-domain": 1,
    "bus-range": 2,
    "iommu-map-mask": 1,
    "msi-map-mask": 1,
    "numa-node-id": 1,
    "linux,pci-probe-only": 1,
}
"""Properties of a host bridge that have a fixed number of cells, and that number."""

VITAL = {"reg", "ranges", "#address-cells", "#size-cells", "linux,pci-domain"}
LESSER = {"dma-ranges", "numa-node-id", "iommu-map-mask", "msi-map-mask", "#interrupt-cells"}
"""Where one of these is malformed, what cannot be read makes the bridge useless; with the lesser it loses
something."""

DECIMAL_BELOW = {
    "#address-cells": 10,
    "#clock-cells": 10,
    "#global-interrupts": 1000,
    "#gpio-cells": 10,
    "#interrupt-cells": 10,
    "#iommu-cells": 10,
    "#msi-cells": 10,
    "#redistributor-regions": 1000,
    "#size-cells": 10,
    "arm,msi-base-spi": 1024,
    "arm,msi-num-spis": 1024,
    "bank-width": 10,
    "clock-frequency": 1 << 32,
    "gpios": 10,
    "interrupt-map": 1024,
    "interrupt-map-mask": 10,
    "interrupts": 1024,
    "linux,code": 1024,
    "linux,pci-domain": 1 << 32,
    "linux,pci-probe-only": 10,
    "numa-node-id": 1 << 32,
}
"""Property → the numbers below this are written in decimal (an interrupt map's SPIs, not its devices)."""


class MapCells(Enum):
    """How wide the output specifier of an `iommu-map` or `msi-map` entry is taken."""

    ONE = "one"
    """One cell, whatever the target says (Linux 6.1 and 6.12, Xen)."""
    TARGET = "target"
    """The target's own `#…-cells`, 1 where absent (Linux 7.2)."""
