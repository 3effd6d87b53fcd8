"""PCI host controllers by compatible string, and how their configuration space departs from ECAM.

The kinds are those of linux.md §1.13, read from Linux `drivers/pci/controller/` (7.2): A an
access size restriction; B registers multiplexed through a window; C the ECAM layout with special
cases; none of them: plain ECAM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.formats.devicetree import GENERIC_CAM, GENERIC_ECAM

Layout: TypeAlias = Literal["ecam", "cam", "windowed", "quirk"]
OwnMessages: TypeAlias = Literal["always", "named", "unnamed"]
"""When a driver takes the messages of its own bridge: always, where `msi-parent` is the bridge itself, or
where there is neither `msi-parent` nor `msi-map`."""


class Controller(Struct, frozen=True):
    """One known compatible string. `layout` follows from its kinds: `windowed` with B, `quirk` with A or C
    alone, else `ecam` or `cam`."""

    compatible: str
    driver: str
    layout: Layout
    first_bus_devices: tuple[int, ...] | None = None
    """Device numbers that answer on the first bus; None: any."""
    config_block: str | None = None
    """The name in `reg-names` by which the driver looks for configuration space; None: not by name."""
    own_messages: OwnMessages | None = None
    """When the bridge is its own MSI controller; None: never."""


_ANY: tuple[int, ...] | None = None
_FIRST: tuple[int, ...] | None = (0,)

# driver, kinds ("cam" beside A, B, C for the CAM layout), devices on the first bus, compatibles;
# {a b c} in a compatible stands for each of the words.
_DRIVERS: tuple[tuple[str, str, tuple[int, ...] | None, tuple[str, ...]], ...] = (
    ("pci-host-generic", "", _ANY, (GENERIC_ECAM,)),
    ("pci-host-generic", "cam", _ANY, (GENERIC_CAM,)),
    (
        "pci-host-generic",
        "C",
        _FIRST,
        ("snps,dw-pcie-ecam", "marvell,armada8k-pcie-ecam", "socionext,synquacer-pcie-ecam"),
    ),
    (
        "pcie-brcmstb",
        "B",
        _FIRST,
        ("brcm,bcm{2711 2712 4908 7211 7216 7278 7435 7445 7712}-pcie",),
    ),
    ("pcie-brcmstb", "AB", _FIRST, ("brcm,bcm7425-pcie",)),
    ("pcie-hisi", "AC", _FIRST, ("hisilicon,hip{06 07}-pcie-ecam",)),
    (
        "pcie-designware",
        "B",
        _FIRST,
        (
            "snps,dw-pcie",
            "fsl,ls{1012a 1021a 1028a 1043a 1046a 1088a 2080a 2085a 2088a}-pcie",
            "fsl,lx2160ar2-pcie",
            "rockchip,rk{3528 3562 3568 3576 3588}-pcie",
            "nvidia,tegra{194 234}-pcie",
            "fsl,imx{6q 6sx 6qp 7d 8mq 8mm 8mp 8q 95}-pcie",
            "qcom,pcie-{apq8064 apq8084 ipq4019 ipq5018 ipq5332 ipq5424 ipq6018 ipq8064 ipq8064-v2}",
            "qcom,pcie-{ipq8074 ipq8074-gen3 ipq9574 msm8996 qcs404 sa8155p sa8540p sa8775p}",
            "qcom,pcie-{sc7280 sc8180x sc8280xp sdm845 sdx55 x1e80100}",
            "qcom,pcie-{sm8150 sm8250 sm8350 sm8450-pcie0 sm8450-pcie1 sm8550 sm8650}",
            "ti,dra7-pcie",
            "ti,dra{726 746}-pcie-rc",
            "axis,artpec{6 7}-pcie",
            "marvell,armada8k-pcie",
            "intel,{lgm keembay}-pcie",
            "renesas,rcar-gen4-pcie",
            "renesas,r8a{779f0 779g0 779h0}-pcie",
            "sifive,fu740-pcie",
            "toshiba,visconti-pcie",
            "socionext,uniphier-pcie",
            "st,spear1340-pcie",
            "st,stm32mp25-pcie-rc",
            "amd,versal2-mdb-host",
            "nxp,s32g2-pcie",
            "spacemit,k1-pcie",
            "eswin,eic7700-pcie",
            "sophgo,sg2044-pcie",
            "andestech,qilai-pcie",
            "hisilicon,{hi3798cv200 kirin960 kirin970}-pcie",
            "samsung,exynos5433-pcie",
            "baikal,bt1-pcie",
        ),
    ),
    ("pci-keystone", "B", _FIRST, ("ti,keystone-pcie", "ti,am654-pcie-rc")),
    ("pci-meson", "BC", _FIRST, ("amlogic,{axg g12a}-pcie",)),
    ("pcie-ultrarisc", "AB", _FIRST, ("ultrarisc,dp1000-pcie",)),
    ("pcie-al", "BC", _FIRST, ("amazon,al-alpine-{v2 v3}-pcie",)),
    ("pcie-qcom", "C", _FIRST, ("qcom,pcie-sa8255p",)),
    ("pci-tegra", "AB", _ANY, ("nvidia,tegra{20 30 124 210 186}-pcie",)),
    ("pci-thunder-ecam", "C", _ANY, ("cavium,pci-host-thunder-ecam",)),
    ("pci-thunder-pem", "BC", _ANY, ("cavium,pci-host-thunder-pem",)),
    ("pci-xgene", "AB", _FIRST, ("apm,xgene-pcie",)),
    ("pcie-rockchip-host", "AC", _FIRST, ("rockchip,rk3399-pcie",)),
    ("pcie-xilinx-nwl", "C", _FIRST, ("xlnx,nwl-pcie-2.11",)),
    ("pcie-xilinx", "C", _FIRST, ("xlnx,axi-pcie-host-1.00.a",)),
    ("pcie-xilinx-dma-pl", "C", _FIRST, ("xlnx,{xdma qdma}-host-3.00",)),
    ("pcie-xilinx-cpm", "", _ANY, ("xlnx,versal-cpm-host-1.00", "xlnx,versal-cpm5-host")),
    ("pcie-xilinx-cpm", "", _ANY, ("xlnx,versal-{cpm5-host1 cpm5nc-host}",)),
    ("pcie-altera", "B", _FIRST, ("altr,pcie-root-port-{1.0 2.0 3.0-f-tile 3.0-p-tile 3.0-r-tile}",)),
    ("pcie-mobiveil", "B", _FIRST, ("mbvl,gpex40-pcie", "fsl,lx2160a-pcie")),
    (
        "pcie-rcar-host",
        "AB",
        _FIRST,
        ("renesas,pcie-r8a{7779 7790 7791 7795}", "renesas,pcie-rcar-{gen2 gen3}"),
    ),
    ("pci-rcar-gen2", "B", _ANY, ("renesas,pci-r8a{7790 7791 7794}", "renesas,pci-{rcar-gen2 rzn1}")),
    ("pcie-rzg3s-host", "B", _FIRST, ("renesas,r9a{08g045 09g047}-pcie",)),
    ("pcie-mediatek-gen3", "AB", _ANY, ("mediatek,mt{8192 8196}-pcie", "airoha,en7581-pcie")),
    (
        "pcie-mediatek",
        "B",
        _ANY,
        ("mediatek,mt{2701 7623 2712 7622 7629}-pcie", "airoha,an7583-pcie"),
    ),
    ("pcie-mt7621", "B", _ANY, ("mediatek,mt7621-pci",)),
    ("pci-aardvark", "B", _FIRST, ("marvell,armada-3700-pcie",)),
    ("pci-mvebu", "B", _ANY, ("marvell,{armada-370 armada-xp dove kirkwood}-pcie",)),
    ("pcie-iproc", "AB", _ANY, ("brcm,iproc-{pcie pcie-paxb-v2 pcie-paxc pcie-paxc-v2}",)),
    ("pcie-cadence", "B", _FIRST, ("cdns,cdns-pcie-host",)),
    (
        "pcie-cadence",
        "AB",
        _FIRST,
        ("ti,{j721e j7200 am64 j784s4 j722s}-pcie-host", "sophgo,sg2042-pcie-host"),
    ),
    ("pci-sky1", "", _ANY, ("cix,sky1-pcie-host",)),
    ("pcie-microchip-host", "C", _ANY, ("microchip,pcie-host-1.0",)),
    ("pcie-starfive", "C", _ANY, ("starfive,jh7110-pcie",)),
    ("pcie-apple", "C", _ANY, ("apple,{pcie t6020-pcie}",)),
    ("pci-loongson", "AC", _ANY, ("loongson,{ls2k ls7a rs780e}-pci",)),
    ("pcie-aspeed", "B", _ANY, ("aspeed,ast{2600 2700}-pcie",)),
    ("pci-ftpci100", "B", _ANY, ("faraday,{ftpci100 ftpci100-dual}",)),
    ("pci-ixp4xx", "B", _ANY, ("intel,ixp{42x 43x}-pci",)),
    ("pci-v3-semi", "B", _ANY, ("v3,v360epc-pci",)),
    ("pci-versatile", "A", _ANY, ("arm,versatile-pci",)),
)

_ONLY_BEFORE_ANOTHER = frozenset(
    {
        "fsl,lx2160ar2-pcie",
        *(f"qcom,pcie-{chip}" for chip in ("ipq5332", "ipq5424", "sa8155p", "sm8650")),
        *(f"renesas,{chip}-pcie" for chip in ("r8a779g0", "r8a779h0")),
        *(f"rockchip,{chip}-pcie" for chip in ("rk3528", "rk3562", "rk3576", "rk3588")),
    }
)
"""Names that stand before another one, as bindings have it: what the hardware is. No driver takes them
alone (the of_device_id tables of Linux 6.1, 6.12 and 7.2)."""

# Drivers that end where `platform_get_resource_byname` finds no block of that name (Linux 7.2).
_CONFIG_BLOCKS = {
    **dict.fromkeys(("pcie-designware", "pci-keystone", "pci-meson", "pcie-al"), "config"),
    **dict.fromkeys(
        ("pcie-cadence", "pcie-starfive", "pcie-xilinx-cpm", "pcie-xilinx-nwl", "pci-xgene"), "cfg"
    ),
    "pci-sky1": "cfg",
    "pci-tegra": "cs",
    "pcie-mobiveil": "config_axi_slave",
}


# Who makes an MSI domain of the bridge's own node (`msi_create_parent_irq_domain` there; dw_pcie_host_init,
# brcm_pcie_probe for the conditions; Linux 7.2).
_OWN_MESSAGES: dict[str, OwnMessages] = {
    **dict.fromkeys(("pcie-designware", "pci-keystone", "pci-meson", "pcie-al", "pcie-ultrarisc"), "unnamed"),
    "pcie-brcmstb": "named",
    **dict.fromkeys(
        (
            "pci-aardvark", "pci-tegra", "pcie-apple", "pcie-aspeed", "pcie-mediatek", "pcie-mediatek-gen3",
            "pcie-microchip-host", "pcie-mobiveil", "pcie-qcom", "pcie-rcar-host", "pcie-rzg3s-host",
            "pcie-starfive", "pcie-xilinx", "pcie-xilinx-dma-pl", "pcie-xilinx-nwl",
        ),
        "always",
    ),
}  # fmt: skip
_OTHERWISE: dict[str, OwnMessages | None] = {
    "ti,keystone-pcie": "always",
    "mediatek,mt2701-pcie": None,
    "mediatek,mt7623-pcie": None,
    "fsl,lx2160a-pcie": None,
}
"""Those that do it otherwise (ks_pcie_host_ops, MTK_PCIE_NO_MSI, ls_g4_pcie_interrupt_init)."""


def known_controller(compatible: Iterable[str]) -> Controller | None:
    """What is known of the first known one of a node's compatible strings."""
    known = _by_compatible()
    return next((known[name] for name in compatible if name in known), None)


@cache
def driven_compatibles() -> frozenset[str]:
    """Every compatible string that a driver of Linux 7.2 takes."""
    return frozenset(_by_compatible()) - _ONLY_BEFORE_ANOTHER


@cache
def _by_compatible() -> dict[str, Controller]:
    found = {}
    for driver, kinds, first_bus_devices, names in _DRIVERS:
        layout: Layout = "cam" if kinds == "cam" else "ecam"
        if kinds not in ("", "cam"):
            layout = "windowed" if "B" in kinds else "quirk"
        for name in names:
            for compatible in _expanded(name):
                block = _CONFIG_BLOCKS.get(driver)
                own = _OTHERWISE.get(compatible, _OWN_MESSAGES.get(driver))
                found[compatible] = Controller(compatible, driver, layout, first_bus_devices, block, own)
    return found


def _expanded(name: str) -> Iterator[str]:
    """The strings that a name with one `{…}` of words stands for."""
    braces = re.fullmatch(r"([^{]*)\{([^}]*)\}(.*)", name)
    if braces is None:
        yield name
        return
    for word in braces[2].split():
        yield braces[1] + word + braces[3]
