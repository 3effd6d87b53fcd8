"""09 Xen: crashes, refusals, and the 2017 protocol (xen.md §1, §7, §9, §12)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.golden import hold
from tests.checks.two_bridges import SOUND

from rootplex.checks.xen.registration import bridge_not_up, registration_refused
from rootplex.jobs.check import Examination, examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Span

TODAY = ("  discovery: dom0\n", "  discovery: xen\n")
KERNEL = "  dom0: {kernel: linux-7.2}\n"
GUEST = "  guests: [{name: g, devices: [disk]}]\n"


def the(text: str, code: str, options: RunOptions | None = None) -> Finding:
    """The one finding of a code, which must be at the marked line."""
    found = only(findings_of(text, options=options), code)
    assert len(found) == 1, [each.message for each in findings_of(text, options=options)]
    assert line_of(found[0].at) == marked_line(text), found[0].at
    return found[0]


def codes(text: str, options: RunOptions | None = None) -> set[str]:
    return {finding.code for finding in findings_of(text, options=options)}


def test_the_sound_platform_under_both_protocols() -> None:
    assert codes(SOUND + GUEST) == set()
    assert codes(changed(SOUND, TODAY) + GUEST) == set()


def test_a_property_on_one_bridge_alone_stops_today_s_xen() -> None:
    """d3: both windows are printed, then the inconsistent-domain BUG."""
    text = changed(SOUND, TODAY, ("  - name: two\n    segment: 1\n", "  - name: two  #<\n"))
    found = the(text, "RPX0901")
    assert found.message.startswith("Xen stops with a BUG: inconsistent linux,pci-domain")
    assert "XP-01: docs/reference/xen.md#xp-01" in found.notes
    assert found.subject == "two"
    assert "RPX0901" not in codes(changed(text, ("  discovery: xen\n", "  discovery: dom0\n")))


def test_a_crash_cannot_be_suppressed() -> None:
    text = changed(SOUND, TODAY, ("  - name: two\n    segment: 1\n", "  - name: two\n"))
    text += "suppress: [{code: RPX0901, at: two, reason: why not}]\n"
    assert {"RPX0901", "RPX0041"} <= codes(text)


def test_one_stream_for_two_functions_stops_xen() -> None:
    """m8, i1, v9: a stream of two functions is a BUG while Dom0 reports the second."""
    one = "    msi: {controller: its}\n    iommu: {unit: smmu}\n    dt: {label: first}\n"
    text = changed(
        SOUND, (one, one.replace("{unit: smmu}", "{unit: smmu, mask: 7, map: [{rid: 0, id: 0, count: 8}]}"))
    )
    found = only(findings_of(text), "RPX0901")
    assert [note for note in found[0].notes if "pci_device_add" in note]


def test_dom0_dies_of_configuration_space_that_nobody_answers() -> None:
    """An override moves one firmware's configuration space to where no hardware is (xen.md §6)."""
    text = changed(
        SOUND,
        ("    dt: {label: second}\n", "    dt: {label: second, config: {base: 0x50_0000_0000}}  #<\n"),
    )
    found = the(text, "RPX0902")
    assert "external abort" in found.message
    assert found.subject == "two"


def test_a_segment_shared_by_two_bridges() -> None:
    """ACPI: buses 0x10-0x1f and 0x18-0x1f of one segment; Linux takes both."""
    text = changed(
        SOUND,
        ("  firmware: [dt]\n", "  firmware: [dt, acpi]\n"),
        (
            "    segment: 1\n    bus_range: [0x10, 0x1f]\n",
            "    segment: 0\n    bus_range: [0x08, 0x1f]  #<\n",
        ),
        ("config: {base: 0x40_1100_0000}", "config: {base: 0x40_1200_0000}"),
    )
    found = the(text, "RPX0906", RunOptions(firmware="acpi"))
    assert "another host bridge owns" in found.message
    assert [each.message for each in found.related] == ["one owns them"]


def registers(when: str) -> str:
    return changed(SOUND, (KERNEL, f"  dom0:\n    registers: {when}  #<\n")) + GUEST


