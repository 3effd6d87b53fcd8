"""VIOT read and written: bytes laid by the specification (ACPI 6.5 §5.2.31), and what Linux makes of them."""

from __future__ import annotations

import struct
from typing import Literal

import pytest
from tests.checks.cases import changed, findings_of, only

from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.readers.acpi.header import read_table
from rootplex.readers.acpi.viot import Viot, read_viot
from rootplex.readers.buses import Buses
from rootplex.readers.idruns import viot_runs
from rootplex.simulator.boots.outcome import Outcome
from rootplex.source.finding import Level
from rootplex.source.place import TablePlace

TEXT = """\
rootplex: 1
platform: {name: viot, arch: arm64, base: qemu-virt}
iommus: [{name: viommu, kind: dt-node, compatible: ["virtio,pci-iommu"], parent: main, dev: 2, cells: 1}]
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0x40_1000_0000}
    windows: [{space: mem32, pci: 0x10000000, size: 256MiB}]
    msi: {controller: its}
    iommu: {unit: viommu, map: [{rid: 0, id: 0x1000, count: 0x10}, {rid: 0x11, id: 0x1011, count: 0x3fef}]}
    devices:
      - {name: vio, dev: 2, type: pci, id: "1af4:1057", class: 0x00ff00}
      - {name: rp, dev: 3, type: root-port, acs: true, devices: [{name: disk, dev: 0, msix: 1}]}
xen: false
"""


def table(count: int, *nodes: bytes) -> Viot:
    body = struct.pack("<HHQ", count, 48, 0) + b"".join(nodes)
    head = struct.pack("<4sIBB6s8sI4sI", b"VIOT", 36 + len(body), 0, 0, b"TEST", b"TEST", 1, b"TEST", 1)
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xFF
    return read_viot(read_table(bytes(data), "viot.dat"))


def ranged(first: int, last: int, endpoint: int, output: int, segments: tuple[int, int] = (0, 0)) -> bytes:
    return struct.pack("<BBHIHHHHH6x", 1, 0, 24, endpoint, *segments, first, last, output)


UNIT = struct.pack("<BBHHH8x", 3, 0, 16, 1, 0x0010)
REGISTERS = struct.pack("<BBHIQ", 4, 0, 16, 0, 0x0A00_0000)
ENDPOINT = struct.pack("<BBHIQH6x", 2, 0, 24, 7, 0x0B00_0000, 48)


def test_every_kind_of_node() -> None:
    read = table(4, UNIT, REGISTERS, ENDPOINT, ranged(0x10, 0x1F, 0x40, 48, (1, 2)))
    assert read.problems == ()
    assert [(unit.offset, unit.segment, unit.rid, unit.base) for unit in read.units] == [
        (48, 1, 0x0010, None),
        (64, None, None, 0x0A00_0000),
    ]
    (each,) = read.ranges
    assert each.endpoint_of(1, 0x12) == 0x42
    assert each.endpoint_of(2, 0x12) == 0x1_0042  # viot_pci_dev_iommu_init: a segment is 16 bits more
    assert each.endpoint_of(0, 0x12) is each.endpoint_of(1, 0x20) is None


@pytest.mark.parametrize(
    ("count", "nodes", "text"),
    [
        (1, (UNIT[:-4],), "node of 16 bytes, 12 are left"),
        (2, (UNIT,), "node of 0 bytes, 0 are left"),
        (2, (UNIT, ranged(0, 1, 0, 64)), "the range leads to offset 0x40, where no virtio-iommu is"),
        (2, (UNIT, ranged(8, 1, 0, 48)), "a range whose end is before its beginning"),
        (2, (UNIT, ranged(0, 8, 0, 48, (2, 1))), "a range whose end is before its beginning"),
    ],
)
def test_what_does_not_fit_is_told(count: int, nodes: tuple[bytes, ...], text: str) -> None:
    assert [problem.text for problem in table(count, *nodes).problems] == [text]


def test_nodes_do_not_begin_within_the_head() -> None:
    """`viot_check_bounds`: "Node pointer overflows"; Linux reads none then."""
    data = bytearray(table(1, UNIT).table.data)
    data[38] = 36
    read = read_viot(read_table(bytes(data), "viot.dat"))
    (problem,) = read.problems[-1:]
    assert problem.text == "the nodes are to begin at 0x24, within the table's head"
    assert isinstance(problem.place, TablePlace)
    assert (problem.place.offset, read.units) == (38, ())


