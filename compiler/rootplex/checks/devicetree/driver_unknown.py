"""driver-unknown

What it finds: in a given tree a host bridge, or an IOMMU or MSI controller that `iommu-map`, `iommus`,
`msi-map` or `msi-parent` of one lead to, with no compatible string that a driver of Linux 7.2 is known for.
A warning where one is nearly a known string, so that it seems misspelt.
Why it matters: a kernel without a driver passes over the node: no bridge, no group, or no messages. What is
said here of such a bridge is what holds for every bridge, and nothing of its controller.
Example: `compatible = "pci-host-ecam-genric"`.
What to do: correct the string, or add the one of a controller that it is compatible with; a driver of your
own is yours to judge.
Source: Linux drivers/pci/controller, drivers/iommu and drivers/irqchip, their of_device_id tables. Sources
that prove it: device tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from rootplex.checks.bridges import enabled_bridges
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.controllers import known_compatibles
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0633",
    name="driver-unknown",
    level=Level.WARNING,
    needs="artifacts",
    only="undescribed",
    requires=("RPX0626",),
)

IOMMUS = (
    "arm,smmu-v1", "arm,smmu-v2", "arm,smmu-v3", "arm,mmu-400", "arm,mmu-401", "arm,mmu-500",
    "cavium,smmu-v2", "cavium,cn9900-smmu-v3", "nvidia,smmu-500", "qcom,smmu-v2", "qcom,smmu-500",
    "riscv,iommu", "riscv,pci-iommu", "virtio,pci-iommu", "virtio,mmio", "rockchip,iommu",
    "rockchip,rk3568-iommu", "sprd,iommu-v1", "apple,t8103-dart", "apple,t8110-dart", "apple,t6000-dart",
    "xen,grant-dma", "samsung,exynos-sysmmu", "fsl,pamu",
)  # fmt: skip
MSI_CONTROLLERS = (
    "arm,gic-v3", "arm,gic-v3-its", "arm,gic-v5-its", "arm,gic-v2m-frame", "apm,xgene1-msi", "al,alpine-msix",
    "riscv,imsics", "brcm,bcm2712-mip", "brcm,iproc-msi", "altr,msi-1.0", "hisilicon,mbigen-v2",
    "loongson,pch-msi-1.0", "sophgo,sg2042-msi", "sophgo,sg2044-msi",
)  # fmt: skip
FAMILIES = re.compile(
    r"mediatek,mt\d+-(iommu-infra|iommu-\w+|m4u)|renesas,(ipmmu|rcar-gen\d-ipmmu)\S*|nvidia,tegra\d+-smmu"
    r"|allwinner,sun\S+-iommu|ti,(dra7|omap\d)\S*-iommu|fsl,(ls|imx)\w+-msi|fsl,v?mpic-msi\S*"
)
"""Compatible strings of drivers that have one for each system on a chip."""

NEAR = 0.9
"""How like a known string one is that seems misspelt (difflib's ratio)."""


def check(facts: Facts) -> Iterator[Finding]:
    """Each node once: bridges, then what they lead to."""
    if facts.dt is None or facts.dt.platform.foreign is not None:
        return
    bridges = tuple(enabled_bridges(facts))
    told: set[str] = set()
    for bridge in bridges:
        if bridge.controller is None and bridge.compatible:
            yield _finding(facts, bridge.path, "host bridge", known_compatibles())
            told.add(bridge.path)
    for bridge in bridges:
        for what, path, known in _targets(bridge):
            node = facts.dt.tree.by_path[path]
            names = node.compatible
            if path in told or not node.is_enabled or not names or _is_known(names, known):
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
    bridges = known_compatibles()
    return any(name in known or name in bridges or FAMILIES.fullmatch(name) for name in names)


def _finding(facts: Facts, path: str, what: str, known: Iterable[str]) -> Finding:
    assert facts.dt is not None
    node = facts.dt.tree.by_path[path]
    meant = _meant(node.compatible, tuple(known))
    listed = ", ".join(node.compatible[:3])
    return RULE.finding(
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
