"""Controllers of given trees that no kernel gets to work, by each driver's own source: a GICv2m frame
(`is_msi_spi_valid`), lines of an SMMUv3 (`arm_smmu_setup_unique_irqs`), strings that no driver has, masks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.checks.cases import changed, given_causes, given_tree

from rootplex.checks.facts import Facts
from rootplex.source.place import DtPlace

TREE = """/dts-v1/;
/ { #address-cells = <2>; #size-cells = <2>; compatible = "example,board"; interrupt-parent = <&gic>;
memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x40000000>; };
gic: interrupt-controller@6000000 { compatible = "arm,gic-400"; #interrupt-cells = <3>; interrupt-controller;
  #address-cells = <2>; #size-cells = <2>; ranges; reg = <0 0x06000000 0 0x10000>, <0 0x06040000 0 0x40000>;
  v2m: v2m@6080000 { compatible = "arm,gic-v2m-frame"; msi-controller; reg = <0 0x06080000 0 0x1000>;
    arm,msi-base-spi = <160>; arm,msi-num-spis = <64>; }; };
other: interrupt-controller@6100000 { compatible = "example,pic"; #interrupt-cells = <3>;
  interrupt-controller; reg = <0 0x06100000 0 0x1000>; };
smmu: iommu@7200000 { compatible = "arm,smmu-v3"; reg = <0 0x7200000 0 0x20000>; #iommu-cells = <1>;
  interrupts = <0 40 1>, <0 41 1>, <0 42 1>, <0 43 1>;
  interrupt-names = "eventq", "priq", "cmdq-sync", "gerror"; };
late: iommu@7300000 { compatible = "arm,smmu-v3"; reg = <0 0x7300000 0 0x20000>; #iommu-cells = <1>;
  interrupts = <0 50 1>, <0 53 1>; interrupt-names = "eventq", "gerror"; };
