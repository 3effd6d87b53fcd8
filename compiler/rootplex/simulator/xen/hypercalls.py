"""The operations as data, and the checks before any of them: existence, privilege, switch, pointer.

Numbers and layouts of `public/physdev.h` and `public/domctl.h` (§2.1), where each exists (§2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from rootplex.simulator.xen import domctl, physdev
from rootplex.simulator.xen.core import Core
from rootplex.simulator.xen.errno import Errno
from rootplex.simulator.xen.records import DOM0

X86 = frozenset({"x86_64"})
BOTH = frozenset({"x86_64", "arm64"})
"""Hypervisors with PCI: a 32-bit Arm Xen and one for RISC-V have none at all (§1.1)."""

PHYSDEV: Literal[33] = 33
DOMCTL: Literal[36] = 36
Fields = tuple[tuple[str, int], ...]
Answer = int | tuple[int, tuple[int, ...]]

BDF: Fields = (("bus", 8), ("devfn", 8))
SBDF: Fields = (("seg", 16), *BDF)
PHYSFN: Fields = (("physfn_bus", 8), ("physfn_devfn", 8))
ASSIGN: Fields = (("domain", 16), ("dev", 32), ("flags", 32), ("machine_sbdf", 32))


class Operation(Struct, frozen=True):
    """One operation. `hypercall` and `number` are the ABI's; `fields` (name, bits) in the order of
    the structure; `optional` ones may be left out. `switch`: answers -EOPNOTSUPP on Arm while
    neither pci-passthrough nor the IOMMU is on."""

    hypercall: Literal[33, 36]
    number: int
    name: str
    fields: Fields
    where: frozenset[str]
    handler: Callable[[Core, dict[str, int]], Answer]
    optional: Fields = ()
    switch: bool = False


OPERATIONS = (
    Operation(PHYSDEV, 15, "manage_pci_add", BDF, X86, physdev.manage_pci_add),
    Operation(PHYSDEV, 16, "manage_pci_remove", BDF, X86, physdev.manage_pci_remove),
    Operation(PHYSDEV, 19, "restore_msi", BDF, X86, physdev.restore_msi),
    Operation(
        PHYSDEV,
        20,
        "manage_pci_add_ext",
        (*BDF, ("is_extfn", 32), ("is_virtfn", 32), *PHYSFN),
        X86,
        physdev.manage_pci_add_ext,
    ),
    Operation(
        PHYSDEV,
        24,
        "pci_mmcfg_reserved",
        (("address", 64), ("segment", 16), ("start_bus", 8), ("end_bus", 8), ("flags", 32)),
        X86,
        physdev.pci_mmcfg_reserved,
    ),
    Operation(
        PHYSDEV,
        25,
        "pci_device_add",
        (*SBDF, ("flags", 32), *PHYSFN),
        BOTH,
        physdev.pci_device_add,
        optional=(("pxm", 32),),
        switch=True,
    ),
    Operation(PHYSDEV, 26, "pci_device_remove", SBDF, BOTH, physdev.pci_device_remove, switch=True),
    Operation(PHYSDEV, 27, "restore_msi_ext", SBDF, X86, physdev.restore_msi),
    Operation(PHYSDEV, 30, "prepare_msix", SBDF, X86, physdev.prepare_msix),
    Operation(PHYSDEV, 31, "release_msix", SBDF, X86, physdev.release_msix),
    Operation(
        PHYSDEV, 32, "pci_device_reset", (*SBDF, ("flags", 32)), BOTH, physdev.pci_device_reset, switch=True
    ),
    Operation(DOMCTL, 37, "assign_device", ASSIGN, BOTH, domctl.assign_device),
    Operation(DOMCTL, 45, "test_assign_device", ASSIGN, BOTH, domctl.test_assign_device),
    Operation(DOMCTL, 47, "deassign_device", ASSIGN, BOTH, domctl.deassign_device),
    Operation(
        DOMCTL,
        50,
        "get_device_group",
        (("domain", 16), ("machine_sbdf", 32), ("max", 32)),
        BOTH,
        domctl.get_device_group,
    ),
)

BY_NAME: Mapping[str, Operation] = {operation.name: operation for operation in OPERATIONS}


def dispatch(core: Core, name: str, args: Mapping[str, int] | None, caller: int, where: str) -> Answer:
    """Do one operation. `args` None is a bad pointer; fields left out are 0; values are cut to
    their width, as a structure of that layout carries no more. `where` is the architecture whose
    operations exist here.

    Errors before the handler's: -ENOSYS (no such operation here), -EPERM (not Dom0),
    -EOPNOTSUPP (switched off), -EFAULT (bad pointer).
    """
    operation = BY_NAME.get(name)
    if operation is None or where not in operation.where:
        return -Errno.ENOSYS
    if caller != DOM0:
        return -Errno.EPERM
    if operation.switch and not core.x86 and not core.passthrough and core.iommu is None:
        return -Errno.EOPNOTSUPP
    if args is None:
        return -Errno.EFAULT
    return operation.handler(core, fitted(operation, args))


def fitted(operation: Operation, args: Mapping[str, int]) -> dict[str, int]:
    """The fields as the structure carries them."""
    given = {name: args.get(name, 0) & (1 << bits) - 1 for name, bits in operation.fields}
    extra = {name: args[name] & (1 << bits) - 1 for name, bits in operation.optional if name in args}
    return given | extra