@pytest.mark.parametrize(("when", "refused"), [("after-scan", 3), ("after-first-device", 2)])
def test_devices_before_their_bridge(when: str, refused: int) -> None:
    """One key says when all bridges are registered: one finding."""
    found = the(registers(when), "RPX0905")
    assert found.message == f"{refused} devices reach Xen before the host bridges one and two are registered"
    late = only(findings_of(registers(when)), "RPX0908")
    assert [each.level for each in late] == [Level.WARNING, Level.WARNING]
    count = int(late[0].message.split()[0])
    assert count > 0


def test_before_the_scan_nothing_is_missed() -> None:
    assert codes(changed(registers("before-scan"), ("  #<", ""))) == set()


def test_a_guest_behind_a_bridge_that_is_not_ecam() -> None:
    text = changed(
        SOUND, ("    config: {base: 0x40_1000_0000}\n", "    config: {kind: cam, base: 0x40_1000_0000}\n")
    )
    assert "RPX0909" not in codes(text)
    found = the(text + GUEST.rstrip() + "  #<\n", "RPX0909")
    assert found.level is Level.NOTE
    assert "world switches" in found.notes[0]


def test_a_bridge_without_iommu_is_refused_by_today_s_xen() -> None:
    """d19, m1: every add gives -ENODEV."""
    iommu = "    iommu: {unit: smmu}\n    dt: {label: second}\n"
    text = changed(SOUND, TODAY, (iommu, "    dt: {label: second}\n"))
    found = findings_of(text)
    assert any(each.subject == "two" and each.level is Level.ERROR for each in found)


def test_a_vendors_bridge_is_refused_by_today_s_xen() -> None:
    """d11, e: no driver in Xen, so no bridge for its devices."""
    text = changed(
        SOUND, TODAY, ("config: {base: 0x40_1100_0000}", "config: {kind: cam, base: 0x40_1100_0000}")
    )
    found = findings_of(text)
    assert any("two" in (each.subject or "") or "card" in (each.subject or "") for each in found)


def test_xen_and_dom0_number_differently() -> None:
    """x7: with pci-passthrough off Xen numbers and does not tell Dom0, which probes the other way."""
    text = changed(
        SOUND,
        TODAY,
        ("    segment: 0\n", ""),
        ("    segment: 1\n", ""),
        (KERNEL, "  dom0: {probe_order: [two, one]}\n  pci_passthrough: false\n"),
    )
    found = only(findings_of(text), "RPX0910")
    assert {each.message for each in found} == {
        "two is segment 1 in Xen and 0 in Dom0",
        "one is segment 0 in Xen and 1 in Dom0",
    }
    assert "RPX0910" not in codes(changed(text, ("  pci_passthrough: false\n", "")))


def test_today_s_xen_by_acpi() -> None:
    text = changed(
        SOUND,
        ("  discovery: dom0\n", "  discovery: xen\n"),
        ("  firmware: [dt]\n", "  firmware: [dt, acpi]\n"),
        (KERNEL, "  dom0:\n    firmware: acpi  #<\n"),
    )
    assert any("SMMUv3" in note for note in the(text, "RPX0911").notes)
    assert "RPX0911" not in codes(changed(text, ("acpi  #<", "dt")))
    assert "RPX0911" not in codes(changed(text, ("  discovery: xen\n", "  discovery: dom0\n")))


def test_today_s_xen_on_32_bits() -> None:
    small = ("  arch: arm64\n", "  arch: arm\n")
    text = changed(SOUND, small, ("  discovery: dom0\n", "  discovery: xen  #<\n"))
    assert the(text, "RPX0912").message == "today's Xen has no PCI on 32-bit Arm"
    assert "RPX0912" not in codes(changed(SOUND, small))


def test_an_iommu_that_xen_does_not_drive() -> None:
    vendor = "{name: smmu, kind: dt-node, compatible: 'acme,iommu', base: 0x905_0000, size: 64KiB, cells: 1}"
    odd = f"  - {vendor}\n"
    text = (
        changed(SOUND, TODAY, ("  - {name: smmu, kind: arm-smmu-v3, base: 0x905_0000}\n", odd))
        + "  guests:\n    - name: g\n      devices: [disk]  #<\n"
    )
    assert the(text, "RPX0913").related[0].message == "smmu is none that Xen drives"


