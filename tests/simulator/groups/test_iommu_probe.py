"""IOMMU drivers, and when kernels group: linux.md §1.10, §5.5, §10 and what boots have shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest
from tests.simulator.groups.pci_trees import FULL, PciTree, pages, partition, pci_bridge

from rootplex.report.reasons import sentence
from rootplex.simulator.firmware.routing.aliases import dma_aliases
from rootplex.simulator.firmware.routing.routes import (
    Cause,
    DeviceStreams,
    FirmwareUnit,
    StreamRoute,
    UnitKind,
)
from rootplex.simulator.function import PCIE_TO_PCI, Function
from rootplex.simulator.groups.dom0 import group_streams
from rootplex.simulator.groups.grouping import Grouping
from rootplex.simulator.groups.iommu_probe import probe_functions
from rootplex.simulator.groups.linux import linux_groups
from rootplex.simulator.groups.timing import bind_order, timing
from rootplex.simulator.groups.top_down import top_down_groups
from rootplex.simulator.inputs import Settings
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.source.place import FilePlace

HERE = FilePlace("x.dtb")
UNMAPPED = Cause("not-mapped", "iommu-map", told="no entry covers it")


@dataclass
class Streams:
    """All requester ids go to one unit; `ids` names the exceptions, None: unmapped."""

    kind: UnitKind
    ids: Mapping[int, int | None] = field(default_factory=dict)

    def __call__(self, function: Function) -> DeviceStreams:
        unit = FirmwareUnit(self.kind, "/iommu", 0x9050000, HERE)
        routes = []
        for owner, rid in dma_aliases(function):
            id = self.ids.get(rid, rid)
            there = None if id is None else unit
            cause = UNMAPPED if id is None else None
            routes.append(StreamRoute(function, owner, rid, there, id, (), cause, HERE))
        bad = next((route for route in routes if route.unit is None), None)
        cause = None if bad is None else bad.cause
        return DeviceStreams(function, tuple(routes), None if bad else unit, cause, HERE)


@dataclass
class Scanned:
    functions: list[Function]
    root_bridges: list[RootBridge] = field(default_factory=list)


def grouped(tree: PciTree, streams: Streams) -> set[frozenset[str]]:
    return pages(linux_groups(tree.functions, probe_functions(tree.functions, streams)))


def test_smmu_v3_takes_one_function_behind_a_pcie_to_pci_bridge() -> None:
    """Seen in boots: both carry the bridge's alias, the second is refused."""
    tree = PciTree()
    pci_bridge(tree)
    probe = probe_functions(tree.functions, Streams("smmu-v3"))
    grouping = linux_groups(tree.functions, probe)
    assert partition("{RP} {BR,P1}") == pages(grouping)
    (refused,) = grouping.ungrouped
    assert (tree["P2"], "refused") == (refused.function, refused.kind)
    assert "0000:02:01.0 already has StreamID 0x200" in sentence(refused)


def test_vt_d_groups_them_all() -> None:
    tree = PciTree()
    pci_bridge(tree)
    assert partition("{RP} {BR,P1,P2}") == grouped(tree, Streams("vt-d"))


def test_smmu_v3_lets_a_function_repeat_its_own_stream() -> None:
    """The map takes the function's own id and its alias to one StreamID (the own-alias exception)."""
    tree = PciTree()
    function = tree.add("A", tree.root, 1, aliases=(0x09,))
    assert partition("{A}") == grouped(tree, Streams("smmu-v3", {function.rid: 5, 0x09: 5}))


def test_the_first_device_of_a_conventional_bus_may_own_the_alias() -> None:
    """Device 0 behind the bridge has the alias as its own id: it does not clash with itself."""
    tree = PciTree()
    conventional = pci_bridge(tree)
    tree.functions.insert(2, tree.add("P0", conventional, 0, type=None))
    tree.functions.pop()
    assert partition("{RP} {BR,P0}") == grouped(tree, Streams("smmu-v3"))


