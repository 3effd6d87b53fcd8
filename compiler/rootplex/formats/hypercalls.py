"""What the hypercalls are given, as the structures of Xen's `public/physdev.h` and `public/domctl.h`
carry it: a class for each structure, with the width of every field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar, get_args, get_type_hints

from msgspec import Struct

U8 = Annotated[int, 8]
U16 = Annotated[int, 16]
U32 = Annotated[int, 32]
U64 = Annotated[int, 64]
"""Fields by their width in bits."""


class Structure(Struct, frozen=True, kw_only=True):
    """An operation's argument. Fields that are left out are 0, as in zeroed memory."""


class ManagePci(Structure, frozen=True, kw_only=True):
    """`physdev_manage_pci` and `physdev_restore_msi`: segment 0 is implied."""

    bus: U8 = 0
    devfn: U8 = 0


class ManagePciExt(Structure, frozen=True, kw_only=True):
    """`physdev_manage_pci_ext`: likewise; what the function is, as truth values."""

    bus: U8 = 0
    devfn: U8 = 0
    is_extfn: U32 = 0
    is_virtfn: U32 = 0
    physfn_bus: U8 = 0
    physfn_devfn: U8 = 0


class PciMmcfgReserved(Structure, frozen=True, kw_only=True):
    """`physdev_pci_mmcfg_reserved`: `address` is the configuration space of bus 0."""

    address: U64 = 0
    segment: U16 = 0
    start_bus: U8 = 0
    end_bus: U8 = 0
    flags: U32 = 0


class PciDevice(Structure, frozen=True, kw_only=True):
    """`physdev_pci_device`."""

    seg: U16 = 0
    bus: U8 = 0
    devfn: U8 = 0


FLAG_EXTFN, FLAG_VIRTFN, FLAG_PXM = 1, 2, 4


class PciDeviceAdd(Structure, frozen=True, kw_only=True):
    """`physdev_pci_device_add`; `pxm` is the first word of its optional array."""

    seg: U16 = 0
    bus: U8 = 0
    devfn: U8 = 0
    flags: U32 = 0
    physfn_bus: U8 = 0
    physfn_devfn: U8 = 0
    pxm: Annotated[int | None, 32] = None


class PciDeviceReset(Structure, frozen=True, kw_only=True):
    """`pci_device_reset`."""

    seg: U16 = 0
    bus: U8 = 0
    devfn: U8 = 0
    flags: U32 = 0


class AssignDevice(Structure, frozen=True, kw_only=True):
    """`xen_domctl_assign_device`, with the domain of the domctl itself."""

    domain: U16 = 0
    dev: U32 = 0
    flags: U32 = 0
    machine_sbdf: U32 = 0


class GetDeviceGroup(Structure, frozen=True, kw_only=True):
    """`xen_domctl_get_device_group`; at most `max` devices are told."""

    domain: U16 = 0
    machine_sbdf: U32 = 0
    max: U32 = 0


S = TypeVar("S", bound=Structure)
_WIDTHS: dict[type[Structure], dict[str, int]] = {}


def widths(structure: type[Structure]) -> dict[str, int]:
    """The fields of a structure and their widths in bits, in order."""
    if structure not in _WIDTHS:
        hints = get_type_hints(structure, include_extras=True)
        _WIDTHS[structure] = {name: get_args(hints[name])[1] for name in structure.__struct_fields__}
    return _WIDTHS[structure]


def filled(structure: type[S], args: Mapping[str, int]) -> S:
    """The structure with these fields, each cut to its width, as memory of that layout carries no
    more; names that it does not have are ignored."""
    known = widths(structure)
    return structure(**{name: args[name] & (1 << bits) - 1 for name, bits in known.items() if name in args})


def given(args: Structure) -> dict[str, int]:
    """The fields as one says them; optional ones only where they are there."""
    values = ((name, getattr(args, name)) for name in args.__struct_fields__)
    return {name: value for name, value in values if value is not None}
