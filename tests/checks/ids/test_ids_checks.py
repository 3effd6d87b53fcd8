"""Block 04: each check fires on the sound platform with one thing broken, at the line of that thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

from rootplex.jobs.settings import RunOptions
from rootplex.source.finding import Level

BOTH = ("firmware: [dt]", "firmware: [dt, acpi]")
XEN = ("discovery: dom0", "discovery: xen")
TWO = "    iommu: {unit: smmu}\n    dt: {label: second}"
TWO_MSI = "    msi: {controller: its}\n    iommu: {unit: smmu}\n    dt: {label: second}"
ITS = "{name: its, kind: arm-gic-v3-its, base: 0x808_0000}"


def iommu(rest: str) -> tuple[str, str]:
    return TWO, f"    iommu: {{unit: smmu, {rest}}} #<\n    dt: {{label: second}}"


def msi(rest: str) -> tuple[str, str]:
    return TWO_MSI, TWO_MSI.replace("{controller: its}", f"{{controller: its, {rest}}} #<")


SHORT = "map: [{rid: 0x1000, id: 0x1000, count: 0x200}]"
REST = "map: [{rid: 0x1100, id: 0x1100, count: 0xf00}]"
FOLDED = "map: [{rid: 0x1000, id: 0, count: 0x1000}]"

# What it shows, code, level, subject, changes; the mark is where the finding points.
FIRES = [
    ("a short iommu map", "RPX0401", "warning", "two", [iommu(SHORT)]),
    ("a short msi map", "RPX0401", "warning", "two", [msi(SHORT)]),
    ("card has no stream", "RPX0402", "error", "card", [iommu(REST)]),
    ("card has no messages", "RPX0403", "error", "card", [msi(REST)]),
    ("one stream for two bridges", "RPX0405", "error", "two", [iommu(FOLDED)]),
    ("one device id for two", "RPX0407", "error", "two", [msi(FOLDED)]),
]


@pytest.mark.parametrize("row", FIRES, ids=[row[0] for row in FIRES])
def test_fires(row: tuple[str, str, str, str, list[tuple[str, str]]]) -> None:
    _, code, level, subject, changes = row
    text = changed(SOUND, *changes)
    found = only(findings_of(text), code)
    assert [(each.level, each.subject, line_of(each.at)) for each in found] == [
        (level, subject, marked_line(text))
    ]


@pytest.mark.parametrize("firmware", ["dt", "acpi"])
def test_what_two_bridges_share_is_found_by_either_firmware(firmware: str) -> None:
    text = changed(SOUND, ("firmware: [dt]", f"firmware: [{firmware}]"), msi(FOLDED))
    text = changed(text, ("iommu: {unit: smmu}\n    dt: {label: second}", f"iommu: {{unit: smmu, {FOLDED}}}"))
    found = findings_of(text.replace("#<", ""))
    assert [each.subject for each in only(found, "RPX0405")] == ["two"]
    assert [each.subject for each in only(found, "RPX0407")] == ["two"]


@pytest.mark.parametrize("firmware", ["dt", "acpi"])
def test_function_left_out_is_found_by_either_firmware(firmware: str) -> None:
    text = changed(SOUND, BOTH, iommu("map: [{rid: 0x1100, id: 0x1100, count: 0xf00}]"))
    found = findings_of(text, options=RunOptions(firmware=firmware))  # type: ignore[arg-type]
    assert [each.subject for each in only(found, "RPX0402")] == ["card"]


def test_disabled_bridges_share_nothing() -> None:
    text = changed(
        SOUND,
        iommu("map: [{rid: 0x1000, id: 0, count: 0x1000}]"),
        ("segment: 1\n", "segment: 1\n    enabled: false\n"),
    )
    assert not only(findings_of(text), "RPX0405")


def test_mask_that_folds_onto_a_covered_id_leaves_nothing_out() -> None:
    """Juno's way: mask 0, one entry of one id (corpus README, "looks wrong and is not")."""
    text = changed(SOUND, iommu("mask: 0, map: [{rid: 0, id: 0x1000, count: 1}]"))
    assert not only(findings_of(text), "RPX0401")
    assert not only(findings_of(text), "RPX0402")


