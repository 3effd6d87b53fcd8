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


BELOW = """\
      - name: rp
        dev: 5
        type: root-port
        acs: true
        bus: [1, 1]
        devices: [{name: below, dev: 0, class: ethernet, msi: 1}]
"""
# Type of the scope (1 endpoint, 2 bridge), its first bus, and the path: all of them name 01:00.0, or what it
# is below (VT-d 4.1 §8.3.1; drivers/iommu/intel/iommu.c, intel_iommu_get_resv_regions).
SCOPES = [
    ("by the way to it", 1, 0, [(5, 0), (0, 0)], True),
    ("by the port above", 2, 0, [(5, 0)], True),
    ("by its bus", 1, 1, [(0, 0)], True),
    ("another device's", 1, 0, [(3, 0)], False),
    ("one that is not there", 1, 1, [(1, 0)], False),
]


@pytest.mark.parametrize("xen", [False, True])
@pytest.mark.parametrize(
    ("type", "bus", "path", "named"), [row[1:] for row in SCOPES], ids=[row[0] for row in SCOPES]
)
def test_however_reserved_memory_names_a_device(
    type: int, bus: int, path: list[tuple[int, int]], named: bool, xen: bool
) -> None:
    hops = bytes(each for hop in path for each in hop)
    scope = bytes((type, 6 + len(hops), 0, 0, 0, bus)) + hops
    block = struct.pack("<HHHHQQ", 1, 24 + len(scope), 0, 0, 0x7E00_0000, 0x7E00_FFFF) + scope

    def alter(compiled: Compiled) -> Compiled:
        blob = bytearray(compiled.files["dmar.aml"] + block)
        blob[4:8] = len(blob).to_bytes(4, "little")
        blob[9] = -(sum(blob) - blob[9]) & 0xFF
        return replace(compiled, files={**compiled.files, "dmar.aml": bytes(blob)})

    text = changed(PC, ("xen: false\n", f"{BELOW}xen: false\n"))
    text = changed(changed(text, XEN) if xen else text, ("devices: [card]", "devices: [below]"))
    found = only(findings_of(text, alter=alter), "RPX0517")
    assert [str(each.level) for each in found] == ([] if not named else ["warning" if xen else "error"])
    assert all("0x7e000000 to 0x7e00ffff mapped for below (0000:01:00.0)" in each.message for each in found)
    assert all(("policy=relaxed" in (each.help or "")) is xen for each in found)
