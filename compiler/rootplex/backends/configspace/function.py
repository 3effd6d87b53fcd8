"""All registers of one function: its header and its two lists of capabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rootplex.backends.configspace import capabilities as standard
from rootplex.backends.configspace import express, extended, virtual
from rootplex.backends.configspace.header import write_header
from rootplex.backends.configspace.page import CONVENTIONAL, PAGE, Page, Register, Table
from rootplex.backends.configspace.shape import Shape
from rootplex.formats.pci import Capability, ExtendedCapability
from rootplex.model.device import PCIE_TYPE, PORT_TYPES

INTEL, ISA_BRIDGE = 0x8086, 0x0601
CHIPSET: Table = (Register("root_complex_base", 0xF0, 4, 0xFED1_C001),)
"""An Intel chipset's own registers, where firmware puts them: on, at 0xfed1c000. Linux asks there whether
root ports known by id isolate (`quirks.c:pci_quirk_enable_intel_lpc_acs`)."""

FIRST, FIRST_EXTENDED = 0x40, 0x100


class Entry(NamedTuple):
    """An entry of a capability list; `size` is rounded up to dwords."""

    id: int
    size: int
    write: Callable[[Page, int, Shape], None]
    version: int = 1


def function_page(shape: Shape) -> Page:
    """The pages of a function. Its capabilities follow each other in a fixed order, without gaps."""
    page = Page()
    if shape.type not in PCIE_TYPE:
        # A conventional function has no extended space: reads of it give all ones.
        page.reset[CONVENTIONAL:] = b"\xff" * (PAGE - CONVENTIONAL)
    if shape.vendor == INTEL and shape.class_code >> 8 == ISA_BRIDGE:
        page.write(0, CHIPSET)
    write_header(page, shape, write_capabilities(page, shape, _standard(shape)))
    write_extended(page, shape, _extended(shape))
    return page


def virtual_page(shape: Shape) -> Page:
    """The pages that every VF of a function of this shape has."""
    page = Page()
    own = virtual.shape_of_virtual(shape)
    listed = [Entry(Capability.EXPRESS, express.SIZE, virtual.write_express)]
    if own.msix:
        listed.append(Entry(Capability.MSIX, 0x0C, standard.write_msix))
    virtual.write_header(page, own, write_capabilities(page, own, listed))
    write_extended(page, own, [each for each in _extended(own) if each.id != ExtendedCapability.AER])
    return page


def write_capabilities(page: Page, shape: Shape, listed: list[Entry]) -> int:
    """Write the list from 0x40 on; returns where it begins, 0 for an empty one."""
    at = FIRST
    for n, each in enumerate(listed):
        behind = at + (each.size + 3 & ~3)
        page.reset[at] = each.id
        page.reset[at + 1] = behind if n + 1 < len(listed) else 0
        each.write(page, at, shape)
        at = behind
    return FIRST if listed else 0


def write_extended(page: Page, shape: Shape, listed: list[Entry]) -> None:
    """Write the list from 0x100 on; an empty one is a dword of zeros (PCIe 6.0 §7.6.3)."""
    at = FIRST_EXTENDED
    for n, each in enumerate(listed):
        behind = at + (each.size + 3 & ~3)
        next = behind if n + 1 < len(listed) else 0
        page.reset[at : at + 4] = (each.id | each.version << 16 | next << 20).to_bytes(4, "little")
        each.write(page, at, shape)
        at = behind


def _standard(shape: Shape) -> list[Entry]:
    listed = []
    if shape.is_bridge and shape.subsystem is not None:
        listed.append(Entry(Capability.SUBSYSTEM, 0x08, standard.write_subsystem))
    if shape.pm:
        listed.append(Entry(Capability.POWER_MANAGEMENT, 0x08, standard.write_power))
    if shape.msi:
        listed.append(Entry(Capability.MSI, 0x0E, standard.write_msi))
    if shape.msix:
        listed.append(Entry(Capability.MSIX, 0x0C, standard.write_msix))
    if shape.type in PCIE_TYPE:
        listed.append(Entry(Capability.EXPRESS, express.SIZE, express.write_express))
    return listed


def _extended(shape: Shape) -> list[Entry]:
    if shape.type not in PCIE_TYPE:
        return []
    listed = [Entry(ExtendedCapability.AER, extended.AER_SIZE, extended.write_aer, version=2)]
    if shape.acs is not None:
        listed.append(Entry(ExtendedCapability.ACS, extended.acs_size(shape), extended.write_acs))
    if shape.ari and shape.type not in PORT_TYPES:
        listed.append(Entry(ExtendedCapability.ARI, 0x08, extended.write_ari))
    if shape.ats:
        listed.append(Entry(ExtendedCapability.ATS, 0x08, extended.write_ats))
    if shape.sriov is not None:
        listed.append(Entry(ExtendedCapability.SRIOV, extended.SRIOV_SIZE, extended.write_sriov))
    return listed
