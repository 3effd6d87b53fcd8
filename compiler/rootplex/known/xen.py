"""The Xen hypervisors that we know: what differs between their versions, as data.

| profile | what it is | read in |
|---|---|---|
| `xen-4.17` | Debian 12's, a release build | branch stable-4.17 (4.17.7) |
| `xen-4.20` | Debian 13's, a release build | branch stable-4.20 (4.20.4) |
| `xen-unstable` | the reference's commit c447b7308b (4.23), a debug build | that commit |
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace


class XenVersion(Struct, frozen=True, kw_only=True):
    """One Xen. In brackets: the function or option where the versions differ.

    `debug`: lists are checked (ASSERT in `list_del`) and freed memory is overwritten.
    `arm_pci`: a build for arm64 can have PCI at all (PCI_PASSTHROUGH in `arch/arm/Kconfig`).
    `strict_numbers`: a device tree number of more than two cells is an assertion (`dt_read_number`).
    `device_reset`: `PHYSDEVOP_pci_device_reset` is known (`pci_physdev_op`).
    `vf_list`: VFs are linked to their PF: a report without its PF is refused, a PF with VFs is not
    removed (`pci_add_device`, `pci_remove_device`). Without it a missing PF is added with its VF.
    `pf_followed`: a VF's MSI-X is found by its link to the PF alone (`read_pci_mem_bar`). Without it the
    PF that the last report named is read, and the link, if there is one, for the sizes.
    `vf_io_bar_hangs`: sizing VF BARs does not step over one in I/O space (`pci_add_device`).
    `reverse_bridges`: a PCI-to-PCIe bridge is in the bus table (`alloc_pdev`, `free_pdev`).
    `extended_flag`: a record remembers whether its extended configuration space can be reached, and
    it is looked at again when Dom0 speaks of MCFG (`pci_check_extcfg`). Without it the capability
    list is tried each time.
    `vpci_follows`: vPCI is taken down and set up with each assignment (`assign_device`,
    `deassign_device`).
    `removal_asks_owner`: on x86 the owner of a record that is removed is asked for vPCI, though it may
    have none (`vpci_remove_device`).
    `holes_are_fine`: an MCFG area in a hole of the memory map will do with a BIOS of 2016 or later
    (`pci_mmcfg_reject_broken`).
    `memory_status`: a disabled memory node is none (`bootfdt.c:early_scan_node`).
    """

    name: str
    debug: bool = True
    arm_pci: bool = True
    strict_numbers: bool = True
    device_reset: bool = True
    vf_list: bool = True
    pf_followed: bool = True
    vf_io_bar_hangs: bool = False
    reverse_bridges: bool = True
    extended_flag: bool = True
    vpci_follows: bool = True
    removal_asks_owner: bool = False
    holes_are_fine: bool = True
    memory_status: bool = True


_UNSTABLE = XenVersion(name="xen-unstable")
_4_20 = replace(
    _UNSTABLE,
    name="xen-4.20",
    debug=False,
    arm_pci=False,
    strict_numbers=False,
    pf_followed=False,
    extended_flag=False,
)
_4_17 = replace(
    _4_20,
    name="xen-4.17",
    device_reset=False,
    vf_list=False,
    vf_io_bar_hangs=True,
    reverse_bridges=False,
    vpci_follows=False,
    removal_asks_owner=True,
    holes_are_fine=False,
    memory_status=False,
)

VERSIONS: dict[str, XenVersion] = {each.name: each for each in (_4_17, _4_20, _UNSTABLE)}
DEFAULT = _UNSTABLE.name

DEBIAN = {_4_17.name: "bookworm", _4_20.name: "trixie"}
"""Profile to the suite of Debian that holds it."""

_NUMBERS = {_4_17.name: (4, 17), _4_20.name: (4, 20), _UNSTABLE.name: (4, 23)}


def version(name: str) -> XenVersion:
    """The profile of that name. Raises `KeyError` with the known names."""
    if name not in VERSIONS:
        raise KeyError(f"unknown Xen {name!r}; known: {', '.join(VERSIONS)}")
    return VERSIONS[name]


def profile_of(numbers: str) -> str | None:
    """The profile of a Xen that calls itself `4.17.5` or `4.23-unstable`; None where nobody has read it."""
    found = re.match(r"(\d+)\.(\d+)", numbers)
    version = None if found is None else (int(found[1]), int(found[2]))
    return next((name for name, mine in _NUMBERS.items() if mine == version), None)
