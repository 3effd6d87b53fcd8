"""The operations as data, and the checks before any of them: existence, privilege, switch, pointer.

Numbers and layouts of `public/physdev.h` and `public/domctl.h` (§2.1), where each exists (§2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from rootplex.formats.errno import Errno
from rootplex.formats.hypercalls import (
    AssignDevice,
    GetDeviceGroup,
    ManagePci,
    ManagePciExt,
    PciDevice,
    PciDeviceAdd,
    PciDeviceReset,
    PciMmcfgReserved,
    Structure,
    filled,
)
from rootplex.simulator.xen import domctl, msix, physdev
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.records import DOM0

X86 = frozenset({"x86_64"})
BOTH = frozenset({"x86_64", "arm64"})
"""Hypervisors with PCI: a 32-bit Arm Xen and one for RISC-V have none at all (§1.1)."""

WITHOUT_PCI = frozenset({"arm", "arm64-without-pci"})

PHYSDEV: Literal[33] = 33
DOMCTL: Literal[36] = 36
Answer = int | tuple[int, tuple[int, ...]]
Handler = Callable[[Core, Any], Answer]


class Operation(Struct, frozen=True):
    """One operation. `hypercall` and `number` are the ABI's; `structure` is what it is given.
    `switch`: answers -EOPNOTSUPP on Arm while neither pci-passthrough nor the IOMMU is on."""

    hypercall: Literal[33, 36]
    number: int
    name: str
    structure: type[Structure]
    where: frozenset[str]
    handler: Handler
    switch: bool = False


OPERATIONS = (
    Operation(PHYSDEV, 15, "manage_pci_add", ManagePci, X86, physdev.manage_pci_add),
    Operation(PHYSDEV, 16, "manage_pci_remove", ManagePci, X86, physdev.manage_pci_remove),
    Operation(PHYSDEV, 19, "restore_msi", ManagePci, X86, msix.restore_msi),
    Operation(PHYSDEV, 20, "manage_pci_add_ext", ManagePciExt, X86, physdev.manage_pci_add_ext),
    Operation(PHYSDEV, 24, "pci_mmcfg_reserved", PciMmcfgReserved, X86, physdev.pci_mmcfg_reserved),
    Operation(PHYSDEV, 25, "pci_device_add", PciDeviceAdd, BOTH, physdev.pci_device_add, switch=True),
    Operation(PHYSDEV, 26, "pci_device_remove", PciDevice, BOTH, physdev.pci_device_remove, switch=True),
    Operation(PHYSDEV, 27, "restore_msi_ext", PciDevice, X86, msix.restore_msi_ext),
    Operation(PHYSDEV, 30, "prepare_msix", PciDevice, X86, msix.prepare_msix),
    Operation(PHYSDEV, 31, "release_msix", PciDevice, X86, msix.release_msix),
    Operation(PHYSDEV, 32, "pci_device_reset", PciDeviceReset, BOTH, physdev.pci_device_reset, switch=True),
    Operation(DOMCTL, 37, "assign_device", AssignDevice, BOTH, domctl.assign_device),
    Operation(DOMCTL, 45, "test_assign_device", AssignDevice, BOTH, domctl.test_assign_device),
    Operation(DOMCTL, 47, "deassign_device", AssignDevice, BOTH, domctl.deassign_device),
    Operation(DOMCTL, 50, "get_device_group", GetDeviceGroup, BOTH, domctl.get_device_group),
)

BY_NAME: Mapping[str, Operation] = {operation.name: operation for operation in OPERATIONS}


def dispatch(
    core: Core, name: str, args: Structure | Mapping[str, int] | None, caller: int, where: str
) -> Answer:
    """Do one operation. `args` None is a bad pointer; a mapping is put into the operation's structure.
    `where` is the architecture whose operations exist here.

    Errors before the handler's: -ENOSYS (no such operation here), -EPERM (not Dom0),
    -EOPNOTSUPP (switched off), -EFAULT (bad pointer).
    """
    operation = BY_NAME.get(name)
    handler = None if operation is None else _handler(core, operation, where)
    if operation is None or handler is None:
        return -Errno.ENOSYS
    if caller != DOM0:
        return -Errno.EPERM
    if operation.switch and not core.x86 and not core.passthrough and core.iommu is None:
        return -Errno.EOPNOTSUPP
    if args is None:
        return -Errno.EFAULT
    return handler(core, args if isinstance(args, Structure) else filled(operation.structure, args))


def _handler(core: Core, operation: Operation, where: str) -> Handler | None:
    """What does the operation in this Xen; None: there is no such operation."""
    if operation.name == "pci_device_reset" and not core.version.device_reset:
        return None
    if where in operation.where:
        return operation.handler
    return domctl.without_pci if operation.hypercall == DOMCTL and where in WITHOUT_PCI else None
