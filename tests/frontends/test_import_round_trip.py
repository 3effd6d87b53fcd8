"""What compile made of the bundled topologies, imported again: the same bridges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.topologies.bundled import NAMES, platform_of, with_firmware

from rootplex.backends.acpi.ecam import in_mcfg
from rootplex.backends.acpi.idmap import runs
from rootplex.frontends.document import Imported
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.sources import read_source
from rootplex.model.bridge import Firmware, HostBridge, IommuMap, MsiMap
from rootplex.model.controllers import DtNode
from rootplex.model.platform import Platform


def written(source: Imported) -> Platform:
    """The description written and read again. Its one finding may be that the address of configuration
    space is missing, and that is listed."""
    checked = read_checked(to_yaml(source.document).encode(), "imported.yaml")
    unknown = [each for each in source.missing if each.what.endswith("config.base")]
    assert ["RPX0004"] * len(unknown) == [each.code for each in checked.findings]
    assert checked.platform is not None
    return checked.platform


def shown(platform: Platform, bridge: HostBridge, firmware: Firmware) -> dict[str, Any]:
    """A bridge in what both firmwares can say of it; controllers by their address."""
    out: dict[str, Any] = {
        "segment": bridge.segment,
        "buses": str(bridge.bus_range),
        "windows": [(each.pci, each.cpu, each.size, each.prefetchable) for each in bridge.windows],
        "enabled": bridge.enabled,
        "coherent": bridge.dma_coherent,
        "proximity": bridge.proximity,
        "msi": ids(platform, bridge, bridge.msi, firmware),
        "iommu": ids(platform, bridge, bridge.iommu, firmware),
    }
    if dict(bridge.dt.properties).get("iommu-map") is False and firmware == "dt":
        out["iommu"] = None
    if firmware == "dt":
        # which ECAM has special cases is read from the compatible, and may be said or not
        out["config"] = (bridge.config.is_ecam, bridge.config.base, bridge.config.size)
        out["compatible"] = bridge.config.compatible
        out["spaces"] = [each.space for each in bridge.windows]
    elif in_mcfg(bridge) or bridge.hot_pluggable:
        out["config"] = bridge.config.base
    return out


def ids(platform: Platform, bridge: HostBridge, map: MsiMap | IommuMap | None, firmware: Firmware) -> Any:
    """A map as disjoint runs to addresses; a parent as such."""
    if map is None:
        return None
    targets = [platform.controller(entry.target) for entry in map.entries]
    if firmware == "acpi" and not all(target is None or target.enabled for target in targets):
        return None  # ACPI has no word for a controller that is off
    if firmware == "dt" and isinstance(map, MsiMap) and map.parent:
        return "parent", getattr(platform.controller(map.controller), "base", None)
    return [
        (run.first, run.count, run.id, run.constant, getattr(platform.controller(run.target), "base", None))
        for run in runs(map.entries, map.mask, bridge.bus_range)
    ] or None


@pytest.mark.parametrize("name", with_firmware("dt"))
def test_the_device_tree_gives_the_bridges_back(checkout: Path, name: str) -> None:
    file = checkout / "generated" / name / f"{name}.dtb"
    again = written(import_source(read_source(file, file.name)))
    ours = platform_of(name)
    wanted = [shown(ours, bridge, "dt") for bridge in ours.bridges_in("dt")]
    assert wanted == [shown(again, bridge, "dt") for bridge in again.host_bridges]


@pytest.mark.parametrize("name", with_firmware("acpi"))
def test_the_tables_give_the_bridges_back(checkout: Path, name: str) -> None:
    """IORT has ITSs and SMMUs only; their addresses are MADT's, which stays the firmware's."""
    folder = checkout / "generated" / name
    again = written(import_source(read_source(folder, name)))
    ours = platform_of(name)
    wanted, found = [], []
    for mine, back in zip(ours.bridges_in("acpi"), again.host_bridges, strict=True):
        one, two = shown(ours, mine, "acpi"), shown(again, back, "acpi")
        for each in (one, two):
            del each["msi"]
        if ours.arch == "x86_64" or mine.iommu is None:
            del one["iommu"], two["iommu"]
        if "config" not in one:
            two.pop("config", None)
        wanted.append(one)
        found.append(two)
    assert wanted == found


def test_every_topology_is_read_back(checkout: Path) -> None:
    assert set(NAMES) == {*with_firmware("dt"), *with_firmware("acpi")}


def test_a_nodes_name_that_a_binding_fixes_comes_back(checkout: Path) -> None:
    """xlnx,nwl-pcie.yaml wants `legacy-interrupt-controller`, which nothing else tells."""
    (ours,) = (
        each for each in platform_of("zynqmp-zcu102").interrupt_controllers if isinstance(each, DtNode)
    )
    file = checkout / "generated" / "zynqmp-zcu102" / "zynqmp-zcu102.dtb"
    again = written(import_source(read_source(file, file.name)))
    (back,) = (each for each in again.interrupt_controllers if isinstance(each, DtNode))
    assert (ours.node, ours.compatible) == (back.node, back.compatible) == ("legacy-interrupt-controller", ())
