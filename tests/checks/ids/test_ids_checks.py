"""Block 04: each check fires on the sound platform with one thing broken, at the line of that thing."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

from rootplex.jobs.settings import Wishes

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
    found = findings_of(text, wishes=Wishes(firmware=firmware))  # type: ignore[arg-type]
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
