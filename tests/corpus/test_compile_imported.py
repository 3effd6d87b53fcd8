"""A vendor's device tree, imported and compiled: host bridge nodes equal in meaning, differences listed.

Both blobs go through `dtc`; its text is read here without our readers. Phandles are replaced by the
address of the node they lead to, addresses by the CPU's.
"""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from tests.corpus.board_corpus import TREES, Corpus, expected, imported, platform_of

from rootplex.backends.devicetree import device_tree
from rootplex.readers.address import regs
from rootplex.readers.dtb import read_dtb
from rootplex.readers.intx import Hop, InterruptMaps, route_intx
from rootplex.readers.tree import Tree

# What compile does not write of each board's host bridge nodes: the list that `import` gives, in short.
REFERENCES = {
    "clocks", "clock-names", "phys", "phy-names", "resets", "reset-names", "power-domains", "pinctrl-0",
    "pinctrl-1", "pinctrl-names", "reset-gpios", "perst-gpios", "wake-gpios", "vpcie3v3-supply",
    "vddpe-3v3-supply", "interconnects", "interconnect-names", "assigned-clocks", "required-opps",
    "starfive,stg-syscon", "iommus", "enable-gpios", "assigned-clock-rates",
}  # fmt: skip
"""References to nodes that a description does not have, and the names that go with them."""
LOST: dict[str, set[str]] = {
    # <0 n flags> at a controller that is not the root's
    "ac5x-rd-carrier-cn9131": {"interrupts"},
    "armada-8040-mcbin": {"interrupts"},
    "cn9132-clearfog": {"interrupts"},
    "jh7110-starfive-visionfive-2-v1.3b": {"interrupts"},
    # the bridge is its own MSI controller
    "bcm2711-rpi-4-b": {"msi-parent"},
    "zynqmp-zcu102-rev1.0": {"msi-parent", "interrupt-parent"},
    # tells functions apart
    "amd-overdrive-rev-b1": {"interrupt-map", "interrupt-map-mask", "#interrupt-cells"},
}
ADDED = {"dma-coherent", "dma-ranges"}
"""Said at a node above by the vendor, at the bridge by us."""
OTHER_FORM = {
    "ranges", "dma-ranges", "interrupt-map", "interrupt-map-mask", "msi-parent", "iommu-map", "msi-map",
    "msi-map-mask", "phandle", "reg", "interrupts", "#interrupt-cells", "status",
}  # fmt: skip
"""Compared by meaning, below and in the test of the bridges."""


@pytest.mark.parametrize("name", TREES)
def test_the_nodes_have_the_vendors_properties(corpus: Corpus, name: str) -> None:
    ours = device_tree(platform_of(corpus(name)))
    mine = nodes(ours.dtb().data)
    theirs = nodes(corpus(name).read_bytes())
    bridges = platform_of(corpus(name)).host_bridges
    for path, bridge in zip(imported(corpus(name)).bridges, bridges, strict=True):
        vendor, made = theirs[path], mine[ours.nodes[bridge.name]]
        lost = {
            key for key in vendor.keys() - made.keys() if not re.fullmatch(r"phandle|.*supply|.*gpios?", key)
        }
        lost -= {key for key in lost if vendor[key] == '"okay"'}
        assert lost - REFERENCES <= LOST.get(name, set())
        assert made.keys() - vendor.keys() <= ADDED | {"msi-map", "iommu-map", "status"}
        same = made.keys() & vendor.keys() - OTHER_FORM
        assert {key: vendor[key] for key in same} == {key: made[key] for key in same}


@pytest.mark.parametrize("name", TREES)
def test_windows_and_registers_are_the_vendors(corpus: Corpus, name: str) -> None:
    """The type, prefetchable bit and the three numbers of every window; bit 31 says nothing in a host's
    `ranges` (linux.md §1.4)."""
    ours = device_tree(platform_of(corpus(name)))
    mine = nodes(ours.dtb().data)
    known = expected(name)["bridges"]
    for each, bridge in zip(known, platform_of(corpus(name)).host_bridges, strict=True):
        made = mine[ours.nodes[bridge.name]]
        windows = [
            (row[0], row[1] << 32 | row[2], row[3] << 32 | row[4], row[5] << 32 | row[6])
            for row in rows(made.get("ranges", ""), 7)
        ]
        assert [_window(window) for window in each["ranges"]] == windows
        regs = [(row[0] << 32 | row[1], row[2] << 32 | row[3]) for row in rows(made["reg"], 4)]
        assert [(reg["cpu"], reg["size"]) for reg in each["regs"]] == regs


def _window(window: dict[str, Any]) -> tuple[int, int, int, int]:
    space = {"io": 0x0100_0000, "mem32": 0x0200_0000, "mem64": 0x0300_0000}[window["space"]]
    return space | (0x4000_0000 if window["prefetch"] else 0), window["pci"], window["cpu"], window["size"]


@pytest.mark.parametrize("name", TREES)
def test_every_pin_ends_where_the_vendors_does(corpus: Corpus, name: str) -> None:
    """Function 0 of each device on the first bus: the controller's address, and its specifier."""
    platform = platform_of(corpus(name))
    ours = device_tree(platform)
    made = read_dtb(ours.dtb().data, "ours")
    vendors = read_dtb(corpus(name).read_bytes(), "theirs")
    for path, bridge in zip(imported(corpus(name)).bridges, platform.host_bridges, strict=True):
        if bridge.intx is None:
            continue
        bus = bridge.bus_range.first
        for dev in range(32):
            for pin in range(1, 5):
                wanted = _end(vendors, path, bus, dev, pin)
                assert wanted == _end(made, ours.nodes[bridge.name], bus, dev, pin)


def _end(tree: Tree, path: str, bus: int, dev: int, pin: int) -> tuple[object, ...] | None:
    route = route_intx(InterruptMaps(tree), tree.by_path[path], [Hop(bus, dev << 3)], pin)
    if route.controller is None or route.specifier is None:
        return None
    blocks = regs(tree, tree.by_path[route.controller])
    return (blocks[0].cpu if blocks else None), route.specifier[:3]


def rows(text: str, width: int) -> list[list[int]]:
    """The cells of `dtc`'s `<…>` in rows."""
    cells = [int(cell, 16) for cell in text.strip("<>").split()]
    return [cells[at : at + width] for at in range(0, len(cells), width)]


def nodes(blob: bytes) -> dict[str, dict[str, str]]:
    """Path → properties, as `dtc` prints them."""
    done = subprocess.run(
        ["dtc", "-q", "-I", "dtb", "-O", "dts", "-"], input=blob, capture_output=True, check=True
    )
    found: dict[str, dict[str, str]] = {}
    path: list[str] = []
    for raw in done.stdout.decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if line.endswith("{"):
            path.append(line[:-1].strip().rpartition(": ")[2])
            found["/" + "/".join(path[1:])] = {}
        elif line == "};":
            path.pop()
        elif path and line.endswith(";"):
            key, _, value = line[:-1].partition(" = ")
            found["/" + "/".join(path[1:])][key] = value
    return found