X86 = """\
rootplex: 1
platform: {{name: pc, arch: x86_64}}
memory: [{{base: 0, size: 2GiB}}]
interrupt_controllers: [{{name: apic, kind: io-apic, base: 0xfec0_0000}}]
iommus: [{{name: vtd, kind: intel-vtd, base: 0xfed9_0000}}]
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {{base: 0xb000_0000}}
    windows: [{{space: mem32, pci: 0xc000_0000, size: 256MiB}}]
    intx: {{controller: apic, irqs: [16, 17, 18, 19]}}
    iommu: {{unit: vtd}}
    devices:
      - name: rp
        dev: 1
        type: root-port
        acs: true
        bus: [1, 2]
        devices:
          - name: bridge
            dev: 0
            type: pcie-to-pci-bridge
            {bus}
            devices: [{{name: card, dev: 0, type: pci, pin: A}}]
xen:
  guests:
    - name: g
      devices: [card]  #<
"""


def test_a_conventional_bridge_that_xen_meets_without_numbers() -> None:
    found = the(X86.format(bus="msi: 1"), "RPX0914")
    assert "bridge (0000:01:00.0)" in found.message
    assert "RPX0914" not in codes(X86.format(bus="bus: [2, 2]"))


def test_a_bridge_that_nobody_else_speaks_of() -> None:
    """x86 does not find a root bridge without PNP0A03; whoever tells it, it is told, as an error."""
    text = changed(
        SOUND,
        ("  firmware: [dt]\n", "  firmware: [acpi]\n"),
        ("    dt: {label: second}\n", "    acpi: {cid: []}\n"),
    )
    down = [each for each in findings_of(text) if each.subject == "two" and each.level is Level.ERROR]
    assert down
    assert isinstance(down[0].at, Span)


def test_ecam_larger_than_its_buses_is_registered_by_what_they_need() -> None:
    """amd-seattle: 256 MiB for 128 buses; a Dom0 registers what it maps."""
    text = changed(
        SOUND,
        (
            "    bus_range: [0x10, 0x1f]\n    config: {base: 0x40_1100_0000}\n",
            "    bus_range: [0x10, 0x1f]\n    config: {base: 0x40_1100_0000, size: 32MiB}\n",
        ),
    )
    assert "RPX0907" not in codes(text)


def test_configuration_space_over_ram_is_not_registered_where_linux_takes_it() -> None:
    """ACPI Dom0s do not know RAM from tables alone; whoever speaks first, the bridge is told as down."""
    text = changed(SOUND, ("config: {base: 0x40_1100_0000}", "config: {base: 0x8100_0000}"))
    assert any(each.level is Level.ERROR and each.subject == "two" for each in findings_of(text))


def examined(text: str) -> Examination:
    return examine(read_checked(text.encode(), "case.yaml"), RunOptions())


def test_a_bridge_that_is_down_and_that_nothing_else_tells() -> None:
    """Without what the other checks said; with it, this one has nothing to add."""
    text = changed(
        SOUND,
        ("  firmware: [dt]\n", "  firmware: [acpi]\n"),
        ("    dt: {label: second}\n", "    acpi: {cid: []}\n"),
    )
    examination = examined(text)
    (found,) = bridge_not_up.run(examination.facts)
    hold([found.moved(examination.facts.source)])
    assert found.message == "host bridge two does not come up: neither _HID nor _CID is PNP0A03"
    assert found.subject == "two"
    assert isinstance(found.at, Span)
    told = replace(examination.facts, found=examination.findings)
    assert not list(bridge_not_up.run(told))


