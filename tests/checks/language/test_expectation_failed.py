"""`expect` against the simulated boot: place, what came out, and why."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, only
from tests.checks.two_bridges import SOUND

GOOD = """\
boot: {device: disk}
expect:
  addresses:
    disk: "0000:01:00.0"
    card: "0001:10:01.0"
  segments:
    one: 0
    two: 1
  groups:
    - [disk]
    - [port]
  isolated:
    - card
  shared:
    - [disk]
  boot: "0000:01:00.0"
"""

PORT = "        type: root-port\n        acs: true\n"


def failed(text: str) -> list[tuple[int | None, str]]:
    return [(line_of(each.at), each.message) for each in only(findings_of(text), "RPX0042")]


def line(text: str, piece: str) -> int:
    return next(number for number, each in enumerate(text.splitlines(), 1) if piece in each)


def test_what_holds_is_silent() -> None:
    assert not findings_of(SOUND + GOOD)


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            '    disk: "0000:01:00.0"',
            '    disk: "0000:02:00.0"',
            "disk is expected at 0000:02:00.0 and is at 0000:01:00.0",
        ),
        ("    two: 1", "    two: 2", "two is expected to have segment 2 and has 1"),
        (
            '  boot: "0000:01:00.0"',
            '  boot: "0001:01:00.0"',
            "disk is expected at 0001:01:00.0 and is at 0000:01:00.0",
        ),
        (
            "    - [disk]\n    - [port]",
            "    - [port, disk]",
            "port and disk are expected together and are in 2 groups",
        ),
    ],
)
def test_what_does_not_hold(right: str, wrong: str, message: str) -> None:
    text = SOUND + changed(GOOD, (right + "\n", wrong + "\n"))
    assert failed(text) == [(line(text, wrong), message)]


def test_a_group_says_why_it_is_larger() -> None:
    """LNX-48: without ACS on the port the disk shares its group."""
    text = changed(SOUND, (PORT, PORT.replace("acs: true", "acs: false"))) + "expect: {isolated: [disk]}\n"
    (found,) = only(findings_of(text), "RPX0042")
    assert found.message == "disk is expected alone in its group, and port (0000:00:01.0) is in it"
    assert any("root port without an ACS capability" in note for note in found.notes)
    assert line(text, "acs: false") in [line_of(each.at) for each in found.related]


def test_a_device_that_is_not_there() -> None:
    text = changed(SOUND, ("            dev: 0\n", "            dev: 0\n            present: false\n"))
    (found,) = only(findings_of(text + 'expect: {addresses: {disk: "0000:01:00.0"}}\n'), "RPX0042")
    assert found.message == "Dom0 does not see disk"
    assert found.notes == ("the slot of disk is empty",)


def test_a_device_without_a_group() -> None:
    iommu = "    iommu: {unit: smmu}\n    dt: {label: second}\n"
    text = changed(SOUND, (iommu, "    dt: {label: second}\n")) + "expect: {groups: [[card]]}\n"
    assert [message for _, message in failed(text)] == ["card has no group"]


def test_a_segment_of_a_bridge_that_is_down() -> None:
    text = changed(SOUND, ("    segment: 1\n", "    segment: 0\n")) + "expect: {segments: {two: 0}}\n"
    assert [message for _, message in failed(text)] == [
        "two is expected to have segment 0 and has none: it does not come up"
    ]
