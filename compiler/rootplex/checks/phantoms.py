"""Requester ids beside its own that Xen knows of a function, and what has it know more (xen.md §2.4).

Xen has no list of devices known by id: a function's phantom functions are those of its Device Capabilities,
or of the boot option `pci-phantom=` (`xen/drivers/passthrough/pci.c`, parse_phantom_dev and alloc_pdev).
"""

from __future__ import annotations

from rootplex.simulator.function import Function
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.records import Record

STRIDES = (4, 2, 1)


def ids_beside(function: Function) -> list[int]:
    """The devfns on its bus that a function also uses and that are no function's."""
    return sorted({each for each in function.aliases if function.bus.at(each) is None})


def phantom_stride(function: Function) -> int | None:
    """The stride by which Xen is told of the ids that a function also uses; None where it uses none beside
    its own and real functions', 0 where they cannot be said: PCIe endpoints only, within the slot."""
    others = ids_beside(function)
    if not others:
        return None
    own = function.devfn
    if function.pcie_type != 0 or any(each >> 3 != own >> 3 or each < own for each in others):
        return 0
    fits = (each for each in STRIDES if each > own & 7 and all((it - own) % each == 0 for it in others))
    return next(fits, 0)


def unknown_ids(core: Core, record: Record, function: Function) -> list[int]:
    """The devfns on its bus that a function also uses and that Xen does not take for its owner's. An id that
    IVRS has for its requests is known: that one's entry is the device's (`get_dma_requestor_id`)."""
    known = set(record.functions())
    used = core.group_of(record)
    if used is not None and used >> 8 == record.bus:
        known.add(used & 0xFF)
    for devfn in function.aliases:
        other = core.records.find(record.segment, record.bus, devfn)
        if other is not None and other.owner == record.owner:
            known.add(devfn)
    return sorted(set(function.aliases) - known)