def test_a_registration_over_ram() -> None:
    """x86 claims no address space for ECAM; the 2017 protocol answers -EBUSY."""
    text = changed(
        X86.format(bus="bus: [2, 2]"), ("config: {base: 0xb000_0000}", "config: {base: 0x4000_0000}")
    )
    examination = examined(text)
    (found,) = registration_refused.run(examination.facts)
    hold([found.moved(examination.facts.source)])
    assert found.notes[-1] == "the result is -16"
    assert line_of(found.at) == next(
        n for n, each in enumerate(text.splitlines(), 1) if "0x4000_0000" in each
    )
    told = replace(examination.facts, found=examination.findings)
    assert not list(registration_refused.run(told))


def test_a_stream_beyond_the_table_is_refused() -> None:
    """m7: -ERANGE."""
    text = changed(
        SOUND, TODAY, ("smmu-v3, base: 0x905_0000}", "smmu-v3, base: 0x905_0000, stream_id_bits: 8}")
    )
    found = only(findings_of(text), "RPX0904")
    assert [each.subject for each in found] == ["one", "two"]
    assert "-ERANGE" in found[0].notes[0]
    assert {line_of(each.at) for each in found} == {
        number
        for number, each in enumerate(text.splitlines(), 1)
        if each.startswith("  - name: ") and "gic" not in each
    }


def test_a_xen_that_is_to_take_nothing_refuses_nothing() -> None:
    off = changed(SOUND, TODAY) + "  iommu: false\n  pci_passthrough: false\n"
    assert codes(off) == set()


MARVELL = """\
rootplex: 1
platform: {name: m, arch: x86_64}
memory: [{base: 0x0, size: 2GiB}]
interrupt_controllers: [{name: ioapic, kind: io-apic, base: 0xfec0_0000, gsi_base: 0}]
iommus: [{name: vtd, kind: intel-vtd, base: 0xfed9_0000}]
host_bridges:
  - name: pci0
    segment: 0
    config: {base: 0xe000_0000}
    windows: [{space: mem32, pci: 0xc000_0000, size: 512MiB}]
    iommu: {unit: vtd}
    devices:
      - name: rp
        dev: 0x1c
        type: root-port
        acs: true
        devices: [{name: sata, dev: 0, id: "1b4b:9172", class: ahci, msi: 1}]
"""


def test_a_requester_id_that_linux_knows_and_xen_does_not() -> None:
    """Xen has no list of such devices: pci-phantom= alone (`alloc_pdev`)."""
    (found,) = only(findings_of(MARVELL), "RPX0915")
    assert (found.level, line_of(found.at)) == (Level.WARNING, 17)
    (found,) = only(findings_of(MARVELL + "xen: {guests: [{name: g, devices: [sata]}]}\n"), "RPX0915")
    assert (found.level, line_of(found.at)) == (Level.ERROR, 18)
    assert found.help is not None
    assert "pci-phantom=0000:01:00,1" in found.help
    told = 'xen: {pci_phantom: ["0000:01:00,1"], guests: [{name: g, devices: [sata]}]}\n'
    assert "RPX0915" not in codes(MARVELL + told)
    assert "RPX0915" not in codes(changed(MARVELL, ("msi: 1", "msi: 1, aliases: []")))
    assert "RPX0915" not in codes(MARVELL + "xen: false\n")
    assert "RPX0915" not in codes(changed(MARVELL, ("    iommu: {unit: vtd}\n", "")))


def test_a_real_function_whose_id_another_uses_is_to_go_with_it() -> None:
    """Ricoh, function 0's id: both Dom0's or both one guest's, and Xen has entries for both."""
    both = '{dev: 0, name: zero, msi: 1}, {name: sata, dev: 0, fn: 1, id: "1180:e832", msi: 1}'
    text = changed(MARVELL, ('{name: sata, dev: 0, id: "1b4b:9172", class: ahci, msi: 1}', both))
    assert "RPX0915" not in codes(text)
    (found,) = only(findings_of(text + "xen: {guests: [{name: g, devices: [sata]}]}\n"), "RPX0915")
    assert found.help is not None
    assert found.help.startswith("leave it with zero (0000:01:00.0)")
    assert "RPX0915" not in codes(text + "xen: {guests: [{name: g, devices: [sata, zero]}]}\n")