pcie@30000000 { compatible = "pci-host-ecam-generic"; device_type = "pci"; linux,pci-domain = <0>;
  bus-range = <0 0xf>; #address-cells = <3>; #size-cells = <2>; reg = <0 0x30000000 0 0x1000000>;
  msi-parent = <&v2m>; iommu-map = <0 &smmu 0 0x1000>; dma-coherent;
  ranges = <0x02000000 0 0x40000000 0 0x40000000 0 0x10000000>; };
};
"""
V2M, SMMU, LATE = "/interrupt-controller@6000000/v2m@6080000", "/iommu@7200000", "/iommu@7300000"
PCIE = "/pcie@30000000"
BASE, COUNT = "arm,msi-base-spi", "arm,msi-num-spis"
MAP = "iommu-map = <0 &smmu 0 0x1000>;"

LATE_REG = "reg = <0 0x7300000 0 0x20000>;"
REG = "reg = <0 0x30000000 0 0x1000000>;"
CONFIG = REG, f'{REG} reg-names = "config";'
COPY = TREE[TREE.index("pcie@3") :].replace("0x40000000", "0x50000000")

Told = tuple[str, str, str, str | None]


def frame(base: int, count: int) -> tuple[str, str]:
    return f"{BASE} = <160>; {COUNT} = <64>", f"{BASE} = <{base}>; {COUNT} = <{count}>"


LINES = [(1, 10), (2, 11), (3, 12), (4, 13)]


def lines(entries: list[tuple[int, int]], mask: str = "0 0 0 7", trigger: int = 4) -> tuple[str, str]:
    """An interrupt-map of pins and SPIs."""
    map = ", ".join(f"<0 0 0 {pin} &gic 0 0 0 {spi} {trigger}>" for pin, spi in entries)
    return MAP, f"{MAP} #interrupt-cells = <1>; interrupt-map-mask = <{mask}>; interrupt-map = {map};"


def mask(value: str, before: tuple[str, str] = ("", "")) -> tuple[str, str]:
    return MAP, f"{MAP.replace(*before)} iommu-map-mask = <{value}>;"


CASES: list[tuple[str, list[tuple[str, str]], list[Told]]] = [
    ("all is well", [], []),
    ("the last that a frame can have", [frame(955, 64)], []),
    ("one more", [frame(956, 64)], [("RPX0619", "error", V2M, COUNT)]),
    ("they begin behind the end", [frame(1019, 1)], [("RPX0619", "error", V2M, BASE)]),
    ("they begin below the SPIs", [frame(31, 8)], [("RPX0619", "error", V2M, BASE)]),
    ("none is the register's", [frame(160, 0)], []),
    ("a line twice", [("<0 43 1>", "<0 40 1>")], [("RPX0632", "warning", SMMU, "interrupts")]),
    ("a line that nobody asks for", [("<0 42 1>", "<0 40 1>")], []),
    ("a line of another unit", [("<0 53 1>", "<0 43 1>")], [("RPX0632", "warning", LATE, "interrupts")]),
    ("of another unit at another controller",
     [("<0 53 1>", "<0 43 1>"), (LATE_REG, f"{LATE_REG} interrupt-parent = <&other>;")], []),
    ("one line for all beside others, which are not asked for (`arm_smmu_setup_irqs`)",
     [("<0 50 1>, <0 53 1>", "<0 50 1>, <0 50 1>, <0 53 1>"),
      ('"eventq", "gerror"', '"eventq", "gerror", "combined"')], []),
    ("one line for all", [('"eventq", "gerror"', '"combined", "gerror"'), ("<0 53 1>", "<0 50 1>")], []),
    ("a bridge misspelt", [("pci-host-ecam-generic", "pci-host-ecam-genric")],
     [("RPX0633", "warning", PCIE, "compatible")]),
    ("a bridge of somebody's own", [("pci-host-ecam-generic", "example,pcie")],
     [("RPX0633", "note", PCIE, "compatible")]),
    ("a name that no driver takes alone", [("pci-host-ecam-generic", "rockchip,rk3588-pcie"), CONFIG],
     [("RPX0633", "note", PCIE, "compatible")]),
    ("before one that a driver takes",
     [('"pci-host-ecam-generic"', '"rockchip,rk3588-pcie", "rockchip,rk3568-pcie"'), CONFIG], []),
    ("messages for platform devices alone", [("arm,gic-v2m-frame", "marvell,ap806-gicp")],
     [("RPX0633", "note", V2M, "compatible")]),
    ("an IOMMU that is a function of the bridge, found by its ids",
     [(MAP, "iommu-map = <0 &own 0 8>, <9 &own 9 0xff7>;"), ("0 0x10000000>; };",
       """0 0x10000000>;
  own: iommu@1 { compatible = "example,iommu"; #iommu-cells = <1>; reg = <0x800 0 0 0 0>; }; };""")], []),
    ("that is a generic one, too", [('"pci-host-ecam-generic"', '"example,pcie", "pci-host-ecam-generic"')],
     []),
    ("an SMMU misspelt", [('smmu: iommu@7200000 { compatible = "arm,smmu-v3"',
                           'smmu: iommu@7200000 { compatible = "arm,smmuv3"')],
     [("RPX0633", "warning", SMMU, "compatible")]),
    ("a frame misspelt", [("arm,gic-v2m-frame", "arm,gic-v2m-frames")],
     [("RPX0633", "warning", V2M, "compatible")]),
    ("an SMMU that nobody leads to", [('late: iommu@7300000 { compatible = "arm,smmu-v3"',
                                       'late: iommu@7300000 { compatible = "arm,smmu3"')], []),
    ("a line for each pin", [lines(LINES)], []),
    ("a pin twice", [lines([(1, 10), (1, 11), (3, 12)])], [("RPX0635", "warning", PCIE, "interrupt-map")]),
    ("a fifth pin", [lines([*LINES, (5, 14)])], [("RPX0635", "warning", PCIE, "interrupt-map")]),
    ("a mask without pins", [lines(LINES, "0 0 0 0")], [("RPX0635", "warning", PCIE, "interrupt-map")]),
    ("one line for all pins", [lines(LINES[:1], "0 0 0 0")], []),
    ("level-low", [lines(LINES, trigger=8)], [("RPX0618", "error", PCIE, "interrupt-map")]),
    ("a falling edge", [lines(LINES, trigger=2)], [("RPX0618", "error", PCIE, "interrupt-map")]),
    ("a rising edge", [lines(LINES, trigger=1)], []),
    ("three cells of a pin", [lines(LINES), ("#interrupt-cells = <1>;", "#interrupt-cells = <3>;")],
     [("RPX0601", "error", PCIE, "#interrupt-cells")]),
    ("the GIC in memory", [("reg = <0 0x80000000 0 0x40000000>;", "reg = <0 0x6000000 0 0x100000>;")],
     [("RPX0131", "error", "/interrupt-controller@6000000", "reg")]),
    ("which is reserved", [("reg = <0 0x80000000 0 0x40000000>;", "reg = <0 0x6000000 0 0x100000>;"),
     ("smmu: iommu@72", """reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges;
       gic@6000000 { reg = <0 0x6000000 0 0x100000>; no-map; }; };\nsmmu: iommu@72""")], []),
    ("probe-only without a value", [("smmu: iommu@72", "chosen { linux,pci-probe-only; };\nsmmu: iommu@72")],
     [("RPX0214", "warning", "/chosen", "linux,pci-probe-only")]),
    ("one stream for all", [mask("0")], [("RPX0634", "warning", PCIE, "iommu-map-mask")]),
    ("one for each bus", [mask("0xff00")], [("RPX0634", "warning", PCIE, "iommu-map-mask")]),
    ("a mask that takes nothing", [mask("0xfff")], []),
    ("at an SMMUv2", [mask("0"), ('smmu: iommu@7200000 { compatible = "arm,smmu-v3"',
                                  'smmu: iommu@7200000 { compatible = "arm,mmu-500"')],
     [("RPX0634", "note", PCIE, "iommu-map-mask")]),
    ("a copy of a bridge", [("pcie@30000000 {", "pcie@31000000 {"),
                            ("0 0x30000000 0", "0 0x31000000 0"),
                            ("};\n};\n", f"}};\n{COPY}")],
     [("RPX0202", "error", PCIE, "linux,pci-domain")]),
]  # fmt: skip


@pytest.fixture
def dtc(program: Callable[[str], str]) -> str:
    return program("dtc")


@pytest.mark.parametrize(("changes", "told"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_what_is_told(dtc: str, changes: list[tuple[str, str]], told: list[Told]) -> None:
    text = TREE
    for old, new in changes:
        text = text.replace(old, new, 1) if old == "};\n};\n" else changed(text, (old, new))
    listed = {"RPX0633", "RPX0634"}
    found: list[Told] = []
    for each in given_causes(Facts(dt=given_tree(text, dtc))):
        if str(each.level) != "note" or each.code in listed:
            assert isinstance(each.at, DtPlace)
            found.append((each.code, str(each.level), each.at.node, each.at.property))
    assert sorted(found, key=str) == sorted(told, key=str)
