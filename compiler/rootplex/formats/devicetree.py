"""What a device tree of PCI is made of, by name."""

from __future__ import annotations

from enum import Enum


class MapCells(Enum):
    """How wide the output specifier of an `iommu-map` or `msi-map` entry is taken."""

    ONE = "one"
    """One cell, whatever the target says (Linux 6.1 and 6.12, Xen)."""
    TARGET = "target"
    """The target's own `#…-cells`, 1 where absent (Linux 7.2)."""
