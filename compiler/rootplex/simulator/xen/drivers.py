"""The drivers of Xen on Arm that matter for PCI, as data: host bridges (§1.2) and IOMMUs (§1.9)."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase

from msgspec import Struct

from rootplex.formats.devicetree import GENERIC_ECAM
from rootplex.formats.errno import Errno
from rootplex.readers.tree import DtNode

FOLD = str.maketrans(ascii_uppercase, ascii_lowercase)


class BridgeDriver(Struct, frozen=True):
    """A host bridge driver. `window` and `child` name entries of `reg-names`; `window` None is
    `reg` entry 0, `child` None is no child window. `needs` are further entries whose absence
    nobody checks: the probe dereferences what was never found."""

    name: str
    compatible: tuple[str, ...]
    window: str | None = None
    child: str | None = None
    needs: tuple[str, ...] = ()


BRIDGE_DRIVERS = (
    BridgeDriver("pci-host-generic", (GENERIC_ECAM,)),
    BridgeDriver("pci-host-zynqmp", ("xlnx,nwl-pcie-2.11",), window="cfg"),
    BridgeDriver(
        "pci-host-rcar4",
        ("renesas,r8a779f0-pcie", "renesas,r8a779g0-pcie"),
        window="dbi",
        child="config",
        needs=("atu", "app"),
    ),
)


class IommuDriver(Struct, frozen=True):
    """An IOMMU driver. `removes`: it has a remove hook (without one, removing an owned device
    jumps to address 0, §2.5). `exclusive`: a stream belongs to one function, a second is a BUG.
    `unknown`: its answer to a device that is behind no IOMMU of its own; `id_mask`: the bits of a
    stream id that it looks at."""

    name: str
    compatible: tuple[str, ...]
    removes: bool
    exclusive: bool
    unknown: Errno = Errno.ENODEV
    id_mask: int = 0xFFFFFFFF


IOMMU_DRIVERS = (
    IommuDriver("smmu-v3", ("arm,smmu-v3",), removes=False, exclusive=True),
    IommuDriver(
        "smmu-v2",
        ("arm,smmu-v1", "arm,smmu-v2", "arm,mmu-400", "arm,mmu-401", "arm,mmu-500", "cavium,smmu-v2"),
        removes=True,
        exclusive=False,
        unknown=Errno.ENXIO,
        id_mask=0x7FFF,
    ),
    IommuDriver(
        "ipmmu-vmsa",
        (
            "renesas,ipmmu-r8a7795",
            "renesas,ipmmu-r8a77965",
            "renesas,ipmmu-r8a7796",
            "renesas,ipmmu-r8a77961",
            "renesas,ipmmu-r8a779f0",
            "renesas,ipmmu-r8a779g0",
        ),
        removes=False,
        exclusive=False,
    ),
)


def folded(text: str) -> str:
    """Without case, as Xen compares compatible strings, device types and node names
    (`dt_compat_cmp`, `dt_node_cmp`: strcasecmp)."""
    return text.translate(FOLD)


def is_compatible(node: DtNode, compatible: Iterable[str]) -> bool:
    """Whether any of the node's compatible strings is one of these."""
    return not {folded(own) for own in node.compatible}.isdisjoint(compatible)


def has_device_type(node: DtNode, type_: str) -> bool:
    """`dt_device_type_is_equal`."""
    return folded(node.string("device_type") or "") == type_


def bridge_driver(node: DtNode) -> BridgeDriver | None:
    """The host bridge driver of a node, by any of its compatible strings; its status is not asked."""
    return next((driver for driver in BRIDGE_DRIVERS if is_compatible(node, driver.compatible)), None)


def iommu_driver(node: DtNode) -> IommuDriver | None:
    """The IOMMU driver of a node, likewise."""
    return next((driver for driver in IOMMU_DRIVERS if is_compatible(node, driver.compatible)), None)


def is_claimable(node: DtNode) -> bool:
    """Whether Xen offers the node to its drivers: enabled by its own `status`, not `xen,passthrough`."""
    return node.is_enabled and "xen,passthrough" not in node.properties
