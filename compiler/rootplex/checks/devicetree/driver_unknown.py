"""Nodes that no driver of this kernel knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.readers.controllers import driven_compatibles
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

IOMMUS = (
    "arm,smmu-v1", "arm,smmu-v2", "arm,smmu-v3", "arm,mmu-400", "arm,mmu-401", "arm,mmu-500",
    "cavium,smmu-v2", "nvidia,smmu-500", "qcom,smmu-v2", "qcom,msm-iommu-v1", "qcom,msm-iommu-v2",
    "qcom,apq8064-iommu", "riscv,iommu", "virtio,mmio", "xen,grant-dma", "rockchip,iommu",
    "rockchip,rk3568-iommu", "sprd,iommu-v1", "samsung,exynos-sysmmu", "verisilicon,iommu-1.2",
    *(f"apple,{chip}-dart" for chip in ("t8103", "t8103-usb4", "t8110", "t6000")),
    *(f"allwinner,sun50i-{chip}-iommu" for chip in ("h6", "h616")),
    *(f"nvidia,tegra{chip}-mc" for chip in (30, 114, 124, 132, 210)),
    *(f"ti,{chip}-iommu" for chip in ("omap2", "omap4", "dra7", "dra7-dsp")),
    "renesas,ipmmu-vmsa", "renesas,rcar-gen4-ipmmu-vmsa",
    *(f"renesas,ipmmu-r8a{chip}" for chip in (
        "774a1", "774b1", "774c0", "774e1", "7795", "7796", "77961", "77965", "77970", "77980", "77990",
        "77995", "779a0")),
    *(f"mediatek,mt{chip}-m4u" for chip in (2701, 2712, 6779, 6795, 8167, 8173, 8183, 8192, 8365)),
    *(f"mediatek,mt{part}" for part in (
        "6893-iommu-mm", "8186-iommu-mm", "8188-iommu-infra", "8188-iommu-vdo", "8188-iommu-vpp",
        "8189-iommu-apu", "8189-iommu-infra", "8189-iommu-mm", "8195-iommu-infra", "8195-iommu-vdo",
        "8195-iommu-vpp")),
)  # fmt: skip
"""Linux 7.2, drivers/iommu: the `of_device_id` tables there; drivers/virtio/virtio_mmio.c (the node is the
transport's); drivers/xen/grant-dma-ops.c, xen_dt_grant_init_backend_domid (asks for the name);
drivers/memory/tegra/mc.c (the memory controller has the SMMU in it)."""
MSI_CONTROLLERS = (
    "arm,gic-v3", "arm,gic-v3-its", "arm,gic-v5-its", "arm,gic-v2m-frame", "apm,xgene1-msi", "al,alpine-msix",
    "riscv,imsics", "brcm,bcm2712-mip", "brcm,iproc-msi", "altr,msi-1.0", "marvell,mpic",
    "loongson,pch-msi-1.0", "sophgo,sg2042-msi", "sophgo,sg2044-msi",
    *(f"fsl,ls{chip}-msi" for chip in ("1012a", "1021a", "1043a", "1043a-v1.1", "1046a")),
)  # fmt: skip
"""Those that make messages for PCI. Linux 7.2, drivers/irqchip and drivers/pci/controller: the tables of the
drivers whose `bus_select_mask` has MATCH_PCI_MSI (Marvell's ap806-gicp, ap806-sei, odmi-controller and NXP's
mu-msi serve platform devices alone); irq-gic-v3-mbi.c for the distributor; irq-gic-v5-its.c and
pcie-iproc-msi.c ask for the name."""

NEAR = 0.9
"""How like a known string one is that seems misspelt (difflib's ratio)."""


@check("RPX0633", Level.WARNING, only="undescribed", requires=("RPX0626",))
def driver_unknown(facts: Facts) -> Iterator[Finding]:
    """What it finds: in a given tree a host bridge, or an IOMMU or MSI controller that `iommu-map`, `iommus`,
    `msi-map` or `msi-parent` of one lead to, with no compatible string that a driver of Linux 7.2 is known
    for. A warning where one is nearly a known string, so that it seems misspelt.
    Why it matters: a kernel without a driver passes over the node: no bridge, no group, or no messages. What
    is said here of such a bridge is what holds for every bridge, and nothing of its controller.
    Example: `compatible = "pci-host-ecam-genric"`.
    What to do: correct the string, or add the one of a controller that it is compatible with; a driver of
    your own is yours to judge.
    Source: Linux drivers/pci/controller, drivers/iommu and drivers/irqchip, their of_device_id tables; what
    is a PCI function itself (virtio-iommu, RISC-V's) is found by its ids, drivers/pci/pci-driver.c. Sources
    that prove it: device tree.
    """
    # Each node once: bridges, then what they lead to.
    if facts.dt is None or facts.dt.platform.foreign is not None:
        return
    bridges = tuple(enabled_bridges(facts))
    told: set[str] = set()
    for bridge in bridges:
        if bridge.compatible and driven_compatibles().isdisjoint(bridge.compatible):
            yield _finding(facts, bridge.path, "host bridge", driven_compatibles())
            told.add(bridge.path)
    for bridge in bridges:
        for what, path, known in _targets(bridge):
            node = facts.dt.tree.by_path[path]
            names = node.compatible
            if path in told or not node.is_enabled or not names or _is_known(names, known):
                continue
            if any(path.startswith(f"{each.path}/") for each in bridges):  # a function, known by its ids
                continue
            told.add(path)
            yield _finding(facts, path, what, known)


def _targets(bridge: DtHostBridge) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What a bridge leads to: what it is, its path, and the strings that are known for it."""
    for map, what, known in (
        (bridge.iommu_map, "IOMMU", IOMMUS),
        (bridge.msi_map, "MSI controller", MSI_CONTROLLERS),
    ):
        for entry in () if map is None else map.entries:
            if entry.target is not None:
                yield what, entry.target, known
    for reference in bridge.iommus if bridge.iommu_map is None else ():
        if reference.target is not None:
            yield "IOMMU", reference.target, IOMMUS
    for reference in bridge.msi_parent if bridge.msi_map is None else ():
        if reference.target is not None:
            yield "MSI controller", reference.target, MSI_CONTROLLERS


def _is_known(names: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether a driver is known for one of the strings: a host bridge may take messages itself."""
    return any(name in known or name in driven_compatibles() for name in names)


def _finding(facts: Facts, path: str, what: str, known: Iterable[str]) -> Finding:
    assert facts.dt is not None
    node = facts.dt.tree.by_path[path]
    meant = _meant(node.compatible, tuple(known))
    listed = ", ".join(node.compatible[:3])
    return driver_unknown.rule.finding(
        facts.dt.tree.place(node, "compatible"),
        f"no driver is known for the {what} {path}: {listed}",
        level=Level.NOTE if meant is None else Level.WARNING,
        notes=[f"a kernel that has none passes over the {what}"],
        help=None if meant is None else f"did you mean '{meant}'?",
        subject=path,
    )


def _meant(names: tuple[str, ...], known: tuple[str, ...]) -> str | None:
    """The known string that one of these misspells; another number is another chip."""
    for name in names[:8]:
        for near in get_close_matches(name[:64], known, n=1, cutoff=NEAR):
            if re.sub(r"\d+", "", near) != re.sub(r"\d+", "", name):
                return near
    return None
