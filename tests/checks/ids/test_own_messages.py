"""Messages of an SMMUv3 itself: the DeviceID by both firmwares, and whose else it is."""

from __future__ import annotations

import pytest
from tests.checks.altered import with_cell
from tests.checks.cases import changed, findings_of, line_of, marked_line, only
from tests.checks.two_bridges import SOUND

UNIT = "  - {name: smmu, kind: arm-smmu-v3, base: 0x905_0000}\n"
BOTH = ("firmware: [dt]", "firmware: [dt, acpi]")


def own(id: str) -> tuple[str, str]:
    return UNIT, UNIT.replace("}", f", msi_controller: its,\n     device_id: {id}}} #<")


@pytest.mark.parametrize("firmware", [(), (("dom0: {", "dom0: {firmware: acpi, "), BOTH)], ids=["dt", "acpi"])
@pytest.mark.parametrize("id", ["0x1008", "0x2000"])
def test_a_device_id_of_a_function_with_messages(firmware: tuple[tuple[str, str], ...], id: str) -> None:
    """`card` is 0001:10:01.0, and the maps are identity."""
    text = changed(SOUND, own(id), *firmware)
    found = findings_of(text)
    assert [each.code for each in found] == (["RPX0519"] if id == "0x1008" else [])
    for each in found:
        assert (each.level, each.subject, line_of(each.at)) == ("warning", "card", marked_line(text))


def test_a_function_without_messages_shares_it_with_nobody() -> None:
    assert findings_of(changed(SOUND, own("0x1008"), ("pin: A, msix: 2", "pin: A"))) == ()


def test_both_firmwares_have_the_same() -> None:
    text = changed(SOUND, BOTH, own("0x2000"))
    assert not only(findings_of(text), "RPX0814")
    node = "/iommu@9050000"
    found = only(
        findings_of(text, alter=lambda compiled: with_cell(compiled, node, "msi-parent", 1, 7)), "RPX0814"
    )
    assert [(each.level, line_of(each.at)) for each in found] == [("error", marked_line(text))]
    assert "DeviceID 0x2000 by IORT and 0x7 by device tree" in found[0].message
