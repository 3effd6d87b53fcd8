"""ATSR: ports below which ATS is let through, written, as iasl prints it, read, imported, and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests import acpica
from tests.checks.cases import changed, findings_of, only

from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.sources import read_source
from rootplex.readers.acpi.dmar import Dmar, read_dmar
from rootplex.readers.acpi.header import read_table

PC = """\
rootplex: 1
platform: {name: pc, arch: x86_64}
memory: [{base: 0x0, size: 2GiB}]
interrupt_controllers: [{name: ioapic, kind: io-apic, base: 0xfec0_0000, gsi_base: 0}]
iommus: [{name: unit, kind: intel-vtd, base: 0xfed9_0000}, {name: two, kind: intel-vtd, base: 0xfeda_0000}]
host_bridges:
  - name: pci0
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0xe000_0000}
    windows: [{space: mem32, pci: 0xc000_0000, size: 256MiB}]
    iommu: {unit: unit, ats: true}
    devices:
      - {name: host, dev: 0, type: host-bridge-function}
      - {dev: 0x1c, type: root-port, acs: true, devices: [{name: card, dev: 0, msi: 1, ats: true}]}
      - {dev: 0x1c, fn: 4, type: root-port, acs: true, devices: [{name: disk, dev: 0, class: nvme, msi: 1}]}
  - name: pci1
    segment: 0
    bus_range: [0x40, 0x7f]
    config: {base: 0xe400_0000}
    windows: [{space: mem32, pci: 0xd000_0000, size: 256MiB}]
    iommu: {unit: two}
    devices:
      - {name: other, dev: 1, type: root-port, acs: true, devices: [{name: nic, dev: 0, msi: 1}]}
xen: false
"""
ALL = ("iommu: {unit: two}", "iommu: {unit: two, ats: true}")
NIC = ("{name: nic, dev: 0, msi: 1}", "{name: nic, dev: 0, msi: 1, ats: true}")


def files(text: str) -> dict[str, bytes]:
    platform = read_checked(text.encode(), "pc.yaml").platform
    assert platform is not None
    return dict(compile_platform(platform).files)


def dmar(text: str) -> Dmar:
    return read_dmar(read_table(files(text)["dmar.aml"], "dmar.aml"))


@acpica.needs_iasl
@pytest.mark.parametrize("changes", [(), (ALL,)])
def test_iasl_and_we_read_what_we_write(changes: tuple[tuple[str, str], ...]) -> None:
    text = changed(PC, *changes)
    listed = acpica.fields(files(text)["dmar.aml"])
    (atsr,) = dmar(text).atsrs
    printed = next(
        each for each in acpica.structures(listed, "Subtable Type") if each["Subtable Type"].number == 2
    )
    flags = next(field for name, field in printed.items() if name.startswith("Flags"))
    assert (flags.number, printed["PCI Segment Number"].number) == (atsr.flags, atsr.segment)
    start = printed["Subtable Type"].offset
    paths = [each.text for each in listed if each.name == "PCI Path" and each.offset > start]
    assert paths == [
        f"{device:02X},{function:02X}" for scope in atsr.scopes for device, function in scope.path
    ]
    assert atsr.all_ports == bool(changes)
    assert [scope.path for scope in atsr.scopes] == ([] if changes else [((0x1C, 0),), ((0x1C, 4),)])


def test_without_ats_there_is_none() -> None:
    assert dmar(changed(PC, ("{unit: unit, ats: true}", "{unit: unit}"))).atsrs == ()


@pytest.mark.parametrize("ats", [True, False])
def test_it_is_imported(ats: bool, tmp_path: Path) -> None:
    """Of one bridge: which of several a unit is for, tables without the machine's functions do not tell."""
    text = PC[: PC.index("  - name: pci1")].replace(", ats: true}\n", f", ats: {str(ats).lower()}}}\n", 1)
    for name, data in files(f"{text}xen: false\n").items():
        if name.endswith(".aml"):
            (tmp_path / name).write_bytes(data)
    found = import_source(read_source(tmp_path, "pc"))
    platform = read_checked(to_yaml(found.document).encode(), "again.yaml").platform
    assert platform is not None
    (bridge,) = platform.host_bridges
    assert bridge.iommu is not None
    assert (bridge.iommu.unit, bridge.iommu.ats) == ("vtd", ats)


def test_a_card_with_ats_below_a_port_that_is_not_named() -> None:
    (finding,) = only(findings_of(changed(PC, NIC)), "RPX0769")
    assert finding.message == "ATSR does not name 0000:40:01.0, the root port above 'nic', which has ATS"
    for sound in (PC, changed(PC, NIC, ALL), changed(PC, NIC, ("{unit: unit, ats: true}", "{unit: unit}"))):
        assert not only(findings_of(sound), "RPX0769")


@pytest.mark.parametrize("offset", [6])
def test_ports_of_a_segment_that_is_not_there(offset: int) -> None:
    """The segment of ATSR, six bytes behind its beginning (VT-d 4.1 §8.5)."""
    place = dmar(PC).atsrs[0].place.offset
    assert place is not None

    def alter(compiled: Compiled) -> Compiled:
        blob = bytearray(compiled.files["dmar.aml"])
        blob[place + offset] = 9
        blob[9] = 0
        blob[9] = -sum(blob) & 0xFF
        return replace(compiled, files={**compiled.files, "dmar.aml": bytes(blob)})

    found = only(findings_of(PC, alter=alter), "RPX0753")
    assert [each.message for each in found] == ["no host bridge has segment 9 of ATSR"]