def test_two_functions_of_one_stream() -> None:
    card = "      - {name: card, dev: 1, type: integrated-endpoint, pin: A, msix: 2}\n"
    other = "      - {name: other, dev: 2, type: integrated-endpoint}\n"
    text = changed(SOUND, iommu("mask: 0, map: [{rid: 0, id: 0x1000, count: 1}]"), (card, card + other))
    found = only(findings_of(text), "RPX0406")
    assert [(each.subject, line_of(each.at)) for each in found] == [("other", marked_line(text))]


def test_bridge_without_map_under_todays_xen() -> None:
    changes = ("- name: two\n", "- name: two #<\n"), (TWO, "    dt: {label: second}")
    text = changed(SOUND, XEN, *changes)
    found = only(findings_of(text), "RPX0404")
    assert [(each.subject, line_of(each.at)) for each in found] == [("two", marked_line(text))]
    assert not only(findings_of(changed(SOUND, *changes)), "RPX0404")


def test_device_id_beyond_the_its() -> None:
    text = changed(SOUND, (ITS, "{name: its, kind: arm-gic-v3-its, base: 0x808_0000, device_id_bits: 12}"))
    assert [each.subject for each in only(findings_of(text), "RPX0408")] == ["card"]
    text = changed(SOUND, (ITS, "{name: its, kind: arm-gic-v3-its, base: 0x808_0000, device_id_bits: 13}"))
    assert not only(findings_of(text), "RPX0408")


BOOTS = Path(__file__).parents[2] / "simulator" / "boots" / "real_boots"


def test_a_group_over_two_smmus_names_both_hops() -> None:
    """Booted with 7.2 (h094), which gives up the second; 6.12 leaves out the function that would join."""
    text = (BOOTS / "h094.yaml").read_text()
    (found,) = findings_of(text)
    assert (found.code, found.level, found.subject) == ("RPX0409", Level.ERROR, "ep1")
    assert found.message == "'ep1' behind smmu1 has to share a group with 'rp1' behind smmu0"
    assert found.notes == (
        "they are 0000:01:00.0 and 0000:00:01.0: nothing isolates them from each other",
        "linux-7.2 gives up smmu1 with all behind it (-22): 2 functions are in no group",
    )
    assert found.help == "map both to one SMMU, or let the port between them isolate (acs)"
    lines = text.splitlines()
    assert "smmu1" in lines[(line_of(found.at) or 0) - 1]
    assert [related.message for related in found.related] == ["'rp1' goes to smmu0 here"]
    older = only(findings_of(text, options=RunOptions(kernel="linux-6.12")), "RPX0409")
    assert [each.notes[1] for each in older] == ["linux-6.12 leaves 0000:01:00.0 without a group (-22)"]


def test_a_port_that_isolates_lets_two_smmus_be() -> None:
    text = (BOOTS / "h094.yaml").read_text()
    assert (
        only(findings_of(text.replace('id: "1234:330c"', 'id: "1234:330c"\n    acs: true')), "RPX0409") == ()
    )


def test_what_a_kernel_does_with_a_stream_beyond_the_table() -> None:
    """Booted with 7.2 (h090)."""
    text = (BOOTS / "h090.yaml").read_text()
    notes = {
        kernel: only(findings_of(text, options=RunOptions(kernel=kernel)), "RPX0613")[0].notes[1]
        for kernel in ("linux-7.2", "linux-6.12")
    }
    assert notes == {
        "linux-7.2": "for one such function linux-7.2 gives up 'smmu' (-34): nothing behind it has a group",
        "linux-6.12": "linux-6.12 leaves such a function without a group (-34)",
    }
