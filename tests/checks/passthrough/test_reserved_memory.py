"""Memory that firmware keeps mapped for a guest's device: RMRR (VT-d 4.1 §8.4), IVMD (AMD 3.08 §5.2.2.8)."""

from __future__ import annotations

import struct

import pytest
from msgspec.structs import replace
from tests.checks.cases import changed, findings_of, only

from rootplex.backends.artifact import Compiled

PC = """\
rootplex: 1
platform: {name: pc, arch: x86_64}
memory: [{base: 0x0, size: 2GiB}]
interrupt_controllers: [{name: ioapic, kind: io-apic, base: 0xfec0_0000, gsi_base: 0}]
iommus: [{name: unit, kind: intel-vtd, base: 0xfed9_0000}]
host_bridges:
  - name: pci0
    segment: 0
    config: {base: 0xe000_0000}
    windows: [{space: mem32, pci: 0xc000_0000, size: 512MiB}]
    iommu: {unit: unit}
    devices:
      - {dev: 0, type: host-bridge-function}
      - {dev: 0, fn: 2, type: pci, class: 0x080600}
      - {name: card, dev: 3, type: integrated-endpoint, class: ethernet, msi: 1}
      - {name: other, dev: 4, type: integrated-endpoint, class: ethernet, msi: 1}
xen: false
guests: [{name: g, devices: [card]}]
"""
XEN = ("xen: false\nguests: [{name: g, devices: [card]}]\n", "xen: {guests: [{name: g, devices: [card]}]}\n")
CARD = "{name: card, dev: 3, type: integrated-endpoint, class: "
CARD_OF_USB = (f"{CARD}ethernet", f"{CARD}xhci")
AMD = ("kind: intel-vtd, base: 0xfed9_0000", "kind: amd-iommu, base: 0xfed9_0000")

RMRR = struct.pack("<HHHHQQ", 1, 32, 0, 0, 0x7D00_0000, 0x7D0F_FFFF) + bytes((1, 8, 0, 0, 0, 0, 3, 0))
IVMD = struct.pack("<BBHHHHxxxxxxQQ", 0x21, 1, 32, 0x0018, 0, 0, 0x7D00_0000, 0x10_0000)


def with_block(compiled: Compiled) -> Compiled:
    """The IOMMU's table with a block for 00:03.0 at its end."""
    name, block = ("dmar.aml", RMRR) if "dmar.aml" in compiled.files else ("ivrs.aml", IVMD)
    blob = bytearray(compiled.files[name] + block)
    blob[4:8] = len(blob).to_bytes(4, "little")
    blob[9] = 0
    blob[9] = -sum(blob) & 0xFF
    return replace(compiled, files={**compiled.files, name: bytes(blob)})


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ((), "error"),
        ((XEN,), "warning"),
        ((AMD,), "error"),
        (
            (
                (
                    "class: ethernet, msi: 1}\n      - {name: other",
                    "class: xhci, msi: 1}\n      - {name: other",
                ),
            ),
            None,
        ),
        ((("devices: [card]", "devices: [other]"),), None),
        ((AMD, ("xen: false\n", "xen: false\nlinux: {kernel: linux-6.1}\n")), None),
    ],
)
def test_a_device_with_reserved_memory(changes: tuple[tuple[str, str], ...], level: str | None) -> None:
    found = only(findings_of(changed(PC, *changes), alter=with_block), "RPX0517")
    assert [str(each.level) for each in found] == ([] if level is None else [level])
    if found:
        assert "0x7d000000 to 0x7d0fffff" in found[0].message
    assert not only(findings_of(changed(PC, *changes)), "RPX0517")
