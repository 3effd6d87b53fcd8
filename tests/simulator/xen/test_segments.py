"""Segment numbers (xen.md §1.4) and what Dom0's tree is completed with (§1.6)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.simulator.xen.xen_machines import FakeMachine, arm

from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.segments import Numbering, number_bridge, number_other

UNDECIDED, FIXED, AUTOMATIC = Numbering(), Numbering("fixed"), Numbering("automatic", 1)

TRUTH = [
    (5, UNDECIDED, (5, Numbering("fixed"))),
    (0x12345, FIXED, (0x2345, FIXED)),
    (0xFFFFFFFF, UNDECIDED, (0xFFFF, Numbering("fixed"))),
    (0x10000, UNDECIDED, (0, Numbering("fixed"))),
    (None, UNDECIDED, (0, Numbering("automatic", 0))),
    (None, AUTOMATIC, (2, Numbering("automatic", 2))),
    (7, AUTOMATIC, None),
    (None, FIXED, None),
]


@pytest.mark.parametrize(("domain", "state", "expected"), TRUTH)
def test_truth_table(domain: int | None, state: Numbering, expected: object) -> None:
    assert number_bridge(state, domain) == expected


def test_the_counter_refuses_unless_automatic() -> None:
    assert number_other(UNDECIDED) is None
    assert number_other(FIXED) is None
    assert number_other(AUTOMATIC) == (2, Numbering("automatic", 2))


def bridge(at: int, *, driven: bool = True, domain: int | None = None, more: str = "") -> str:
    """A host bridge node, that Xen drives or does not."""
    compatible = "pci-host-ecam-generic" if driven else "vendor,odd-pcie"
    number = "" if domain is None else f"linux,pci-domain = <{domain:#x}>;"
    ranges = "" if "ranges" in more or "NORANGES" in more else "ranges;"
    return f"""
    pcie@{at:x} {{
        compatible = "{compatible}"; device_type = "pci";
        #address-cells = <3>; #size-cells = <2>;
        reg = <0 {at:#x} 0 0x1000000>; bus-range = <0 15>; {number} {ranges}
        {more.replace("NORANGES", "")}
    }};"""


def tree(*bridges: str) -> str:
    gic = """
    gic: intc@8000000 { compatible = "arm,gic-v3"; interrupt-controller; #interrupt-cells = <3>;
        #address-cells = <0>; reg = <0 0x8000000 0 0x10000>; };"""
    root = "#address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;"
    return f"/dts-v1/; / {{ {root} {gic} {''.join(bridges)} }};"


def booted(text: str, **settings: Any) -> Xen:
    return arm(text, machine=FakeMachine(windows=((0x1000_0000, 0x1000_0000),)), **settings)


def domains(xen: Xen) -> list[int | None]:
    """`linux,pci-domain` of Dom0's bridges in document order."""
    assert xen.dom0_tree is not None, xen.outcome
    nodes = [node for node in xen.dom0_tree.walk() if node.string("device_type") == "pci"]
    return [node.u32("linux,pci-domain") for node in nodes]


A, B = 0x1000_0000, 0x1100_0000
ODD = {"driven": False}


def test_x1_no_driven_bridge_and_no_number() -> None:
    xen = booted(tree(bridge(A, driven=False)))
    assert xen.crash is not None
    assert (xen.crash.kind, xen.crash.clause) == ("panic", "§1.6, XP-02, XP-03")
    assert xen.outcome.startswith("panic: no linux,pci-domain")


def test_x2_numbers_by_property_and_a_bridge_without() -> None:
    xen = booted(tree(bridge(A, domain=0), bridge(B, driven=False)))
    assert xen.crash is not None
    assert xen.crash.kind == "panic"


def test_x3_the_counter_goes_on_for_other_bridges() -> None:
    assert domains(booted(tree(bridge(A), bridge(B, driven=False)))) == [0, 1]


def test_x4_driven_bridges_are_numbered_first() -> None:
    assert domains(booted(tree(bridge(A, driven=False), bridge(B)))) == [1, 0]


def test_x5_existing_numbers_are_not_compared() -> None:
    assert domains(booted(tree(bridge(A), bridge(B, driven=False, domain=0)))) == [0, 0]


def test_x7_without_passthrough_nothing_is_completed() -> None:
    xen = booted(tree(bridge(A), bridge(B)), pci_passthrough=False, iommu=False)
    assert domains(xen) == [None, None]
    assert xen.core.routes.bridges == []
    assert xen.core.records.segments == {}


def test_disabled_bridges_are_numbered_too() -> None:
    xen = booted(tree(bridge(A), bridge(B, more='status = "disabled";')))
    assert domains(xen) == [0, 1]
    assert len(xen.core.routes.bridges) == 1


def test_an_empty_status_is_disabled() -> None:
    assert booted(tree(bridge(A, domain=0, more='status = "";'))).core.routes.bridges == []


FAULTS = {
    "r1": ("NORANGES", "panic", "XP-23"),
    "r4": ("ranges = <0x3000000 0 0 0x10000 0 0 0x1000>;", "panic", "XP-22"),
    "irq": (
        "#interrupt-cells = <1>; interrupt-map = <0 0 0 1 &gic 1 9 4>;",
        "panic",
        "XP-37",
    ),
}


@pytest.mark.parametrize(("more", "kind", "rule"), FAULTS.values(), ids=FAULTS)
def test_what_stops_the_making_of_dom0(more: str, kind: str, rule: str) -> None:
    crash = booted(tree(bridge(A, domain=0, more=more))).crash
    assert crash is not None
    assert (crash.kind, crash.clause[-5:]) == (kind, rule)
    assert str(crash.at).startswith("x.dtb: /pcie@10000000:")


def test_r2_r3_windows_are_not_compared_with_anything() -> None:
    own = "ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x1000000>;"
    xen = booted(tree(bridge(A, domain=0, more=own), bridge(B, domain=1, more=own)))
    assert xen.outcome == "booted"


def test_y1_a_failed_probe_ends_the_scan_for_the_bridges_after_it() -> None:
    broken = bridge(A, domain=0).replace("pci-host-ecam-generic", "xlnx,nwl-pcie-2.11")
    xen = booted(tree(broken, bridge(B, domain=1)))
    assert xen.core.routes.bridges == []
    assert xen.outcome == "booted"


def test_segment_0_exists_without_a_bridge() -> None:
    assert list(booted(tree(bridge(A, domain=4))).core.records.segments) == [0]