def test_smmu_v3_refuses_a_stream_beyond_its_table() -> None:
    """-ERANGE; a stream table of 16 bits holds 0xffff and not 0x10000."""
    tree = PciTree()
    one, other = tree.add("A", tree.root, 1), tree.add("B", tree.root, 2)
    streams = Streams("smmu-v3", {one.rid: 0xFFFF, other.rid: 0x10000})
    probe = probe_functions(tree.functions, streams, lambda function: 16)
    assert [one] == list(probe.probed)
    assert ["refused"] == [reason.kind for reason in probe.unprobed]


def test_smmu_v2_merges_functions_that_share_a_stream_map_entry() -> None:
    tree = PciTree()
    one = tree.add("A", tree.root, 1)
    other = tree.add("B", tree.root, 2)
    tree.add("C", tree.root, 3)
    shared = {one.rid: 7, other.rid: 7}
    assert partition("{A,B} {C}") == grouped(tree, Streams("smmu-v2", shared))
    assert partition("{A} {C}") == grouped(tree, Streams("smmu-v3", shared))
    assert partition("{A} {B} {C}") == grouped(tree, Streams("vt-d", shared))


def test_smmu_v2_refuses_a_device_between_two_groups() -> None:
    tree = PciTree()
    one, other = tree.add("A", tree.root, 1), tree.add("B", tree.root, 2)
    both = tree.add("C", tree.root, 3, aliases=(0x40,))
    streams = Streams("smmu-v2", {one.rid: 1, other.rid: 2, both.rid: 1, 0x40: 2})
    grouping = linux_groups(tree.functions, probe_functions(tree.functions, streams))
    assert partition("{A} {B}") == pages(grouping)
    assert [(tree["C"], "refused")] == [(r.function, r.kind) for r in grouping.ungrouped]


def test_a_function_without_a_mapping_has_no_group() -> None:
    tree = PciTree()
    one = tree.add("A", tree.root, 1)
    tree.add("B", tree.root, 2)
    grouping = linux_groups(
        tree.functions, probe_functions(tree.functions, Streams("smmu-v3", {one.rid: None}))
    )
    assert partition("{B}") == pages(grouping)
    assert [("no-iommu", tree["A"])] == [(r.kind, r.function) for r in grouping.ungrouped]
    assert grouping.of(tree["A"]) is None


def test_a_failing_port_without_a_group_splits_what_is_below_it() -> None:
    """The ordering hazard of §5.5: the result is too fine, and says so."""
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 1)
    tree.add("A", below, 0)
    tree.add("B", below, 1)
    probe = probe_functions(tree.functions, Streams("smmu-v3", {tree["RP"].rid: None}))
    grouping = linux_groups(tree.functions, probe)
    assert partition("{A} {B}") == pages(grouping)
    assert [("order", tree["RP"])] == [(r.kind, r.function) for r in grouping.hazards]
    assert all("order" in {r.kind for r in group.reasons} for group in grouping.groups)


def test_a_bridge_grouped_after_its_devices_splits_too() -> None:
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 1)
    one, other = tree.add("A", below, 0), tree.add("B", below, 1)
    grouping = linux_groups(tree.functions, order=[one, other, tree["RP"]])
    assert partition("{A} {B} {RP}") == pages(grouping)
    assert len(grouping.hazards) == 1


def test_the_proposed_algorithm_defers_below_a_bridge_without_a_group() -> None:
    tree = PciTree()
    below = tree.bridge("RP", tree.root, 1)
    tree.add("A", below, 0)
    grouping = top_down_groups(
        tree.functions, probe_functions(tree.functions, Streams("smmu-v3", {tree["RP"].rid: None}))
    )
    assert [] == list(grouping.groups)
    assert {"no-iommu", "deferred"} == {r.kind for r in grouping.ungrouped}


