"""RPX0024 where a key contradicts another; the schema's own refusals are in tests/source."""

from __future__ import annotations

from tests.checks.cases import findings_of, only

from rootplex.jobs.describe import read_checked

X86 = """\
rootplex: 1
platform: {name: pc, arch: x86_64}
iommus: [{name: vtd, kind: intel-vtd, base: 0xfed9_0000, segment: 1}]
host_bridges:
  - {name: a, segment: 0, bus_range: [0, 0x7f], config: {base: 0xe000_0000}, iommu: {unit: vtd}}
  - {name: b, segment: 0, bus_range: [0x80, 0xff], config: {base: 0xe800_0000}, iommu: {unit: vtd}}
"""


def test_a_vtd_unit_of_another_segment_is_told_once_with_both_bridges() -> None:
    """DMAR would say segment 0, and the written 1 be lost."""
    (found,) = read_checked(X86.encode(), "x").findings
    assert (found.code, found.subject, len(found.related)) == ("RPX0024", "vtd", 2)
    assert "segment 1, its host bridge 'a' is segment 0" in found.message
    assert not read_checked(X86.replace(", segment: 1", "").encode(), "x").findings


OWN = "msi: {controller: main, map: [{rid: 0, id: 0, count: 16}]}"


def test_a_map_cannot_name_a_bridge() -> None:
    """What takes messages itself is named whole; its driver reads no map."""
    text = (
        "rootplex: 1\nplatform: {name: a, arch: arm64, firmware: [dt]}\nhost_bridges:\n"
        "  - {name: main, segment: 0, config: {base: 0x4000_0000, compatible: 'microchip,pcie-host-1.0', "
        f"kind: quirk}}, {OWN}}}\n"
    )
    (found,) = only(findings_of(text), "RPX0024")
    assert found.subject == "main"
    assert not only(findings_of(text.replace(OWN, "msi: {controller: main}")), "RPX0024")


def test_no_table_says_that_a_bridge_takes_messages() -> None:
    """By ACPI alone the key would be dropped without a word; beside a device tree that says it, it stands."""
    text = (
        "rootplex: 1\nplatform: {name: a, arch: arm64, firmware: [acpi]}\nhost_bridges:\n"
        "  - {name: main, segment: 0, config: {base: 0x4000_0000}, msi: {controller: main}}\n"
    )
    (found,) = only(findings_of(text), "RPX0024")
    assert found.subject == "main"
    assert found.message.startswith("no table can say that the messages of 'main' go to")
    assert not only(findings_of(text.replace("[acpi]", "[dt, acpi]")), "RPX0024")
