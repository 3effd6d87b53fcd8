"""IOMMUs that are functions themselves: what a booted Linux 6.12 and 7.2 did with each of these (QEMU's
virtio-iommu-pci, `deferred_probe_timeout=1`): no function has a group, the disk is read without an IOMMU."""

from __future__ import annotations

import pytest
from tests.checks.cases import changed, findings_of, line_of, only
from tests.readers.test_viot import TEXT

from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions

DT = ("arch: arm64,", "arch: arm64, firmware: [dt],")
OWN = '      - {name: vio, dev: 2, type: pci, id: "1af4:1057", class: 0x00ff00}\n'
MAP = TEXT.partition("map: ")[2].partition("]")[0] + "]"
WHOLE = "[{rid: 0, id: 0, count: 0x10000}]"


def ungrouped(text: str, kernel: str) -> set[str]:
    platform = read_checked(text.encode(), "case.yaml")
    outcome = examine(platform, RunOptions(firmware="dt", kernel=kernel)).facts.outcome
    assert outcome is not None
    return {each.sbdf for each in outcome.dom0.functions if each.group is None}


@pytest.mark.parametrize(
    ("entries", "fires"),
    [
        (WHOLE, True),
        ("[{rid: 0x10, id: 0x500, count: 1}]", True),
        ("[{rid: 0, id: 0, count: 0x11}, {rid: 0x11, id: 0x11, count: 0xffef}]", True),
        ("[{rid: 0, id: 0, count: 0x10}, {rid: 0x11, id: 0x11, count: 0xffef}]", False),
        ("[{rid: 0x100, id: 0x100, count: 0xff00}]", False),
    ],
)
def test_an_iommu_that_is_mapped_to_itself(entries: str, fires: bool) -> None:
    text = changed(TEXT, DT, (MAP, entries))
    found = only(findings_of(text), "RPX0773")
    assert bool(found) is fires
    if fires:
        assert line_of(found[0].at) == next(
            number for number, line in enumerate(text.splitlines(), 1) if entries in line
        )
        assert "sends requester 0x0010 to" in found[0].message


@pytest.mark.parametrize("kernel", ["linux-6.12", "linux-7.2"])
def test_nothing_behind_it_has_a_group(kernel: str) -> None:
    text = changed(TEXT, DT, (MAP, WHOLE))
    assert "0000:01:00.0" in ungrouped(text, kernel)
    assert "0000:01:00.0" not in ungrouped(changed(TEXT, DT), kernel)


def test_an_iommu_where_no_function_is() -> None:
    text = changed(TEXT, DT, (OWN, ""))
    (found,) = only(findings_of(text), "RPX0520")
    assert found.notes[0].startswith("it never comes up")
    assert "0000:01:00.0" in ungrouped(text, "linux-7.2")
    assert not only(findings_of(changed(TEXT, DT)), "RPX0520")


def test_on_a_bridge_without_a_known_function_it_is_not_said() -> None:
    text = changed(TEXT, DT)
    without = text[: text.index("    devices:\n")] + "xen: false\n"
    assert not only(findings_of(without), "RPX0520")