# §10: kernel, firmware, architecture; order, and whether groups are there without drivers.
KNOBS: list[
    tuple[str, Literal["dt", "acpi"], Literal["arm64", "x86_64", "arm", "riscv64"], str, str, bool]
] = [
    ("linux-6.1", "dt", "arm64", "linux", "driver-bind", False),
    ("linux-6.1-vanilla", "dt", "arm", "linux", "driver-bind", False),
    ("linux-6.12", "dt", "arm64", "linux", "driver-bind", False),
    ("linux-6.12", "acpi", "arm64", "linux", "driver-bind", False),
    ("linux-6.1", "acpi", "x86_64", "linux", "registration", True),
    ("linux-6.12", "acpi", "x86_64", "linux", "registration", True),
    ("linux-7.2", "dt", "arm64", "linux", "registration", True),
    ("linux-7.2", "acpi", "arm64", "linux", "registration", True),
    ("linux-7.2", "acpi", "x86_64", "linux", "registration", True),
    ("jgg-v3", "dt", "arm64", "jgg-v3", "registration", True),
    ("jgg-v3", "acpi", "x86_64", "jgg-v3", "registration", True),
]


@pytest.mark.parametrize(("kernel", "firmware", "arch", "algorithm", "order", "at_boot"), KNOBS)
def test_when_a_kernel_groups(
    kernel: str,
    firmware: Literal["dt", "acpi"],
    arch: Literal["arm64", "x86_64", "arm", "riscv64"],
    algorithm: str,
    order: str,
    at_boot: bool,
) -> None:
    when = timing(Settings(arch=arch, firmware=firmware, kernel=kernel))
    assert (algorithm, order, at_boot) == (when.algorithm, when.order, when.at_boot)


@pytest.mark.parametrize(("kernel", "at_boot"), [("linux-7.2", True), ("linux-6.1", False)])
def test_groups_are_written_into_the_functions(kernel: str, at_boot: bool) -> None:
    tree = PciTree()
    tree.add("EP", tree.bridge("RP", tree.root, 0), 0)
    lost = tree.add("X", tree.root, 1)
    settings = Settings(arch="arm64", firmware="dt", kernel=kernel)
    grouping = group_streams(Scanned(tree.functions), Streams("smmu-v3", {lost.rid: None}), settings)
    assert grouping.of(tree["EP"]) is grouping.of(tree["RP"])
    assert tree["EP"].group == tree["RP"].group == grouping.groups[0].id
    assert (at_boot, at_boot) == (tree["EP"].group_at_boot, tree["RP"].group_at_boot)
    assert (None, False) == (lost.group, lost.group_at_boot)


def test_drivers_are_offered_bus_by_bus() -> None:
    """All functions of a bus, then the buses below each bridge, depth first."""
    tree = PciTree()
    first = tree.bridge("RP0", tree.root, 0, acs=FULL)
    second = tree.bridge("RP1", tree.root, 1, acs=FULL)
    tree.add("A", first, 0)
    tree.add("B", second, 0)
    assert ["RP0", "RP1", "A", "B"] == [f.page for f in bind_order(tree.functions)]
    assert ["RP0", "RP1", "A", "B"] == [
        f.page for f in bind_order(tree.functions[:2] + tree.functions[:1:-1])
    ]


def test_disks_come_first_then_bridges_then_the_others_by_address() -> None:
    """As a booted 6.1 recorded it (tests/capture/recorded): `nvme`, `pcieport`, then the offers."""
    tree = PciTree()
    first = tree.bridge("RP0", tree.root, 2, acs=FULL)
    second = tree.bridge("RP1", tree.root, 4, acs=FULL)
    tree.add("NIC", tree.root, 1)
    tree.add("DISK", first, 0, class_code=0x010802)
    tree.add("EC", tree.root, 5, class_code=0x080700)
    tree.bridge("PCI", second, 0, type=PCIE_TO_PCI)
    order = ["DISK", "RP0", "RP1", "EC", "PCI", "NIC"]
    assert order == [f.page for f in bind_order(tree.functions)]


@dataclass
class ByBus:
    """Requester ids to units by bus number; every id is itself."""

    units: Mapping[int, FirmwareUnit]

    def __call__(self, function: Function) -> DeviceStreams:
        unit = self.units[function.bus.number]
        routes = tuple(
            StreamRoute(function, owner, rid, unit, rid, (), None, HERE)
            for owner, rid in dma_aliases(function)
        )
        return DeviceStreams(function, routes, unit, None, HERE)


