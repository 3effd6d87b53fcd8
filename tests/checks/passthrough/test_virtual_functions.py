"""Virtual functions by name: `nic.vf0`, where names of devices stand."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, only

from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.simulator.boots.outcome import Outcome

TEXT = """\
rootplex: 1
platform: {name: vf, arch: arm64, base: qemu-virt}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0x40_1000_0000}
    windows: [{space: mem32, pci: 0x1000_0000, size: 512MiB}]
    msi: {controller: its}
    iommu: {unit: smmu}
    devices:
      - name: rp
        dev: 1
        type: root-port
        acs: true
        devices:
          - name: nic
            dev: 0
            ari: true
            acs: true
            msix: 4
            sriov: {total: 7, offset: 0x80, stride: 1, vf_id: 0x1520, enabled: 4,
                    bars: [{index: 0, space: mem64, size: 16KiB}], acs: [cr], msix: 3}
xen:
  guests:
    - {name: a, devices: [{device: nic, vf: [0, 1]}]}
    - {name: b, devices: [nic.vf3]}
boot: {device: nic.vf2}
expect: {isolated: [nic.vf0], addresses: {nic.vf1: "0000:01:10.1"}, groups: [[{device: nic, vf: 3}]]}
"""


def booted(text: str) -> Outcome:
    checked = read_checked(text.encode(), "vf.yaml")
    assert checked.is_sound, checked.findings
    outcome = examine(checked, RunOptions()).outcome
    assert outcome is not None
    return outcome


def test_virtual_functions_are_given_placed_and_expected_by_name() -> None:
    assert findings_of(TEXT) == ()
    outcome = booted(TEXT)
    views = {view.name: [each.sbdf for each in view.functions] for view in outcome.guests}
    assert views == {"a": ["0000:01:10.0", "0000:01:10.1"], "b": ["0000:01:10.3"]}
    first = next(each for each in outcome.dom0.functions if each.sbdf == "0000:01:10.0")
    assert (first.msix, first.acs) == (3, (0x08, 0x08))
    assert [(bar.index, bar.size) for bar in first.bars] == [(0, 16 << 10)]
    assert first.physfn is not None
    assert outcome.streams[first].own.id == 0x180


def test_xen_hears_of_the_physical_function_first() -> None:
    """Xen xen/drivers/passthrough/pci.c, pci_add_device: a VF without its PF is -ENODEV."""
    xen = booted(TEXT).xen
    assert xen is not None
    added = [
        call.args["devfn"] for call in xen.calls if call.op == "pci_device_add" and call.args.get("bus") == 1
    ]
    assert added == [0x00, 0x80, 0x81, 0x82, 0x83]
    assigned = [call for call in xen.calls if call.op == "assign_device"]
    assert [call.result for call in assigned] == [0] * 6  # into the quarantine, and to the guest


@pytest.mark.parametrize(
    ("changes", "code", "level", "words"),
    [
        ((("[nic.vf3]", "[nic.vf7]"),), "RPX0007", "error", "there is no nic.vf7: nic has 7 VFs"),
        ((("[nic.vf3]", "[{device: nic, vf: [3, 2]}]"),), "RPX0006", "error", "the first VF, 3, comes after"),
        ((("[nic.vf3]", "[rp.vf0]"),), "RPX0007", "error", "there is no rp.vf0: rp has no VFs"),
        ((("[nic.vf3]", "[nic.vf5]"),), "RPX0501", "error", "guest b is to have nic.vf5"),
        ((("[nic.vf3]", "[nic]"),), "RPX0516", "error", "guest a its virtual function nic.vf0"),
        ((("[nic.vf3]", "[nic]"), ("[{device: nic, vf: [0, 1]}]", "[rp]"), ("boot: {device: nic.vf2}\n", "")),
         "RPX0516", "warning", "whose 4 VFs are switched on"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_wish(
    changes: tuple[tuple[str, str], ...], code: str, level: str, words: str
) -> None:
    (found,) = only(findings_of(changed(TEXT, *changes)), code)
    assert str(found.level) == level
    assert words in found.message
    assert line_of(found.at) in (27, 28)


def test_a_virtual_function_that_is_not_switched_on_has_help_that_works() -> None:
    text = changed(TEXT, ("[nic.vf3]", "[nic.vf5]"))
    (found,) = only(findings_of(text), "RPX0501")
    assert found.help is not None
    assert "'enabled: 6'" in found.help
    assert not only(findings_of(changed(text, ("enabled: 4", "enabled: 6"))), "RPX0501")


def test_what_hides_a_physical_function_hides_its_virtual_ones() -> None:
    """One fault, and what it costs is named."""
    text = changed(TEXT, ("- name: nic\n            dev: 0", "- name: nic\n            dev: 1"))
    (found,) = only(findings_of(text.partition("expect:")[0]), "RPX0305")
    assert "it hides the boot device nic.vf2" in found.notes
    assert "it hides nic.vf3, which guest b is to have" in found.notes


def test_virtual_functions_of_one_guest_that_are_not_switched_on_are_one_finding() -> None:
    """What is accepted is accepted of that function, and of none beside it."""
    text = changed(TEXT, ("enabled: 4", "enabled: 0"), ("vf: [0, 1]", "vf: [0, 2]"))
    text = text[: text.index("boot:")]
    found = only(findings_of(text), "RPX0501")
    assert [(each.message, each.help) for each in found] == [
        (
            "guest a is to have nic.vf0, nic.vf1 and nic.vf2, which Dom0 does not see",
            "write 'enabled: 3' at its sriov, or take them from the list",
        ),
        (
            "guest b is to have nic.vf3, which Dom0 does not see",
            "write 'enabled: 4' at its sriov, or take the device from the list",
        ),
    ]
    for name, others in (("nic.vf0", "nic.vf1 and nic.vf2"), ("nic.vf1", "nic.vf0 and nic.vf2")):
        accepted = f"suppress: [{{code: RPX0501, at: {name}, reason: later}}]\n"
        left = [each.message for each in only(findings_of(text + accepted), "RPX0501")]
        assert [f"guest a is to have {others}, which Dom0 does not see", found[1].message] == left
