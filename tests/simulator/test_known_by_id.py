"""Groups of devices that Linux knows by id: one vector for each kind of `known/linux.yaml`, with what the
kernel's function decides (`drivers/pci/quirks.c` of 6.1.192, 6.12.117 and 7.2.13, read beside the
expectation)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.known.devices import KINDS, rows
from rootplex.simulator.firmware.routing.aliases import dma_aliases
from rootplex.simulator.function import Function

PC = """\
rootplex: 1
platform: {{name: known, arch: x86_64}}
memory: [{{base: 0x0, size: 2GiB}}]
interrupt_controllers: [{{name: ioapic, kind: io-apic, base: 0xfec0_0000, gsi_base: 0}}]
iommus: [{{name: vtd, kind: intel-vtd, base: 0xfed9_0000}}]
host_bridges:
  - name: pci0
    segment: 0
    config: {{base: 0xe000_0000}}
    windows: [{{space: mem32, pci: 0xc000_0000, size: 512MiB}}]
    iommu: {{unit: vtd}}
    devices: [{devices}]
xen: false
linux: {{kernel: {kernel}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """Devices on one host bridge and the groups that a kernel makes of them, by address without segment and
    bus 00 (`1c.0`) or with its bus."""

    decides: str
    devices: str
    groups: tuple[str, ...]
    kernel: str = "linux-7.2"


def pair(id: str, type: str = "root-port", more: str = "") -> str:
    """Two functions of one slot on the root bus."""
    return ", ".join(f'{{dev: 3, fn: {fn}, type: {type}, id: "{id}"{more}}}' for fn in (0, 1))


def below(id: str, more: str = "", *, acs: str = "true") -> str:
    """Two functions of one slot below a root port."""
    functions = ", ".join(f'{{dev: 0, fn: {fn}, id: "{id}"{more}}}' for fn in (0, 1))
    return f"{{dev: 3, type: root-port, acs: {acs}, devices: [{functions}]}}"


def conventional(bridge: str) -> str:
    """Two functions on the bus of a bridge below a root port."""
    functions = ", ".join(f'{{dev: {dev}, type: pci, id: "1234:0001"}}' for dev in (0, 2))
    return f"{{dev: 3, type: root-port, acs: true, devices: [{{dev: 0, {bridge}, devices: [{functions}]}}]}}"


SPLIT, TOGETHER = ("03.0", "03.1"), ("03.0 03.1",)
BELOW = ("03.0", "01:00.0", "01:00.1")

VECTORS = {
    "a multi-function network card": Vector(
        decides="pci_quirk_mf_endpoint_acs masks all bits", devices=below("8086:1521"), groups=BELOW
    ),
    "its neighbour in the list of ids": Vector(
        decides="no row: pci_acs_flags_enabled, no capability",
        devices=below("8086:1525"),
        groups=("03.0", "01:00.0 01:00.1"),
    ),
    "what the description says wins": Vector(
        decides="the description",
        devices=below("8086:1521", ", acs_quirk: none"),
        groups=("03.0", "01:00.0 01:00.1"),
    ),
    "an Intel integrated endpoint": Vector(
        decides="pci_quirk_rciep_acs, any device id",
        devices=pair("8086:4c8b", "integrated-endpoint"),
        groups=SPLIT,
    ),
    "another vendor's integrated endpoint": Vector(
        decides="no row", devices=pair("1022:4c8b", "integrated-endpoint"), groups=TOGETHER
    ),
    "a port of a SoC": Vector(
        decides="pci_quirk_qcom_rp_acs asks for no type", devices=pair("17cb:0401"), groups=SPLIT
    ),
    "a ThunderX root port, by range": Vector(
        decides="pci_quirk_cavium_acs_match, 0xa000 to 0xa7ff", devices=pair("177d:a7ff"), groups=SPLIT
    ),
    "the range's end": Vector(
        decides="pci_quirk_cavium_acs_match: no", devices=pair("177d:a800"), groups=TOGETHER
    ),
    "a Zhaoxin port of the list": Vector(
        decides="pci_quirk_zhaoxin_pcie_ports_acs", devices=pair("1d17:0721"), groups=SPLIT
    ),
    "a Zhaoxin port outside of it, whose capability does not count": Vector(
        decides="pci_quirk_zhaoxin_pcie_ports_acs returns false, which is an answer",
        devices=pair("1d17:0722", more=", acs: true"),
        groups=TOGETHER,
    ),
    "a PCH port whose chipset the kernel reaches": Vector(
        decides="pci_quirk_enable_intel_pch_acs, RCBA enabled",
        devices=pair("8086:8c10") + ', {dev: 0x1f, type: pci, id: "8086:8c50", class: 0x060100}',
        groups=(*SPLIT, "1f.0"),
    ),
    "a PCH port without its bridge: reads give ones": Vector(
        decides="pci_quirk_enable_intel_lpc_acs reads 0xffffffff", devices=pair("8086:8c10"), groups=SPLIT
    ),
    "a PCH port beside something else at 1f.0": Vector(
        decides="pci_quirk_enable_intel_lpc_acs: bit 0 is clear, -EINVAL",
        devices=pair("8086:8c10") + ', {dev: 0x1f, type: pci, id: "1234:0001"}',
        groups=(*TOGETHER, "1f.0"),
    ),
    "a PCH id that is no root port": Vector(
        decides="pci_quirk_intel_pch_acs_match: no",
        devices=below("8086:8c10"), groups=("03.0", "01:00.0 01:00.1")
    ),
    "ACS with dwords": Vector(
        decides="pci_quirk_intel_spt_pch_acs reads control at 8",
        devices=pair("8086:a110", more=", acs: true"),
        groups=SPLIT,
    ),
    "ACS with dwords that is not there": Vector(
        decides="pci_quirk_intel_spt_pch_acs: -ENOTTY without a capability",
        devices=pair("8086:a110"), groups=TOGETHER
    ),
    "an AMD southbridge without an IVRS": Vector(
        decides="pci_quirk_amd_sb_acs: -ENODEV, then conventional",
        devices=pair("1002:4385", "pci"), groups=TOGETHER
    ),
    "function 0's requester id": Vector(
        decides="quirk_dma_func0_alias; functions 0 and 1 isolate by id otherwise",
        devices="{dev: 3, type: root-port, acs: true, devices: ["
        '{dev: 0, fn: 0, id: "8086:1521"}, {dev: 0, fn: 2, id: "1180:e832", acs: true}]}',
        groups=("03.0", "01:00.0 01:00.2"),
    ),
    "function 1's requester id, absent": Vector(
        decides="quirk_dma_func1_alias; nobody is there",
        devices='{dev: 3, type: root-port, acs: true, devices: [{dev: 0, id: "1b4b:9172"}]}',
        groups=("03.0", "01:00.0"),
    ),
    "function 1's requester id, present": Vector(
        decides="quirk_dma_func1_alias, get_pci_alias_group",
        devices="{dev: 3, type: root-port, acs: true, devices: ["
        '{dev: 0, fn: 0, id: "1b4b:9172", acs: true}, {dev: 0, fn: 1, id: "8086:1521"}]}',
        groups=("03.0", "01:00.0 01:00.1"),
    ),
    "the description has no aliases": Vector(
        decides="the description",
        devices="{dev: 3, type: root-port, acs: true, devices: ["
        '{dev: 0, fn: 0, id: "1b4b:9172", acs: true, aliases: []}, {dev: 0, fn: 1, id: "8086:1521"}]}',
        groups=BELOW,
    ),
    "a fixed alias by subsystem": Vector(
        decides="quirk_fixed_dma_alias, 01.0",
        devices="{dev: 3, type: root-port, acs: true, devices: ["
        '{dev: 0, id: "9005:0285", subsystem: "9005:02bb"}]}',
        groups=("03.0", "01:00.0"),
    ),
    "a board's management controller, 6.12": Vector(
        decides="pci_for_each_dma_alias: type 7 puts secondary<<8 on it",
        devices=conventional('type: pcie-to-pci-bridge, id: "1a03:1150"'),
        groups=("03.0", "01:00.0 02:00.0 02:02.0"),
        kernel="linux-6.12",
    ),
    "a board's management controller, 7.2": Vector(
        decides="quirk_aspeed_pci_bridge_no_alias; conventional functions do not isolate",
        devices=conventional('type: pcie-to-pci-bridge, id: "1a03:1150"'),
        groups=("03.0", "01:00.0 02:00.0 02:02.0"),
    ),
    "a PC's conventional bridge, known by an id that asks for PCIe above": Vector(
        decides="quirk_use_pcie_bridge_dma_alias: on a root bus, so its own id",
        devices='{dev: 30, type: pci-bridge, id: "8086:244e", devices: [{dev: 0, type: pci}]}',
        groups=("1e.0 01:00.0",),
    ),
    "a bridge that hides PCIe": Vector(
        decides="quirk_use_pcie_bridge_dma_alias",
        devices=conventional('type: pci-bridge, id: "1b21:1080"'),
        groups=("03.0", "01:00.0 02:00.0 02:02.0"),
    ),
}  # fmt: skip


def functions_of(devices: str, kernel: str) -> list[Function]:
    """What a kernel finds."""
    checked = read_checked(PC.format(devices=devices, kernel=kernel).encode(), "known.yaml")
    assert checked.is_sound, checked.findings
    outcome = examine(checked, RunOptions()).outcome
    assert outcome is not None
    return outcome.dom0.functions


def groups(functions: list[Function]) -> set[str]:
    """Each group's members, their first bus left out."""
    members: dict[int | None, list[str]] = {}
    for function in functions:
        members.setdefault(function.group, []).append(function.sbdf[5:].removeprefix("00:"))
    return {" ".join(sorted(each, key=lambda at: (len(at), at))) for each in members.values()}


@pytest.mark.parametrize("name", VECTORS)
def test_groups_are_the_kernels(name: str) -> None:
    vector = VECTORS[name]
    assert groups(functions_of(vector.devices, vector.kernel)) == set(vector.groups), vector.decides


@pytest.mark.parametrize(
    ("kernel", "rids"), [("linux-6.12", {0x0200, 0x0210}), ("linux-7.2", {0x0210})], ids=["6.12", "7.2"]
)
def test_the_bridge_of_a_management_controller_passes_ids_on_since_7_0(kernel: str, rids: set[int]) -> None:
    """Commit 550a190494a0: `PCI_DEV_FLAGS_PCI_BRIDGE_NO_ALIAS`."""
    functions = functions_of(conventional('type: pcie-to-pci-bridge, id: "1a03:1150"'), kernel)
    (usb,) = (each for each in functions if each.sbdf == "0000:02:02.0")
    assert {rid for _, rid in dma_aliases(usb)} == rids


def test_a_bridge_that_hides_pcie_takes_requests_as_one_that_shows_it() -> None:
    functions = functions_of(conventional('type: pci-bridge, id: "1b21:1080"'), "linux-7.2")
    rids = {each.sbdf: [rid for _, rid in dma_aliases(each)] for each in functions}
    assert rids["0000:02:02.0"] == [0x0210, 0x0200]


@pytest.mark.parametrize(
    ("kernel", "control"), [("linux-6.12", 0x1D), ("linux-7.2", 0x1C)], ids=["6.12", "7.2"]
)
def test_source_validation_of_a_switch_that_does_it_wrong_is_left_off(kernel: str, control: int) -> None:
    """`pci_disable_broken_acs_cap`, 111d:80b5, since 7.0."""
    switch = (
        "{dev: 3, type: root-port, acs: true, devices: [{dev: 0, type: upstream-port, devices: ["
        '{dev: 0, type: downstream-port, acs: true, id: "111d:80b5"}]}]}'
    )
    port = functions_of(switch, kernel)[-1]
    assert port.acs is not None
    assert port.acs[1] & 0x1F == control


@pytest.mark.parametrize(("id", "control"), [("8086:8c10", 0), ("8086:8c1f", 0), ("8086:8c20", 0x1D)])
def test_the_control_register_of_a_port_with_its_own_ones_stays_as_it_is(id: str, control: int) -> None:
    """`pci_quirk_enable_intel_pch_acs` answers 0, and `pci_std_enable_acs` is not called."""
    (port,) = functions_of(f'{{dev: 3, type: root-port, acs: true, id: "{id}"}}', "linux-7.2")
    assert port.acs == (0x1F, control)


@pytest.mark.parametrize(("revision", "ats"), [(0x1F, False), (0x20, True)])
def test_ats_of_an_early_revision_is_not_used(revision: int, ats: bool) -> None:
    """`quirk_intel_e2000_no_ats`: revisions below 0x20."""
    device = f'{{dev: 0, id: "8086:1452", ats: true, revision: {revision}}}'
    functions = functions_of(f"{{dev: 3, type: root-port, acs: true, devices: [{device}]}}", "linux-7.2")
    assert functions[-1].ats is ats


def test_a_class_that_the_kernel_corrects() -> None:
    """`qcom_fixup_class`, an early fix-up."""
    (port,) = functions_of('{dev: 3, type: root-port, id: "17cb:0302", class: 0xff0000}', "linux-7.2")
    assert port.class_code == 0x060400


def test_the_data_is_whole() -> None:
    """Every row names ids, a file and a function; ranges go up; every kind is there."""
    assert {row.kind for row in rows()} == set(KINDS)
    for row in rows():
        file, _, function = row.source.partition(":")
        assert file.endswith(".c")
        assert function
        assert row.devices
        for vendor, ranges in row.devices.items():
            assert vendor <= 0xFFFF
            assert all(first <= last <= 0xFFFF for first, last in ranges), row.source
