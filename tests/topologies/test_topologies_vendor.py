"""The real boards' compiled artifacts beside what is known of the boards.

The device tree side is `tests/corpus/expected/` (the vendors' blobs, read through dtc's text); the ACPI
side is `tests/corpus/facts.yaml` (firmware sources). What a description leaves out is named here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.acpica import evaluate, fields, names, structures
from tests.corpus.board_corpus import FIRMWARES, expected
from tests.topologies.bundled import platform_of

from rootplex.backends.acpi.names import bridge_path
from rootplex.formats.devicetree import MapCells
from rootplex.readers.acpi.resources import read_resources
from rootplex.readers.dtb import read_dtb
from rootplex.readers.hostbridge import DtHostBridge, pci_host_bridges
from rootplex.readers.ridmap import RidMap


@dataclass(frozen=True, slots=True)
class Board:
    """A vendor's blob, the nodes of the described bridges, and the keys that are not the vendor's."""

    blob: str
    nodes: dict[str, str]
    not_said: frozenset[str] = field(default_factory=frozenset)


BOARDS = {
    "juno-r2": Board("juno-r2", {"pcie": "/pcie@40000000"}),
    "amd-seattle": Board("amd-overdrive-rev-b1", {"pcie": "/smb/pcie@f0000000"}),
    "hisilicon-d05": Board(
        "hip07-d05",
        {"pcie2": "/soc/pcie@af800000"},
        frozenset({"has_interrupt_map"}),  # the MBIGEN's lines are not described
    ),
    "raspberry-pi-4": Board(
        "bcm2711-rpi-4-b",
        {"pcie": "/scb/pcie@7d500000"},
        frozenset({"has_msi_parent"}),  # the bridge itself
    ),
    "macchiatobin": Board("armada-8040-mcbin", {"cp0-pcie0": "/cp0/pcie@f2600000"}),
    "lx2160a-rdb": Board(
        "fsl-lx2160a-rdb",
        {"pcie3": "/soc/pcie@3600000", "pcie5": "/soc/pcie@3800000"},
        # as the boot loader leaves them: enabled, and with stream ids
        frozenset({"enabled", "iommu_map", "msi_map", "has_msi_parent"}),
    ),
    "thinkpad-x13s": Board(
        "sc8280xp-lenovo-thinkpad-x13s",
        {
            "wifi-bridge": "/soc@0/pcie@1c00000",
            "wwan-bridge": "/soc@0/pcie@1c10000",
            "disk-bridge": "/soc@0/pcie@1c20000",
        },
    ),
    "zynqmp-zcu102": Board(
        "zynqmp-zcu102-rev1.0",
        {"pcie": "/axi/pcie@fd0e0000"},
        frozenset({"has_msi_parent"}),  # the bridge itself
    ),
    "qemu-virt-32": Board("qemu-virt-gic-version-2-highmem-off", {"pcie": "/pcie@10000000"}),
}


@pytest.mark.parametrize("name", BOARDS)
def test_the_device_tree_says_what_the_vendors_says(compiled: Path, name: str) -> None:
    board = BOARDS[name]
    known = expected(board.blob)
    vendors = {each["path"]: each for each in known["bridges"]}
    data = (compiled / name / f"{name}.dtb").read_bytes()
    tree = read_dtb(data, name)
    ours = [_shown(each) for each in pci_host_bridges(tree, MapCells.TARGET)]
    theirs = [_vendor(vendors[path]) for path in board.nodes.values()]
    for mine, other in zip(ours, theirs, strict=True):
        for key in board.not_said:
            del mine[key], other[key]
        assert other == mine
    root = tree.root
    assert (known["model"], tuple(known["compatible"])) == (root.string("model"), root.compatible) or (
        name == "qemu-virt-32"
    )


def _shown(bridge: DtHostBridge) -> dict[str, Any]:
    return {
        "compatible": list(bridge.compatible),
        "enabled": bridge.enabled,
        "linux_pci_domain": bridge.domain,
        "bus_range": None if bridge.bus_range is None else list(bridge.bus_range),
        "regs": [(reg.name, reg.cpu, reg.size) for reg in bridge.regs],
        "ranges": sorted(
            (each.space, each.prefetchable, each.pci, each.cpu, each.size) for each in bridge.windows
        ),
        "msi_map": _map(bridge.msi_map),
        "iommu_map": _map(bridge.iommu_map),
        "iommu_map_mask": _mask(bridge.iommu_map),
        "dma_coherent": bridge.dma_coherent is True,
        "has_msi_parent": bridge.has_msi_parent,
        "has_interrupt_map": bridge.interrupt_map is not None,
        "dma_ranges": bridge.dma_ranges != "absent",
    }


def _map(map: RidMap | None) -> list[tuple[int, int, int]] | None:
    return None if map is None else [(each.rid_base, each.out_base, each.length) for each in map.entries]


def _mask(map: RidMap | None) -> int | None:
    return map.mask if map is not None and map.mask_present else None


def _vendor(known: dict[str, Any]) -> dict[str, Any]:
    out = {
        key: known[key]
        for key in (
            "compatible",
            "enabled",
            "linux_pci_domain",
            "bus_range",
            "iommu_map_mask",
            "dma_coherent",
            "has_msi_parent",
            "has_interrupt_map",
            "dma_ranges",
        )
    }
    out["regs"] = [(each["name"], each["cpu"], each["size"]) for each in known["regs"]]
    out["ranges"] = sorted(
        (each["space"], each["prefetch"], each["pci"], each["cpu"], each["size"]) for each in known["ranges"]
    )
    for key in ("msi_map", "iommu_map"):
        entries = known[key]
        out[key] = (
            None if entries is None else [(each["rid"], each["out"], each["length"]) for each in entries]
        )
    return out


# The start of a board's name in facts.yaml, and the segments that are described (None: all).
FACTS: dict[str, tuple[str, set[int] | None]] = {
    "synquacer": ("Socionext SynQuacer", None),
    "hisilicon-d05": ("HiSilicon D05", None),
    "amd-seattle": ("AMD Seattle", None),
    "macchiatobin": ("SolidRun MACCHIATObin", None),
    "lx2160a-rdb": ("NXP LX2160A RDB", None),
    "juno-r2": ("Arm Juno", None),
    "thinkpad-x13s": ("Lenovo ThinkPad X13s", {2, 4, 6}),
    "raspberry-pi-4": ("Raspberry Pi 4", None),
}

WINDOWS_NOT_KNOWN = {"lx2160a-rdb", "thinkpad-x13s"}


def _facts(name: str) -> Any:
    start, _ = FACTS[name]
    boards = yaml.safe_load(FIRMWARES.read_text())["boards"]
    (board,) = (each for each in boards if each["board"].startswith(start))
    return board["acpi"]


@pytest.mark.parametrize("name", FACTS)
def test_mcfg_has_the_entries_that_the_firmwares_has(compiled: Path, name: str) -> None:
    segments = FACTS[name][1]
    known = _facts(name)["mcfg"]
    wanted = {
        (each["segment"], each["base"], *each["bus"])
        for each in (known if isinstance(known, list) else ())
        if segments is None or each["segment"] in segments
    }
    table = compiled / name / "mcfg.aml"
    listed = fields(table.read_bytes()) if table.exists() else []
    keys = ("Segment Group Number", "Base Address", "Start Bus Number", "End Bus Number")
    found = [tuple(entry[key].number for key in keys) for entry in structures(listed, "Base Address")]
    assert wanted == set(found)
    assert len(wanted) == len(found)


@pytest.mark.parametrize("name", sorted(FACTS.keys() - WINDOWS_NOT_KNOWN))
def test_aml_has_the_windows_that_the_firmwares_has(compiled: Path, name: str) -> None:
    known = _facts(name)["windows"]
    aml = (compiled / name / "ssdt.aml").read_bytes()
    segments = names(aml, "_SEG")
    found = {}
    for bridge in platform_of(name).bridges_in("acpi"):
        (value,) = evaluate(aml, f"{bridge_path(bridge)}._CRS")
        assert isinstance(value, bytes)
        found[segments[f"{bridge_path(bridge)}._SEG"]] = sorted(
            ("io" if item.type == "io" else "mem", item.minimum, item.maximum, item.translation)
            for item in read_resources(value).items
            if item.type != "bus"
        )
    assert {segment: sorted(map(_window, windows)) for segment, windows in known.items()} == found


def _window(known: dict[str, Any]) -> tuple[str, int, int, int]:
    """`{mem32: [first, last], tra: n}` as space, first, last, translation."""
    ((space, (first, last)),) = ((key, value) for key, value in known.items() if key != "tra")
    return "io" if space == "io" else "mem", first, last, known.get("tra", 0)
