"""The extended capabilities, from 0x100 on: AER, ACS, ARI, ATS, SR-IOV.

Sources: PCIe 6.0 §7.8.4 (AER), §7.7.11 (ACS), §7.8.8 (ARI), §10.5.1 (ATS), §9.3.3 (SR-IOV). Every
structure's first dword, id, version and next pointer, is the list's and not in its table.
"""

from __future__ import annotations

from rootplex.backends.configspace.header import write_bar
from rootplex.backends.configspace.page import Bits, Page, Register, Table
from rootplex.backends.configspace.shape import Shape
from rootplex.formats.pci import ACS_BITS, ARI_HIERARCHY, VF_ENABLE, VF_MEMORY, SriovRegister
from rootplex.known.devices import rows_of

EGRESS_VECTOR_BITS = 32  # one bit a port number or function: what a vector of one dword holds

# DLP, poisoned, flow control, completion timeout, completer abort, unexpected completion, receiver
# overflow, malformed, unsupported request; ACS violation where there is ACS
UNCORRECTABLE = 0x0017_F010
ACS_VIOLATION = 0x0020_0000
FATAL = 0x0006_2010  # of these: DLP, flow control, overflow, malformed
CORRECTABLE = 0x0000_31C1
ADVISORY = 0x0000_2000

AER_TABLE: Table = (
    Register("uncorrectable_status", 0x04, 4),
    Register("uncorrectable_mask", 0x08, 4),
    Register("uncorrectable_severity", 0x0C, 4),
    Register("correctable_status", 0x10, 4, clears=CORRECTABLE),
    Register("correctable_mask", 0x14, 4, ADVISORY, writable=CORRECTABLE),
    Register("root_command", 0x2C, 4),
    Register("root_status", 0x30, 4),
)
AER_SIZE = 0x48
ROOT_COMMAND_RW, ROOT_ERRORS = 0x7, 0x7F

ACS_TABLE: Table = (Register("capabilities", 4, 2), Register("control", 6, 2))
ACS_DWORDS_TABLE: Table = (Register("capabilities", 4, 4), Register("control", 8, 4))
"""As some Intel ports have it, known by id (`quirks.c:pci_quirk_intel_spt_pch_acs`)."""

EGRESS_TABLE: Table = (Register("vector", 8, 4, writable=(1 << EGRESS_VECTOR_BITS) - 1),)

ARI_TABLE: Table = (Register("capabilities", 4, 2), Register("control", 6, 2))

ATS_TABLE: Table = (
    Register("capabilities", 4, 2, 0x0020),  # 32 invalidations at a time, page aligned
    Register("control", 6, 2, writable=0x801F),
)

SRIOV_TABLE: Table = (
    Register("capabilities", SriovRegister.CAPABILITIES, 4),
    Register("control", SriovRegister.CONTROL, 2),
    Register("status", SriovRegister.STATUS, 2),
    Register("initial_vfs", SriovRegister.INITIAL_VFS, 2),
    Register("total_vfs", SriovRegister.TOTAL_VFS, 2),
    Register("num_vfs", SriovRegister.NUM_VFS, 2),
    Register("function_link", SriovRegister.FUNCTION_LINK, 1),
    Register("first_vf_offset", SriovRegister.FIRST_VF_OFFSET, 2),
    Register("vf_stride", SriovRegister.VF_STRIDE, 2),
    Register("vf_device", SriovRegister.VF_DEVICE, 2),
    Register(
        "page_sizes", SriovRegister.PAGE_SIZES, 4, 0x0553
    ),  # 4 KiB, 8 KiB, 64 KiB, 256 KiB, 1 MiB, 4 MiB: required
    Register("system_page_size", SriovRegister.SYSTEM_PAGE_SIZE, 4, 0x0001, writable=0x0553),
)
SRIOV_SIZE = 0x40

_ROOT = frozenset({"root-port", "event-collector"})


def acs_bits(shape: Shape) -> int:
    return sum(ACS_BITS[bit] for bit in set(shape.acs or ()))


def acs_size(shape: Shape) -> int:
    return 0x0C if "ec" in (shape.acs or ()) or _has_dwords(shape) else 0x08


def _has_dwords(shape: Shape) -> bool:
    rows = rows_of(shape.vendor, shape.device)
    return any(row.effect == "dword-control" and shape.type in row.types for row in rows)


def write_aer(page: Page, at: int, shape: Shape) -> None:
    errors = UNCORRECTABLE | (0 if shape.acs is None else ACS_VIOLATION)
    values: dict[str, int | Bits] = {
        "uncorrectable_status": Bits(0, 0, errors),
        "uncorrectable_mask": Bits(0, errors),
        "uncorrectable_severity": Bits(FATAL, errors),
    }
    if shape.type in _ROOT:
        values |= {"root_command": Bits(0, ROOT_COMMAND_RW), "root_status": Bits(0, 0, ROOT_ERRORS)}
    page.write(at, AER_TABLE, **values)


def write_acs(page: Page, at: int, shape: Shape) -> None:
    """What the capability offers can be switched on, and is off after reset."""
    bits = acs_bits(shape)
    vector = EGRESS_VECTOR_BITS << 8 if bits & ACS_BITS["ec"] else 0
    if _has_dwords(shape):
        page.write(at, ACS_DWORDS_TABLE, capabilities=bits | vector, control=Bits(0, bits))
        return
    page.write(at, ACS_TABLE, capabilities=bits | vector, control=Bits(0, bits))
    if vector:
        page.write(at, EGRESS_TABLE)


def write_ari(page: Page, at: int, shape: Shape) -> None:
    page.write(at, ARI_TABLE, capabilities=shape.next_function << 8)


def write_ats(page: Page, at: int, shape: Shape) -> None:
    page.write(at, ATS_TABLE)


def write_sriov(page: Page, at: int, shape: Shape) -> None:
    """VFs that the description has switched on are so after reset: VF Enable and NumVFs are set."""
    sriov = shape.sriov
    assert sriov is not None
    page.write(
        at,
        SRIOV_TABLE,
        control=Bits(VF_ENABLE | VF_MEMORY if sriov.enabled else 0, VF_ENABLE | VF_MEMORY | ARI_HIERARCHY),
        initial_vfs=sriov.total,
        total_vfs=sriov.total,
        num_vfs=Bits(min(sriov.enabled, sriov.total), 0xFFFF),
        function_link=shape.function,
        first_vf_offset=sriov.offset,
        vf_stride=sriov.stride,
        vf_device=sriov.vf_id,
    )
    for bar in sriov.bars:
        write_bar(page, at + SriovRegister.VF_BARS + 4 * bar.index, bar)
