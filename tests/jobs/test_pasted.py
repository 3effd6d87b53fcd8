"""Groups of a machine of which there is only what was pasted, held against those that the machine had."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.capture.pasted.machines import ARMS, LIST, NAMES, PCS, kernels_groups, pasted, sections
from tests.checks.golden import hold

from rootplex.capture.pasted.reading import read_paste
from rootplex.jobs.boards import Board, Item, boards_of
from rootplex.jobs.check import check_text
from rootplex.jobs.importing import description_text
from rootplex.jobs.pasted.simulation import PastedOutcome, import_pasted, simulate_pastes
from rootplex.jobs.result import Together
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.validate import validate_board
from rootplex.source.finding import Level, Unreadable

REPORTS = Path(__file__).parents[1] / "cases" / "reports" / "lspci"


def outcome_of(*texts: str) -> PastedOutcome:
    found = simulate_pastes([read_paste(text, f"{n}.txt") for n, text in enumerate(texts)], RunOptions())
    assert found is not None
    return found


def machine(name: str, *commands: str) -> PastedOutcome:
    found = simulate_pastes(pasted(name, *commands), RunOptions())
    assert found is not None
    return found


def members(groups: tuple[Together, ...]) -> set[frozenset[str]]:
    return {frozenset(each.sbdf for each in group.members) for group in groups}


@pytest.mark.parametrize("name", PCS)
def test_a_pcs_groups_by_lspci_as_root_are_its_kernels(name: str) -> None:
    found = machine(name, "lspci -nnvvv", LIST)
    assert kernels_groups(name) == members(found.groups.linux)
    assert ((), ()) == (found.findings, found.unknown)


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_machines_groups_by_its_configuration_space_and_log_are_its_kernels(name: str) -> None:
    found = machine(name, "raw", "dmesg", "oldloop")
    assert kernels_groups(name) == members(found.groups.linux)
    assert ((), ()) == (found.findings, found.unknown)
    assert () == found.assumed


@pytest.mark.parametrize("name", PCS)
def test_every_whole_form_of_lspci_gives_one_description(name: str) -> None:
    verbose, plain, rows = (
        import_pasted(pasted(name, command)).document.plain()
        for command in ("lspci -nnvvv", "lspci -vvv", "lspci -xxxx")
    )

    def told(document: object, *keys: str) -> list[object]:
        """The values of some keys, depth first."""
        if isinstance(document, dict):
            own = [document.get(key) for key in keys] if "dev" in document else []
            return own + [each for value in document.values() for each in told(value, *keys)]
        if isinstance(document, list | tuple):
            return [each for value in document for each in told(value, *keys)]
        return []

    of_groups = ("dev", "fn", "type", "acs", "bus", "class")
    assert told(verbose, *of_groups) == told(plain, *of_groups)
    beside = ("id", "subsystem", "revision", "ari", "ats", "msi", "msix", "pm", "pin", "slot", "hotplug")
    assert told(verbose, *of_groups, *beside) == told(rows, *of_groups, *beside)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["user lspci -nnv", "dmesg", "oldloop"])
def test_what_is_claimed_by_less_is_true(name: str, command: str) -> None:
    if command not in sections(name) or len(sections(name)[command]) < 200:
        pytest.skip("the machine did not print it")
    found = machine(name, command)
    truth = kernels_groups(name)
    assert members(found.groups.linux) <= truth
    assert "RPX0036" not in {each.code for each in found.findings}
    told = {each.sbdf for group in (*found.groups.linux, *found.unknown) for each in group.members}
    assert {each for group in truth for each in group} <= told


def test_denied_capabilities_leave_the_group_unknown_and_say_why() -> None:
    found = machine("desktop-6.1", "user lspci -nnv")
    assert {"0000:00:00.0"} in members(found.groups.linux)
    (ports,) = (each for each in found.unknown if "0000:00:02.0" in {one.sbdf for one in each.members})
    assert "its capabilities are <access denied>: lspci was not run as root" in ports.why[0]
    assert "the kernel's group 7: 0000:01:00.0" in ports.why


def test_what_is_assumed_is_said() -> None:
    assert (
        "a VT-d unit that translates every bridge",
        "the newest kernel that is known here",
    ) == machine("plain-6.12", "lspci -nnvvv").assumed
    assert () == machine("plain-6.12", "lspci -nnvvv", "dmesg").assumed


def test_acs_that_a_text_shows_off_is_assumed_on_where_no_iommu_is_told() -> None:
    text = sections("desktop-6.1")["lspci -vvv"]
    text = re.sub(r"ACSCtl:.*", "ACSCtl: SrcValid- TransBlk- ReqRedir- CmpltRedir- UpstreamFwd-", text)
    text = re.sub(r"\tIOMMU group: \d+\r?\n", "", text)
    (told,) = (each for each in outcome_of(text).assumed if each.startswith("ACS"))
    assert told.endswith("the text shows it off at 0000:00:02.0, 0000:00:02.1, 0000:00:03.0")


LIST_THAT_DIFFERS = "IOMMU Group 7 01:00.0 Non-Volatile memory controller [0108]: Red Hat [1b36:0010]\n"


def differing(argument: str = "") -> PastedOutcome:
    """A list in which the kernel takes a port without ACS to isolate."""
    log = sections("no-acs-6.12")["dmesg"].replace("intel_iommu=on", f"intel_iommu=on {argument}")
    log = "\n".join(line for line in log.splitlines() if "iommu group" not in line)
    listed = "\n".join(
        f"/sys/kernel/iommu_groups/{number}/devices/{name}"
        for number, name in enumerate(
            sorted({each for group in kernels_groups("no-acs-6.12") for each in group})
        )
    )
    verbose = re.sub(r"IOMMU group: \d+", "", sections("no-acs-6.12")["lspci -nnvvv"])
    return outcome_of(verbose, listed, log)


def test_a_list_that_differs_is_found_with_both_groups_and_the_reason() -> None:
    found = differing("pcie_acs_override=downstream,multifunction").findings
    hold(found)
    first = found[0]
    assert ("RPX0036", "1.txt") == (first.code, first.at.file)
    assert "0000:00:03.0 is in the kernel's group 1, alone; computed it is with 0000:01:00.0" == first.message
    assert any("is a root port without an ACS capability" in note for note in first.notes)
    assert any("pcie_acs_override=downstream,multifunction" in note for note in first.notes)


def test_one_cause_is_one_finding() -> None:
    assert ["0000:00:03.0", "0000:00:1c.0"] == [each.subject for each in differing().findings][:2]
    assert len(differing().findings) == len(
        {group for group in kernels_groups("no-acs-6.12") if len(group) > 1}
    )


@pytest.mark.parametrize("name", ["desktop-gpu-xxxx.txt", "vvv.txt"])
def test_reported_texts_give_groups_under_an_iommu_that_is_assumed(name: str) -> None:
    result = validate_board(boards_of([str(REPORTS / name)])[0])
    assert ("consistent", ()) == (result.verdict, result.findings)
    assert "the IOMMU (assumed is a VT-d unit that translates every bridge)" in result.not_known
    groups = {each.members for each in result.machine.groups}
    assert (
        groups
        == {
            "desktop-gpu-xxxx.txt": {("0000:00:01.0", "0000:01:00.0", "0000:01:00.1")},
            "vvv.txt": {("0000:00:1b.0",), ("0000:01:00.0",)},
        }[name]
    )


def test_texts_in_several_files_or_in_one_are_one_machine(tmp_path: Path) -> None:
    told = sections("desktop-6.1")
    parts = {"a.txt": told["lspci -nnvvv"], "b.log": told["dmesg"], "c.txt": told["oldloop"]}
    for name, text in parts.items():
        (tmp_path / name).write_text(text)
    (board,) = boards_of([str(tmp_path / name) for name in parts])
    apart = validate_board(board)
    whole = validate_board(Board((Item("x", "paste", "\n".join(parts.values()).encode()),)))
    assert ("linux-6.1", ("firmware",), ()) == (apart.dom0, apart.not_known, apart.findings)
    assert {each.members for each in apart.machine.groups} == {each.members for each in whole.machine.groups}


def test_the_same_form_twice_is_two_machines(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(sections("desktop-6.1")["lspci -nnvvv"])
    assert 2 == len(boards_of([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]))


def test_nothing_to_place_is_not_imported() -> None:
    with pytest.raises(Unreadable, match="no function on a bus that is known to be a root bus"):
        import_pasted(
            [
                read_paste(
                    "05:00.0 Ethernet controller [0200]: A [8086:1533]\n01:00.0 PCI bridge [0604]: B"
                    " [8086:1]\n",
                    "x",
                )
            ]
        )


SRIOV = """\
00:1c.0 PCI bridge [0604]: Intel Corporation Device [8086:a110] (rev f1) (prog-if 00 [Normal decode])
\tControl: I/O+ Mem+ BusMaster+
\tStatus: Cap+
\tBus: primary=00, secondary=01, subordinate=02, sec-latency=0
\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00
\tCapabilities: [140 v1] Access Control Services
\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-
\tKernel driver in use: pcieport