def test_of_two_ranges_the_last_counts() -> None:
    """`viot_parse_node` puts each before the others (list_add), and leaves out what leads nowhere."""
    read = table(4, UNIT, ranged(0, 0xFF, 0, 48), ranged(0x20, 0x2F, 0x900, 48), ranged(0x28, 0x28, 7, 99))
    runs = viot_runs(read, 0, Buses(0, 0))
    assert runs is not None
    assert [(run.first, run.last, run.id) for run in runs] == [
        (0x00, 0x1F, 0x00), (0x20, 0x2F, 0x900), (0x30, 0xFF, 0x30),
    ]  # fmt: skip
    own = viot_runs(table(2, UNIT, ranged(0, 0xFF, 0, 48, (0, 1))), 1, Buses(0, 0))
    assert own is not None
    assert [(run.first, run.last, run.target) for run in own] == [
        (0x00, 0x0F, 48), (0x10, 0x10, None), (0x11, 0xFF, 48),
    ]  # fmt: skip


def booted(firmware: Literal["dt", "acpi"], text: str = TEXT, kernel: str | None = None) -> Outcome:
    checked = read_checked(text.encode(), "viot.yaml")
    assert checked.is_sound, checked.findings
    outcome = examine(checked, RunOptions(firmware=firmware, kernel=kernel)).outcome
    assert outcome is not None
    return outcome


def test_both_firmwares_say_the_same_of_every_requester() -> None:
    assert not [each for each in findings_of(TEXT) if str(each.level) in ("error", "warning")]
    ids = {
        firmware: {
            function.sbdf: [(route.rid, route.id) for route in outcome.streams[function].routes]
            for function in outcome.dom0.functions
        }
        for firmware in ("dt", "acpi")
        if (outcome := booted(firmware))
    }
    assert ids["dt"] == ids["acpi"]
    assert ids["acpi"]["0000:01:00.0"] == [(0x0100, 0x1100)]
    assert ids["acpi"]["0000:00:02.0"] == [(0x0010, None)]  # "We're not translating ourself"


def test_the_unit_has_no_group_and_the_others_have_theirs() -> None:
    outcome = booted("acpi")
    group = {function.sbdf: function.group for function in outcome.dom0.functions}
    assert group["0000:00:02.0"] is None
    assert group["0000:01:00.0"] not in (None, group["0000:00:03.0"])


BRIDGE = """\
      - name: br
        dev: 4
        type: pcie-to-pci-bridge
        devices: [{name: one, dev: 2, type: pci}, {name: other, dev: 3, type: pci}]
"""


@pytest.mark.parametrize(
    ("kernel", "left"), [("linux-6.12", "one other vio"), ("linux-7.2", "br disk one other rp vio")]
)
@pytest.mark.parametrize("firmware", ["dt", "acpi"])
def test_functions_behind_a_bridge_are_refused(
    kernel: str, left: str, firmware: Literal["dt", "acpi"]
) -> None:
    """As booted on QEMU's own virtio-iommu (tests/boot/test_iommu_boots.py): 7.2 gives the unit up."""
    text = changed(TEXT, ("    devices:\n", "    devices:\n" + BRIDGE))
    outcome = booted(firmware, text, kernel)
    names = {"0000:00:04.0": "br", "0000:01:00.0": "disk", "0000:00:02.0": "vio"}
    names |= {"0000:02:02.0": "one", "0000:02:03.0": "other", "0000:00:03.0": "rp"}
    assert sorted(names[each.sbdf] for each in outcome.dom0.functions if each.group is None) == left.split()
    (finding,) = only(findings_of(text, options=RunOptions(firmware=firmware, kernel=kernel)), "RPX0768")
    assert finding.message == (
        "the virtio-iommu of 'one' does not know it: its requests come with the id of 'br'"
    )
    assert finding.level is (Level.WARNING if kernel == "linux-6.12" else Level.ERROR)
    assert not only(findings_of(TEXT), "RPX0768")


def test_a_virtio_iommu_with_registers_is_one_too() -> None:
    """`virtio,mmio`, to which a map of ids leads. Booted by hand on QEMU 7.2 (`-global
    virtio-mmio.force-legacy=false -device virtio-iommu-device,primary-bus=pcie.0`, Linux 7.2.13 and
    virtio_mmio.ko): the groups are those of a function; for a card behind a PCI bridge it is given up."""
    mapped = "map: [{rid: 0, id: 0x1000, count: 0x10}, {rid: 0x11, id: 0x1011, count: 0x3fef}]"
    text = changed(
        TEXT,
        ("arch: arm64,", "arch: arm64, firmware: [dt],"),
        ('["virtio,pci-iommu"], parent: main, dev: 2', '["virtio,mmio"], base: 0xa00_3e00, size: 0x200'),
        (mapped, "map: [{rid: 0, id: 0, count: 0x4000}]"),
    )
    outcome = booted("dt", text, "linux-7.2")
    assert {each.unit.kind for each in outcome.streams.values() if each.unit} == {"virtio-iommu"}
    assert all(each.group is not None for each in outcome.dom0.functions)
    text = changed(text, ("    devices:\n", "    devices:\n" + BRIDGE))
    (finding,) = only(findings_of(text), "RPX0768")
    assert finding.level is Level.ERROR