ONE, TWO = FirmwareUnit("smmu-v3", "/smmu@1", 0x1000, HERE), FirmwareUnit("smmu-v3", "/smmu@2", 0x2000, HERE)


def two_ports() -> PciTree:
    """A root port that does not isolate and one that does, an endpoint behind each."""
    tree = PciTree()
    for number, acs in ((1, None), (2, FULL)):
        below = tree.bridge(f"RP{number}", tree.root, number, acs=acs)
        tree.add(f"EP{number}", below, 0)
    return tree


def of_kernel(tree: PciTree, streams: ByBus, kernel: str, *, bits: int = 32) -> Grouping:
    settings = Settings(arch="arm64", firmware="dt", kernel=kernel)
    return group_streams(Scanned(tree.functions), streams, settings, lambda function: bits, (ONE, TWO))


def test_a_group_over_two_smmus_costs_the_second_one() -> None:
    """-22: 7.2 gives up the SMMU that comes later with all its functions, 6.12 leaves out the one that would
    join (booted with 7.2: h094)."""
    tree = two_ports()
    streams = ByBus({0: ONE, 1: TWO, 2: TWO})
    grouping = of_kernel(tree, streams, "linux-7.2")
    assert partition("{RP1} {RP2}") == pages(grouping)
    (refusal,) = grouping.refusals
    assert (refusal.function, refusal.other, refusal.unit) == (tree["EP1"], tree["RP1"], TWO)
    assert (refusal.errno, refusal.unit_lost) == (-22, True)
    assert {(r.function, r.kind) for r in grouping.ungrouped} == {
        (tree["EP1"], "unit-lost"),
        (tree["EP2"], "unit-lost"),
    }
    older = of_kernel(tree, streams, "linux-6.12")
    assert partition("{RP1} {RP2} {EP2}") == pages(older)
    assert [(r.function, r.unit_lost) for r in older.refusals] == [(tree["EP1"], False)]


def test_a_port_behind_an_smmu_that_comes_later_has_no_group_yet() -> None:
    """The endpoint is grouped when the first SMMU registers, its port with the second."""
    tree = two_ports()
    grouping = of_kernel(tree, ByBus({0: TWO, 1: ONE, 2: ONE}), "linux-7.2")
    assert partition("{RP1} {EP1} {RP2} {EP2}") == pages(grouping)
    assert grouping.refusals == ()
    assert [reason.function for reason in grouping.hazards] == [tree["RP1"]]


def test_a_stream_beyond_the_table_costs_the_whole_smmu() -> None:
    """-34 (booted with 7.2: h090); 6.12 leaves out that function alone."""
    tree = two_ports()
    streams = ByBus({0: ONE, 1: TWO, 2: ONE})
    grouping = of_kernel(tree, streams, "linux-7.2", bits=9)
    assert partition("{EP1}") == pages(grouping)
    assert [(r.function, r.stream, r.errno, r.unit_lost) for r in grouping.refusals] == [
        (tree["EP2"], 0x200, -34, True)
    ]
    assert partition("{RP1} {RP2}") == pages(of_kernel(tree, streams, "linux-6.12", bits=9))


def test_which_of_two_disks_gets_the_one_stream_is_not_told() -> None:
    """Older kernels probe NVMe functions all at once: behind a PCIe-to-PCI bridge one of them gets its id."""
    tree = PciTree()
    conventional = pci_bridge(tree)
    for name in ("P1", "P2"):
        tree[name].class_code = 0x010802
    tree.add("P3", conventional, 5, type=None)
    grouping = of_kernel(tree, ByBus({0: ONE, 1: ONE, 2: ONE}), "linux-6.12")
    assert partition("{RP} {BR}") == pages(grouping)
    assert {(r.function, r.kind) for r in grouping.ungrouped} == {
        (tree["P1"], "undetermined"),
        (tree["P2"], "undetermined"),
        (tree["P3"], "refused"),
    }
    newer = of_kernel(tree, ByBus({0: ONE, 1: ONE, 2: ONE}), "linux-7.2")
    assert partition("{RP} {BR,P1}") == pages(newer)
