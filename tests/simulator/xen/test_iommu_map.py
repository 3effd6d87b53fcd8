"""The rows of xen.md §1.9: first and repeated device add, by what is wrong with `iommu-map`."""

from __future__ import annotations

import pytest
from tests.simulator.xen.xen_machines import add, arm, case_text, do, edited, leftover

from rootplex.simulator.xen.boot import Wiring

MAP = "iommu-map = <0x00 0x8005 0x00 0x10000>;"
PL061 = "0x8006"  # a node that is no IOMMU

ROWS = {
    "t1-fine": (MAP, 0, 0, "clean"),
    "m1-absent": ("", -19, -19, "ownerless record"),
    "m2-uncovered": ("iommu-map = <0x100 0x8005 0x100 0x100>;", -19, -17, "ownerless record with IOMMU data"),
    "m3-no-phandle": ("iommu-map = <0x00 0x1234 0x00 0x10000>;", -19, -19, "ownerless record"),
    "m4-no-iommu": (
        f"iommu-map = <0x00 {PL061} 0x00 0x10000>;",
        -19,
        -17,
        "ownerless record with IOMMU data",
    ),
    "m5-length": ("iommu-map = <0x00 0x8005 0x00>;", -22, -22, "ownerless record"),
    "m5-empty": ("iommu-map;", -22, -22, "ownerless record"),
    "m6-mask": (
        "iommu-map-mask = <0xff>; iommu-map = <0x100 0x8005 0x00 0x10000>;",
        -14,
        -14,
        "ownerless record",
    ),
    "m7-beyond": (
        "iommu-map = <0x00 0x8005 0x10000 0x10000>;",
        -34,
        -17,
        "ownerless record with IOMMU data",
    ),
}


@pytest.mark.parametrize(("property", "first", "again", "left"), ROWS.values(), ids=ROWS)
def test_row(property: str, first: int, again: int, left: str) -> None:
    text = edited(case_text("base"), (MAP, property))
    xen = arm(text, wiring=Wiring(stream_bits=lambda bridge: 16))
    assert add(xen, 0, 0, 8) == first
    assert leftover(xen, 0, 8) == left
    record = xen.core.records.find(0, 0, 8)
    assert (record is not None and record.owner == 0) == (first == 0)
    assert add(xen, 0, 0, 8) == again


def test_n1_no_bridge() -> None:
    xen = arm(case_text("base"))
    assert [add(xen, 3, 0, 0), add(xen, 3, 0, 0)] == [-19, -19]
    assert leftover(xen, 3, 0) == "ownerless record"
    assert "no-bridge-for" in {notice.kind for notice in xen.notices}
    assert do(xen, "pci_device_remove", 3, 0, 0) == -22
    assert do(xen, "pci_device_remove", 3, 0, 0) == -19


def test_m8_a_stream_of_another_function_is_the_end() -> None:
    text = edited(case_text("base"), (MAP, "iommu-map-mask = <0>; " + MAP))
    xen = arm(text)
    assert add(xen, 0, 0, 0) == 0
    assert add(xen, 0, 0, 8) == "BUG"
    assert "XP-33" in str(xen.crash and xen.crash.clause)
    assert xen.outcome.startswith("panic: BUG: stream 0x0")


def test_i1_i2_streams_across_bridges() -> None:
    """Two bridges, same streams: BUG; shifted apart: fine (c2 with buses that start at 0)."""
    text = edited(case_text("c2"), ("bus-range = <0x80 0xff>;", "bus-range = <0x0 0x7f>;"))
    assert [add(one := arm(text), 0, 0, 0), add(one, 1, 0, 0)] == [0, "BUG"]
    head, tail = text.split("pcie@4018000000")
    apart = head + "pcie@4018000000" + edited(tail, (MAP, MAP.replace("0x8005 0x00", "0x8005 0x10000")))
    assert [add(one := arm(apart), 0, 0, 0), add(one, 1, 0, 0)] == [0, 0]


def test_phantom_functions_pass_over_other_iommus() -> None:
    """The second function's first entry names another IOMMU: the next one is taken."""
    machine = arm(case_text("base"))._machine
    page = machine.pages[8].pcie(0, capabilities=1 << 3)  # type: ignore[attr-defined]
    assert page.read(0x44, 4) == 8
    entries = "0x08 0x8005 0x08 0x04 0x0c 0x8006 0x40 0x04 0x0c 0x8005 0x50 0x04"
    text = edited(case_text("base"), (MAP, f"iommu-map = <{entries}>;"))
    xen = arm(text, machine=machine)  # type: ignore[arg-type]
    assert add(xen, 0, 0, 8) == 0
    record = xen.core.records.find(0, 0, 8)
    assert record is not None
    assert record.phantom_stride == 4
    assert record.streams is not None
    assert record.streams.ids == (0x08, 0x50)


def test_the_iommu_off_takes_anything() -> None:
    xen = arm(case_text("base"), iommu=False)
    assert add(xen, 3, 0, 0) == 0  # t4: no such bridge
    assert do(xen, "pci_device_remove", 3, 0, 0) == 0
