"""Xen's side of every known answer of xen.md §12, by the device trees that the lab booted."""

from __future__ import annotations

import pytest
from tests.simulator.xen.known_answers import BASE, CASES, SECOND, Case
from tests.simulator.xen.xen_machines import LAB_TREES, FakeMachine, add, arm, case_text, virt_pages

# Where the lab's devices answer: the windows of the case's hardware, not of its tree.
WINDOWS = ((BASE, 0x1000_0000),)


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_case(name: str, case: Case) -> None:
    xen = arm(case_text(name), machine=FakeMachine(virt_pages(), WINDOWS))
    found = [(one.segment, one.root.start, one.root.end, one.root.base) for one in xen.core.routes.bridges]
    assert (xen.crash.kind if xen.crash else None) == case.crash
    assert tuple(found) == case.bridges
    for (segment, bus, devfn), result in case.adds:
        assert add(xen, segment, bus, devfn) == result, (segment, bus, devfn)
    assert set(case.slugs) <= {notice.kind for notice in xen.notices}
    for path, domain in case.domains.items():
        assert xen.dom0_tree is not None
        assert xen.dom0_tree.by_path[path].u32("linux,pci-domain") == domain


def test_every_device_tree_of_the_lab_is_in_the_table() -> None:
    names = {path.name.partition("-")[0] for path in LAB_TREES.glob("*.dts")}
    assert names - {"base"} == set(CASES)


def test_the_child_window_of_a_designware_bridge() -> None:
    child = arm(case_text("e4")).core.routes.bridges[0].child
    assert child is not None
    assert (child.start, child.end, child.base, child.size) == (1, 0xFF, 0x40_1040_0000, 0x2000)


def test_a_failed_scan_ends_at_the_bridge_that_has_no_window() -> None:
    xen = arm(case_text("d14"))
    assert [(notice.kind, notice.about) for notice in xen.notices] == [
        ("no-window", "/pcie"),
        ("scan-ended", "/pcie"),
    ]


@pytest.mark.parametrize("name", ["d12", "d13"])
def test_dom0_sees_an_undriven_bridge_disabled(name: str) -> None:
    tree = arm(case_text(name)).dom0_tree
    assert tree is not None
    node = tree.by_path["/pcie@4010000000"]
    assert node.string("status") == "disabled"
    assert "xen,passthrough" not in node.properties


def test_dom0_gets_no_iommu() -> None:
    tree = arm(case_text("a")).dom0_tree
    assert tree is not None
    assert "/smmuv3@9050000" not in tree.by_path
    node = tree.by_path["/pcie@10000000"]
    assert "iommu-map" not in node.properties
    assert "msi-map" in node.properties


def test_both_windows_of_one_segment_show_the_first_bridge() -> None:
    """d1 under vPCI (L-vpci v4): what is trapped is routed by segment and bus, not by window."""
    pages = virt_pages()
    xen = arm(case_text("d1"), machine=FakeMachine(pages, ((BASE, 1 << 27),)), vpci=True)
    assert xen.read(SECOND + 0x8000, 4) == xen.read(BASE + 0x8000, 4) == 0x10001AF4


def test_outcome_text() -> None:
    assert arm(case_text("a")).outcome == "booted"
    assert arm(case_text("d3")).outcome.startswith("panic: BUG: inconsistent linux,pci-domain")
