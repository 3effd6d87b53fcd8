"""Device trees that people reported, or that dtc and a booted kernel judge otherwise (`tests/cases`): what is
said of each, and of its siblings; and that the simulation follows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.checks.cases import changed, given_causes, given_tree
from tests.checks.two_bridges import SOUND

from rootplex.backends.artifact import Compiled
from rootplex.checks.facts import Facts
from rootplex.jobs.check import examine, result_of
from rootplex.jobs.describe import read_checked
from rootplex.jobs.result import Device, Result
from rootplex.jobs.settings import RunOptions
from rootplex.source.place import DtPlace

GIC_BELOW, ITS_BELOW = (
    "/interrupt-controller@fe600000",
    "/interrupt-controller@fe600000/msi-controller@fe660000",
)
GIC, ITS = "/interrupt-controller@8000000", "/interrupt-controller@8000000/msi-controller@8080000"
PCIE = "/soc/pcie@40000000"
BELOW = "reports/dt/its-below-gic-without-ranges.dts"
PARENT = "conformance/msi-parent-arg-missing.dts"
OPEN = "interrupt-controller; #address-cells"
MONACO = "reports/dt/monaco-iommu-map-4-cells.dts"
WRAPS = "conformance/iommu-map-wraps-32bit.dts"
SHARED_IDS = "reports/dt/msi-ids-of-impossible-requesters.dts"
OLD_DW = "reports/dt/ranges-first-entry-is-config.dts"
DMA = "conformance/parent-dma-ranges-malformed.dts"
CELLS = "conformance/address-cells-two-cells.dts"
PORT, NIC = f"{PCIE}/pcie@1,0", f"{PCIE}/pcie@1,0/ethernet@0,0"
OTHER_CELLS = "reports/dt/cells-of-another-tree-controller.dts"
LIC = "/interrupt-controller@60004000"
TWO_PICS = "reports/dt/interrupt-map-two-controllers.dts"
POWERPC = "reports/dt/powerpc-aliases-number-domains.dts"
T4 = "conformance/qemu-T4-gic-no-ranges-its-unreachable.dts"
T6 = "conformance/qemu-T6-smmu-reg-missing.dts"

RANGES = "ranges = <0x02000000 0 0x50000000 0 0x50000000 0 0x10000000>;"

Told = tuple[str, str, str, str | None]
"""Code, level, node and property of one finding."""
ECAM = "/pcie@1f0000000"
NO_PLAIN: Told = ("RPX0112", "warning", ECAM, "ranges")

# What is said of a case with some text changed: all of it above a note, and notes of the listed codes.
CASES: list[tuple[str, str, list[tuple[str, str]], list[Told]]] = [
    ("the GIC has no ranges", BELOW, [], [("RPX0619", "error", GIC_BELOW, None)]),
    ("it has", BELOW, [(OPEN, f"ranges; {OPEN}")], []),
    ("the ITS is not within them", BELOW,
     [(OPEN, f"ranges = <0 0xfe700000 0 0xfe700000 0 0x10000>; {OPEN}")],
     [("RPX0619", "error", ITS_BELOW, "reg")]),
    ("its sizes have no cells", BELOW,
     [(f"{OPEN} = <2>; #size-cells = <2>;", f"ranges; {OPEN} = <2>; #size-cells = <0>;")],
     [("RPX0619", "error", GIC_BELOW, "#size-cells")]),
    ("addresses have none", BELOW,
     [(f"{OPEN} = <2>;", f"ranges; {OPEN} = <0>;")],
     [("RPX0619", "error", GIC_BELOW, "#address-cells")]),
    ("a frame of a GICv2m", BELOW,
     [("arm,gic-v3-its", "arm,gic-v2m-frame")], [("RPX0619", "error", GIC_BELOW, None)]),
    ("nobody leads there", BELOW, [("msi-map = <0 &its 0 0x1000>;", "")], []),
    ("it is disabled", BELOW,
     [("its: msi-controller@fe660000 {", 'its: msi-controller@fe660000 { status = "disabled";')],
     [("RPX0610", "warning", "/pcie@fe150000", "msi-map")]),
    ("the argument is missing", PARENT, [], [("RPX0620", "error", PCIE, "msi-parent")]),
    ("it is there", PARENT, [("<&its>", "<&its 0>")], []),
    ("none is asked for", PARENT, [("#msi-cells = <1>;", "")], []),
    ("two are asked for", PARENT, [("#msi-cells = <1>", "#msi-cells = <2>"), ("<&its>", "<&its 0>")],
     [("RPX0620", "error", PCIE, "msi-parent")]),
    ("the map counts first", PARENT, [("<&its>;", "<&its>; msi-map = <0 &its 0 0x10000>;")],
     [("RPX0620", "warning", PCIE, "msi-parent")]),
    ("the SMMU's own", PARENT,
     [("msi-parent = <&its>", "msi-map = <0 &its 0 0x10000>"),
      ("#iommu-cells = <1>;", "#iommu-cells = <1>; msi-parent = <&its>;")],
     [("RPX0620", "warning", "/iommu@9050000", "msi-parent")]),
    ("QEMU's: no argument", "conformance/qemu-T1-msi-parent-arg-missing.dts", [],
     [("RPX0620", "error", "/pcie@4010000000", "msi-parent")]),
    ("QEMU's: no ranges", T4, [], [("RPX0619", "error", GIC, None)]),
    ("QEMU's: a short reg", "conformance/qemu-T5-its-reg-short.dts", [], [("RPX0619", "error", ITS, "reg")]),
    ("QEMU's: an SMMU without reg", T6, [], [("RPX0619", "error", "/iommu@9050000", None)]),
    ("an SMMU of one page", "conformance/qemu-T5-its-reg-short.dts",
     [("reg = <0x0 0x8080000 0x0>", "reg = <0x0 0x8080000 0x0 0x20000>"),
      ("reg = <0x0 0x9050000 0x0 0x20000>", "reg = <0x0 0x9050000 0x0 0x10000>")],
     [("RPX0619", "error", "/iommu@9050000", "reg")]),
    ("entries of four cells at two", MONACO, [],
     [("RPX0608", "note", "/pci@1c00000", "iommu-map"), ("RPX0401", "note", "/pci@1c00000", "iommu-map")]),
    ("of five", MONACO,
     [("0x0000 0x1>", "0x0000 0 0x1>"), ("0x0001 0x1>", "0x0001 0 0x1>")],
     [("RPX0401", "note", "/pci@1c00000", "iommu-map")]),
    ("of four that stand for more", MONACO, [("0x0000 0x1>", "0x0000 0x2>"), ("0x0001 0x1>", "0x0001 0x2>")],
     [("RPX0608", "error", "/pci@1c00000", "iommu-map")]),
    ("ids past 32 bits", WRAPS, [], [("RPX0608", "error", PCIE, "iommu-map")]),
    ("to the last id", WRAPS, [("0xffffff00 0x10000", "0xffff0000 0x10000")], []),
    ("DeviceIDs past 32 bits", WRAPS,
     [("0xffffff00 0x10000", "0 0x10000"), ("&its 0 0x10000", "&its 0xfffffff0 0x10000")],
     [("RPX0608", "error", PCIE, "msi-map")]),
    ("ids of requesters that cannot be", SHARED_IDS, [],
     [("RPX0401", "note", ECAM, "msi-map"), NO_PLAIN]),
    ("that can", SHARED_IDS,
     [("fsl,ls1028a-pcie", "rockchip,rk3588-pcie"), ("&its 0x17 0xe", "&its 0x107 0xe")],
     [("RPX0407", "error", ECAM, "msi-map"), NO_PLAIN]),
    ("that can, of device 0", SHARED_IDS,
     [("fsl,ls1028a-pcie", "rockchip,rk3588-pcie"), ("&its 0x17 0xe", "&its 7 0xe")],
     [("RPX0407", "error", ECAM, "msi-map"), NO_PLAIN]),
    ("that can, where U-Boot writes the maps", SHARED_IDS, [("&its 0x17 0xe", "&its 7 0xe")],
     [("RPX0407", "note", ECAM, "msi-map"), ("RPX0401", "note", ECAM, "msi-map"),
      NO_PLAIN]),
    ("configuration space in ranges", OLD_DW, [], [("RPX0604", "error", "/pcie@fe260000", "ranges")]),
    ("a DesignWare bridge without config", OLD_DW,
     [("<0x00000800 0 0x00000000 3 0x00000000 0 0x800000>, ", "")],
     [("RPX0604", "error", "/pcie@fe260000", "reg-names")]),
    ("with it", OLD_DW,
     [("<0x00000800 0 0x00000000 3 0x00000000 0 0x800000>, ", ""),
      ("<0 0xfe260000 0 0x10000>;", "<0 0xfe260000 0 0x10000>, <3 0 0 0x800000>;"),
      ('"dbi", "apb"', '"dbi", "apb", "config"')], []),
    ("another vendor's", OLD_DW,
     [("rockchip,rk3568-pcie", "fsl,imx8mq-pcie")], [("RPX0604", "error", "/pcie@fe260000", "ranges")]),
    ("dma-ranges of the bus above", DMA, [], [("RPX0601", "warning", "/soc", "dma-ranges")]),
    ("whole ones", DMA, [("dma-ranges = <0 0 0 0 0x1>", "dma-ranges = <0 0 0 0 0x1 0>")], []),
    ("its ranges", DMA,
     [("dma-ranges = <0 0 0 0 0x1>;", ""), ("ranges = <0 0 0 0 0x1 0>;", "ranges = <0 0 0 0 0x1 0 0>;")],
     [("RPX0601", "error", "/soc", "ranges")]),
    ("a controller's reg for another bus", OTHER_CELLS, [], [("RPX0601", "error", LIC, "reg")]),
    ("for its own", OTHER_CELLS, [("<0x0 0x60004000 0x0 0x100>", "<0x60004000 0x100>")], []),
    ("of two address cells and one of size", OTHER_CELLS,
     [("<0x0 0x60004000 0x0 0x100>", "<0x0 0x60004000 0x100>")], [("RPX0601", "error", LIC, "reg")]),
    ("a device's", OTHER_CELLS,
     [("lic: interrupt-controller@60004000 {", "serial@60004000 {"), ("nvidia,tegra30-ictlr", "ns16550a"),
      ("interrupt-controller; #interrupt-cells = <3>; interrupt-parent", "interrupt-parent")],
     [("RPX0601", "warning", "/serial@60004000", "reg")]),
    ("the memory's", OTHER_CELLS,
     [("<0x0 0x60004000 0x0 0x100>", "<0x60004000 0x100>"),
      ("<0x80000000 0x20000000>", "<0 0x80000000 0 0x20000000>")],
     [("RPX0601", "error", "/memory@80000000", "reg")]),
    ("the bridge's", CELLS,
     [("<3 3>", "<3>"), ("reg = <0 0x40000000 0 0x1000000>", "reg = <0x40000000 0x1000000>")],
     [("RPX0601", "error", PCIE, "reg")]),
    ("one that is wrong by any count", OTHER_CELLS,
     [("<0x0 0x60004000 0x0 0x100>", "<0x60005000 0x100>")], []),
    ("a map to two controllers", TWO_PICS, [], []),
    ("cut as neither says", TWO_PICS, [("<0 0 0 2 &fpga 0>, ", "<0 0 0 2 &fpga 0 0>, ")],
     [("RPX0615", "error", "/pcie@30000000", "interrupt-map")]),
    ("no INTx and no MSI", TWO_PICS,
     [("interrupt-map = <", "interrupt-map-of-old = <")],
     [("RPX0614", "warning", "/pcie@30000000", None)]),
    ("an MSI controller that nobody names", TWO_PICS,
     [("	pcie@", "	msi@12000000 { msi-controller; reg = <0x12000000 0x1000>; }; pcie@")],
     [("RPX0614", "warning", "/pcie@30000000", None)]),
    ("PowerPC numbers by aliases", POWERPC, [], [("RPX0622", "note", "/cpus", None)]),
    ("Arm does not", POWERPC, [("PowerPC,P1020", "arm,cortex-a53")],
     [("RPX0205", "warning", "/pcie@ffe09000", None)]),
    ("MIPS", POWERPC, [("PowerPC,P1020", "mti,interAptiv")], [("RPX0622", "note", "/cpus", None)]),
    ("cells of two cells", CELLS, [], [("RPX0601", "warning", PCIE, "#address-cells")]),
    ("of one", CELLS, [("<3 3>", "<3>")], []),
    ("sizes of two cells", CELLS, [("<3 3>; #size-cells = <2>", "<3>; #size-cells = <2 2>")],
     [("RPX0601", "warning", PCIE, "#size-cells")]),
    ("on the bus above", CELLS,
     [("<3 3>", "<3>"), ('"simple-bus"; #address-cells = <2>', '"simple-bus"; #address-cells = <2 2>')],
     [("RPX0601", "warning", "/soc", "#address-cells")]),
    ("of none", CELLS, [("<3 3>; #size-cells = <2>", "<3>; #size-cells")],
     [("RPX0601", "error", PCIE, "#size-cells")]),
    *[
        (what, PARENT, [("<&its>", "<&its 0>"), change], [("RPX0621", "warning", node, property)])
        for what, change, node, property in [
            ("a reg of another device", ("<0x800 0 0 0 0>", "<0x1000 0 0 0 0>"), PORT, "reg"),
            ("a short reg", ("<0x10000 0 0 0 0>", "<0x10000>"), NIC, "reg"),
            ("no reg", ("reg = <0x10000 0 0 0 0>;", ""), NIC, None),
            ("an address of memory", ("<0x800 0 0 0 0>", "<0x02000800 0 0 0 0>"), PORT, "reg"),
            ("a register", ("<0x10000 0 0 0 0>", "<0x10010 0 0 0 0>"), NIC, "reg"),
            ("a bus beyond", ("<0x10000 0 0 0 0>", "<0x20000 0 0 0 0>"), NIC, "reg"),
            ("a port without ranges", ("ranges; bus-range = <1 1>", "bus-range = <1 1>"), PORT, None),
            ("a port of two address cells",
             ("0 0>; #address-cells = <3>", "0 0>; #address-cells = <2>"), PORT, "#address-cells"),
            ("buses that run backwards",
             ("ranges; bus-range = <1 1>", "ranges; bus-range = <2 1>"), PORT, "bus-range"),
            ("one device twice",
             ("nic: ethernet", "ethernet@0 { reg = <0x10000 0 0 0 0>; }; nic: ethernet"), NIC, "reg"),
        ]
    ],
    *[
        (what, PARENT, [("<&its>", "<&its 0>"), *changes], [(code, level, node, property)])
        for what, changes, code, level, node, property in [
            ("no windows", [(RANGES, "ranges;")], "RPX0603", "warning", PCIE, "ranges"),
            ("a window that the bus leaves out", [("0 0x50000000 0 0x10000000>", "1 0 0 0x10000000>")],
             "RPX0115", "error", PCIE, "ranges"),
            ("registers that the bus leaves out", [("reg = <0 0x40000000", "reg = <1 0x40000000")],
             "RPX0604", "error", PCIE, "reg"),
            ("a bus without ranges", [(" ranges = <0 0 0 0 0x1 0>;", "")], "RPX0604", "error", "/soc", None),
            ("a bus without compatible", [('compatible = "simple-bus"; ', "")],
             "RPX0626", "error", "/soc", None),
            ("a bridge without", [('compatible = "pci-host-ecam-generic"; device', "device")],
             "RPX0626", "error", PCIE, None),
            ("a status that there is none of", [("#size-cells = <2>; bus-range = <0 0xf>;",
             '#size-cells = <2>; bus-range = <0 0xf>; status = "enabled";')],
             "RPX0626", "error", PCIE, "status"),
            ("of the bus", [('"simple-bus";', '"simple-bus"; status = "on";')],
             "RPX0626", "error", "/soc", "status"),
            ("of the SMMU", [("#iommu-cells = <1>;", '#iommu-cells = <1>; status = "enable";')],
             "RPX0626", "error", "/iommu@9050000", "status"),
            ("a GIC that says not what it is", [("interrupt-controller; #interrupt", "#interrupt")],
             "RPX0619", "error", GIC, None),
            ("an ITS of no size", [("0x8080000 0 0x20000", "0x8080000 0 0")],
             "RPX0619", "error", f"{GIC}/msi-controller@8080000", "reg"),
            ("an SMMU below a bus without compatible",
             [("smmu: iommu", "bus { ranges; smmu: iommu"),
              ("<1>; dma-coherent; };", "<1>; dma-coherent; }; };")],
             "RPX0619", "error", "/bus", None),
            ("an argument that nobody asks for", [("msi-controller; #msi-cells = <1>;", "msi-controller;")],
             "RPX0610", "warning", PCIE, "msi-parent"),
            ("a parent that comes too late", [("<&its 0>", "<&its 0>, <&gic>")],
             "RPX0610", "warning", PCIE, "msi-parent"),
            ("an SMMU's reg for another bus",
             [('"arm,smmu-v3"; reg = <0 0x9050000 0 0x20000>', '"arm,mmu-500"; reg = <0x9050000 0x20000>')],
             "RPX0601", "error", "/iommu@9050000", "reg"),
            ("sizes of one cell at the root",
             [("<2>; #size-cells = <2>; interrupt-parent", "<2>; #size-cells = <1>; interrupt-parent")],
             "RPX0601", "error", "/", "#size-cells"),
            ("sizes of one cell on a bus", [('"simple-bus"; #address-cells = <2>; #size-cells = <2>',
             '"simple-bus"; #address-cells = <2>; #size-cells = <1>')], "RPX0601", "error", "/soc", "ranges"),
            ("iommus for a map", [("iommu-map = <0 &smmu 0 0x10000>", "iommus = <&smmu 0>")],
             "RPX0410", "warning", PCIE, "iommus"),
            ("a map of the bus above", [("iommu-map = <0 &smmu 0 0x10000>;", ""),
             ("0 0x1 0>;", "0 0x1 0>; iommu-map = <0 &smmu 0 0x10000>;")],
             "RPX0410", "warning", "/soc", "iommu-map"),
            ("two entries for one id", [("<0 &smmu 0 0x10000>", "<0 &smmu 0 0x10000>, <0x100 &smmu 5 1>")],
             "RPX0624", "warning", PCIE, "iommu-map"),
            ("a PPI", [("<0 0 0 1 &gic 0 0 0 3 4>", "<0 0 0 1 &gic 0 0 1 3 4>")],
             "RPX0618", "error", PCIE, "interrupt-map"),
            ("an SPI beyond", [("<0 0 0 1 &gic 0 0 0 3 4>", "<0 0 0 1 &gic 0 0 0 988 4>")],
             "RPX0618", "error", PCIE, "interrupt-map"),
            ("a domain misspelt", [("linux,pci-domain", "linux,pci_domain")],
             "RPX0625", "warning", PCIE, "linux,pci_domain"),
            ("a parent misspelt", [("msi-parent", "msi-parents")], "RPX0625", "warning", PCIE, "msi-parents"),
            ("a bus range misspelt", [("bus-range = <0 0xf>", "bus-ranges = <0 0xf>")],
             "RPX0625", "warning", PCIE, "bus-ranges"),
        ]
    ],
    *[
        (what, PARENT, [("<&its>", "<&its 0>"), *changes], [])
        for what, changes in [
            ("the last SPI", [("<0 0 0 1 &gic 0 0 0 3 4>", "<0 0 0 1 &gic 0 0 0 987 4>")]),
            ("an extended SPI", [("<0 0 0 1 &gic 0 0 0 3 4>", "<0 0 0 1 &gic 0 0 2 3 4>")]),
            ("two entries of one id for one stream",
             [("<0 &smmu 0 0x10000>", "<0 &smmu 0 0x10000>, <0x100 &smmu 0x100 1>")]),
            ("iommus beside a map", [("iommu-map = ", "iommus = <&smmu 0>; iommu-map = ")]),
            ("iommus of an SMMU that is off", [("iommu-map = <0 &smmu 0 0x10000>", "iommus = <&smmu 0>"),
             ("#iommu-cells = <1>;", '#iommu-cells = <1>; status = "disabled";')]),
            ("a failed one", [("#size-cells = <2>; bus-range = <0 0xf>;",
             '#size-cells = <2>; bus-range = <0 0xf>; status = "fail-hw";')]),
            ("a vendor's own property", [("linux,pci-domain", "vendor,range; linux,pci-domain")]),
        ]
    ],
    ("a controller below a bridge is no function", PARENT,
     [("<&its>", "<&its 0>"),
      ("rp: pcie", "legacy { interrupt-controller; #interrupt-cells = <1>; }; rp: pcie")], []),
]  # fmt: skip


@pytest.fixture
def dtc(program: Callable[[str], str]) -> str:
    return program("dtc")


@pytest.mark.parametrize(("file", "changes", "told"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_said_of_a_tree(
    checkout: Path, dtc: str, file: str, changes: list[tuple[str, str]], told: list[Told]
) -> None:
    text = (checkout / "tests" / "cases" / file).read_text(encoding="utf-8")
    listed = {code for code, level, *_ in told if level == "note"}
    found: list[Told] = []
    for each in given_causes(Facts(dt=given_tree(changed(text, *changes), dtc))):
        if str(each.level) != "note" or each.code in listed:
            assert isinstance(each.at, DtPlace)
            found.append((each.code, str(each.level), each.at.node, each.at.property))
    assert sorted(found, key=str) == sorted(told, key=str)


def dtc_of(dtc: str, given: str, wanted: str, data: bytes) -> bytes:
    argv = [dtc, "-q", "-q", "-I", given, "-O", wanted]
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, check=True).stdout


def examined(dtc: str, *changes: tuple[str, str]) -> Result:
    """`check` of the sound description, with its device tree changed as text."""

    def alter(compiled: Compiled) -> Compiled:
        name = f"{compiled.name}.dtb"
        source = changed(dtc_of(dtc, "dtb", "dts", compiled.files[name]).decode(), *changes)
        return replace(compiled, files={**compiled.files, name: dtc_of(dtc, "dts", "dtb", source.encode())})

    return result_of(examine(read_checked(SOUND.encode(), "case.yaml"), RunOptions(), alter), "case.yaml")


def card(result: Result) -> Device:
    assert result.machine is not None
    return next(each for each in result.machine.devices if each.name == "card")


MSI_MAP = "msi-map = <0x1000 0x02 0x1000 0x1000>"
ITS_REG = "reg = <0x00 0x8080000 0x00 0x20000>;"
SMMU_REG = "reg = <0x00 0x9050000 0x00 0x20000>;"
GIC_REG = "reg = <0x00 0x8000000 0x00 0x10000 0x00 0x80a0000 0x00 0x200000>;"

# What is changed, the code of the one error, and whether the function still has messages, a pin, a group.
LOST: list[tuple[str, tuple[str, str], str, tuple[bool, bool, bool]]] = [
    ("no argument", (MSI_MAP, "msi-parent = <0x02>"), "RPX0620", (False, True, True)),
    ("a GIC without ranges", ("ranges;", ""), "RPX0619", (False, True, True)),
    ("a short ITS", (ITS_REG, "reg = <0x00 0x8080000>;"), "RPX0619", (False, True, True)),
    ("no SMMU", (SMMU_REG, ""), "RPX0619", (True, True, False)),
    ("no GIC", (GIC_REG, "reg = <0x00>;"), "RPX0619", (False, False, True)),
]


def has(result: Result) -> tuple[bool, bool, bool]:
    found = card(result)
    return found.msi is not None, found.intx is not None, found.group is not None


def test_an_argument_and_a_first_parent_that_does_not_come_up_cost_nothing(dtc: str) -> None:
    """Linux takes the first entry of `msi-parent` that has a domain."""
    assert has(examined(dtc)) == (True, True, True)
    assert has(examined(dtc, (MSI_MAP, "msi-parent = <0x02 0x00>"))) == (True, True, True)
    assert has(examined(dtc, (MSI_MAP, "msi-parent = <0x03 0x02 0x00>"))) == (True, True, True)


@pytest.mark.parametrize(("change", "code", "left"), [c[1:] for c in LOST], ids=[c[0] for c in LOST])
def test_what_hangs_on_a_lost_controller_is_lost(
    dtc: str, change: tuple[str, str], code: str, left: tuple[bool, bool, bool]
) -> None:
    """Booted: no MSIs, or no group, for any function; one error says so."""
    result = examined(dtc, change)
    assert has(result) == left
    assert [each.code for each in result.findings if str(each.level) == "error"] == [code]