01:00.0 Ethernet controller [0200]: Intel Corporation 82576 Gigabit Network Connection [8086:10c9] (rev 01)
\tSubsystem: Micro-Star International Co., Ltd. [MSI] Gigabit [1462:7b86]
\tControl: I/O- Mem+ BusMaster+
\tCapabilities: [a0] Express (v2) Endpoint, MSI 00
\tCapabilities: [150 v1] Alternative Routing-ID Interpretation (ARI)
\tCapabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)
\t\tInitial VFs: 8, Total VFs: 8, Number of VFs: 2, Function Dependency Link: 00
\t\tVF offset: 128, stride: 2, Device ID: 10ca
\tKernel driver in use: igb

01:10.0 Ethernet controller [0200]: Intel Corporation 82576 Virtual Function [8086:10ca] (rev 01)
\tFlags: bus master, fast devsel, latency 0
\tCapabilities: [a0] Express Endpoint, MSI 00
\tKernel driver in use: igbvf

01:10.2 Ethernet controller [0200]: Intel Corporation 82576 Virtual Function [8086:10ca] (rev 01)
\tFlags: bus master, fast devsel, latency 0
\tCapabilities: [a0] Express Endpoint, MSI 00
\tKernel driver in use: igbvf

"""


def test_virtual_functions_are_their_owners() -> None:
    found = outcome_of(SRIOV)
    groups = members(found.groups.linux)
    assert groups == {frozenset({f"0000:{name}"}) for name in ("00:1c.0", "01:00.0", "01:10.0", "01:10.2")}
    assert () == found.unknown
    (bridge,) = found.worst.platform.host_bridges
    (_, nic) = bridge.walk()
    assert ((0x1462, 0x7B86), 2) == (nic.subsystem, nic.sriov and nic.sriov.enabled)


def test_a_virtual_function_whose_owner_is_not_told_is_unknown() -> None:
    found = outcome_of(re.sub(r"\t\tVF offset.*\n", "", SRIOV))
    (lost,) = (each for each in found.unknown if "0000:01:10.0" in {one.sbdf for one in each.members})
    assert ("it is a virtual function, and no text tells whose",) == tuple(why[28:] for why in lost.why)


def test_an_amd_machine_is_known_by_names_alone() -> None:
    text = "00:00.0 Host bridge: Advanced Micro Devices, Inc. [AMD] Starship/Matisse Root Complex\n"
    found = outcome_of(text)
    assert "an IOMMU that translates every bridge (AMD's own function is not in the text)" in found.assumed
    assert {frozenset({"0000:00:00.0"})} == members(found.groups.linux)
    text += "00:00.2 IOMMU: Advanced Micro Devices, Inc. [AMD] Starship/Matisse IOMMU\n"
    found = outcome_of(text)
    assert "an AMD IOMMU that translates every bridge" in found.assumed
    (own,) = found.groups.without
    assert ("0000:00:00.2",) == tuple(each.sbdf for each in own.members)
    assert "0000:00:00.2" in own.why[0]


CUT = """\
00:01.0 PCI bridge [0604]: Intel Corporation Device [8086:0c01] (rev 06)
\tControl: I/O+ Mem+ BusMaster+
\tStatus: Cap+
\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0
\tCapabilities: [a0] Express (v2) Root Port (Slot+), MSI 00
\tCapabilities: [100 v1] Virtual Channel"""


def test_a_text_that_is_cut_off_claims_nothing_of_what_it_lacks() -> None:
    child = "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:1c82]\n\tFlags: fast devsel\n\n"
    found = outcome_of(child + CUT)
    assert {frozenset({"0000:00:01.0", "0000:01:00.0"})} == members(found.unknown)
    whole = outcome_of(child + CUT + "\n\tKernel driver in use: pcieport\n")
    assert {frozenset({"0000:00:01.0", "0000:01:00.0"})} == members(whole.groups.linux)


@pytest.mark.parametrize("name", PCS)
@pytest.mark.parametrize("kept", [0, 1, 2])
def test_where_some_functions_are_denied_what_is_claimed_is_true(name: str, kept: int) -> None:
    """Every third function is shown whole, as in texts that were put together: bridges are what fits to what
    is below them, and what comes of it is a sound description."""
    parts = re.split(r"\n(?=[0-9a-f]{2}:)", sections(name)["lspci -nnvvv"])
    for n, each in enumerate(parts):
        if n % 3 != kept:
            lines = [line for line in each.splitlines() if not line.startswith("\t\t")]
            parts[n] = "\n".join(
                re.sub(r"Capabilities: .*", "Capabilities: <access denied>", x) for x in lines
            )
    text = "\n".join(parts)
    truth = kernels_groups(name)
    found = outcome_of(text)
    assert members(found.groups.linux) <= truth
    assert not [each for each in found.findings if each.code == "RPX0036"]
    described = description_text(import_pasted([read_paste(text, "x.txt")]))
    result = check_text(described.encode(), "x.yaml", RunOptions(bare_metal=True))
    assert [] == [each.message for each in result.findings if each.level is Level.ERROR]
