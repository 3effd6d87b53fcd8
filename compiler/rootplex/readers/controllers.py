"""PCI host controllers by compatible string, and how their configuration space departs from ECAM.

The kinds are those of linux-pci §1.13, read from Linux `drivers/pci/controller/` (7.2): A an
access size restriction; B registers multiplexed through a window; C the ECAM layout with special
cases; none of them: plain ECAM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Layout: TypeAlias = Literal["ecam", "cam", "windowed", "quirk"]


@dataclass(frozen=True, slots=True)
class Controller:
    """One known compatible string. `kinds` is a subset of "ABC"; `layout` what follows from it:
    `windowed` with B, `quirk` with A or C alone, else `ecam` or `cam`."""

    compatible: str
    driver: str
    kinds: str
    layout: Layout
    first_bus_devices: tuple[int, ...] | None = None
    """Device numbers that answer on the first bus; None: any."""
