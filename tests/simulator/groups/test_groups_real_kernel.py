"""Our groups against those of a booted kernel: the vectors of §11.1 and random trees, a segment each.

Configuration space is laid out in guest RAM, so that Linux scans it, switches ACS on, and groups
behind QEMU's one SMMUv3. A kernel puts on every ACS bit that a function offers: "off" cannot be shown.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.boot.ram_topology import page
from tests.boot.test_real_boot import CONSOLE, VIRT, start
from tests.simulator.groups.pci_trees import FULL, PciTree
from tests.simulator.groups.test_group_vectors import VECTORS
from tests.simulator.groups.test_iommu_probe import Scanned, Streams

from rootplex.capture.snapshot import parse_snapshot
from rootplex.simulator.function import (
    DOWNSTREAM,
    EVENT_COLLECTOR,
    INTEGRATED,
    PCI_TO_PCIE,
    PCIE_TO_PCI,
    ROOT_PORT,
    UPSTREAM,
    Bus,
    Function,
)
from rootplex.simulator.groups.dom0 import group_streams
from rootplex.simulator.inputs import Settings
from rootplex.tools import runner
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

pytestmark = pytest.mark.boot

Kernels: TypeAlias = Callable[[Arch, str], Kernel]
Programs: TypeAlias = Callable[[str], str]

RAM = 0x9000_0000
SEGMENTS, BUSES = 31, 8
SEED = 20170711
UNMAPPED = SEGMENTS - 1
"""The segment whose iommu-map leaves out bus 0."""
VECTORS_SHOWN = [name for name in VECTORS if name not in ("v11", "v14", "v15", "v19", "v20")]
"""Not those that need a BAR, VFs, a bit that stays off, or an alias that Linux knows by id."""

BELOW: dict[int | None, tuple[int | None, ...]] = {
    ROOT_PORT: (UPSTREAM, UPSTREAM, UPSTREAM, PCIE_TO_PCI, 0, 0, 0, 1),
    UPSTREAM: (DOWNSTREAM, DOWNSTREAM, DOWNSTREAM, 0),
    DOWNSTREAM: (UPSTREAM, PCIE_TO_PCI, 0, 0, 0, 0),
    PCIE_TO_PCI: (None, -1, PCI_TO_PCIE),
    PCI_TO_PCIE: (UPSTREAM, 0),
    -1: (None, -1, PCI_TO_PCIE),
}
"""What may sit below a bridge of a type; -1 is a conventional bridge."""

ON_ROOT_BUS = (*[ROOT_PORT] * 8, *[INTEGRATED] * 4, EVENT_COLLECTOR, PCIE_TO_PCI, -1, None)
ONE_DEVICE = (ROOT_PORT, DOWNSTREAM, PCI_TO_PCIE)


def random_tree(segment: int, rng: random.Random) -> PciTree:
    """At most eight buses, with capabilities of which every offered bit is on."""
    tree = PciTree(segment)
    ahead: list[tuple[Bus, tuple[int | None, ...], bool]] = [(tree.root, ON_ROOT_BUS, False)]
    bridges = 0
    while ahead:
        bus, kinds, one_device = ahead.pop(0)
        for dev in [0] if one_device else sorted(rng.sample(range(6), rng.randint(1, 3))):
            count = rng.choice((1, 1, 2, 3))
            for fn in range(count):
                kind = rng.choice(kinds)
                if kind in BELOW and bridges == BUSES - 1:
                    kind = 0 if kinds is not BELOW[PCIE_TO_PCI] and kinds is not BELOW[-1] else None
                bits = rng.choice((FULL[1], FULL[1], 0, 0x1D & rng.getrandbits(8)))
                express = kind is not None and kind >= 0
                acs = (bits, bits) if express and rng.random() < 0.6 else None
                name = f"{bus.number}-{dev}-{fn}"
                if kind in BELOW:
                    bridges += 1
                    type = None if kind == -1 else kind
                    child = tree.bridge(name, bus, dev, fn, type=type, acs=acs, mf=count > 1)
                    ahead.append((child, BELOW[kind], kind in ONE_DEVICE))
                else:
                    tree.add(name, bus, dev, fn, type=kind, acs=acs, mf=count > 1)
    return tree


def discovered(bus: Bus) -> Iterator[Function]:
    """Depth first, a bus in full before what is below it; buses get the numbers that Linux gives."""
    numbers = iter(range(bus.number, 256))

    def walk(bus: Bus) -> Iterator[Function]:
        bus.number = next(numbers)
        if bus.bridge is not None:
            bus.bridge.secondary = bus.number
        bus.functions.sort(key=lambda function: function.devfn)
        yield from bus.functions
        for function in bus.functions:
            if function.child_bus is not None:
                yield from walk(function.child_bus)

    return walk(bus)


def hazard(tree: PciTree) -> None:
    """A port without ACS; with no mapping for it, the functions below get groups of their own."""
    below = tree.bridge("RP", tree.root, 1)
    for fn in range(2):
        tree.add(f"F{fn}", below, 0, fn, mf=True, acs=FULL)


def all_trees() -> list[list[Function]]:
    found = []
    rng = random.Random(SEED)
    for segment in range(SEGMENTS):
        if segment < len(VECTORS_SHOWN):
            tree = PciTree(segment)
            VECTORS[VECTORS_SHOWN[segment]][0](tree)
        elif segment == UNMAPPED:
            tree = PciTree(segment)
            hazard(tree)
        else:
            tree = random_tree(segment, rng)
        found.append(list(discovered(tree.root)))
    return found


def memory(trees: list[list[Function]]) -> bytes:
    data = bytearray(SEGMENTS * BUSES << 20)
    for segment, functions in enumerate(trees):
        for function in functions:
            at = segment * BUSES + function.bus.number << 20 | function.devfn << 12
            offered = None if function.acs is None else function.acs[0]
            data[at : at + 4096] = page(
                0x1234, 0x0001, function.class_code, function.pcie_type, offered, function.multifunction
            )
    return bytes(data)


def device_tree(folder: Path) -> Path:
    """QEMU's own tree with the segments in place of its host bridge; streams are the RIDs, a
    segment after the other."""
    dump = f"{VIRT.replace('smmuv3', 'smmuv3,dumpdtb=qemu.dtb', 1)} -m 4G {CONSOLE}".split()
    assert runner.run(dump, cwd=folder).status == 0
    text = runner.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "qemu.dtb"], cwd=folder).stdout
    smmu = re.search(r"smmuv3@\w+ \{[^}]*?phandle = <(0x\w+)>", text)
    assert smmu is not None
    bridges = "".join(
        f"""
        pcie@{RAM + segment * BUSES * 0x100000:x} {{
            compatible = "pci-host-ecam-generic"; device_type = "pci";
            #address-cells = <3>; #size-cells = <2>; linux,pci-domain = <{segment}>;
            bus-range = <0 {BUSES - 1}>;
            reg = <0x0 {RAM + segment * BUSES * 0x100000:#x} 0x0 {BUSES * 0x100000:#x}>;
            ranges = <0x2000000 0x0 {window:#x} 0x0 {window:#x} 0x0 0x1000000>;
            iommu-map = <{left} {smmu[1]} {stream + left:#x} {BUSES * 256 - left:#x}>; dma-coherent;
        }};"""
        for segment in range(SEGMENTS)
        for window, stream in [(0x1000_0000 + segment * 0x100_0000, segment * BUSES * 256)]
        for left in [256 if segment == UNMAPPED else 0]
    )
    (folder / "ram.dts").write_text(f"{text}\n/ {{\n    /delete-node/ pcie@10000000;{bridges}\n}};\n")
    assert runner.run(["dtc", "-q", "-o", "ram.dtb", "ram.dts"], cwd=folder).status == 0
    return folder / "ram.dtb"


def test_a_kernel_comes_to_the_same_groups(tmp_path: Path, kernel: Kernels, program: Programs) -> None:
    program("qemu-system-aarch64")
    program("dtc")
    image = kernel("arm64", "linux-7.2")
    trees = all_trees()
    (tmp_path / "ram").write_bytes(memory(trees))
    machine = f"{VIRT} -m 4G -device loader,file={tmp_path}/ram,addr={RAM:#x},force-raw=on"
    machine += f" -dtb {device_tree(tmp_path)}"
    text = start(tmp_path, image, machine, "mem=1G", [])
    snapshot = parse_snapshot(text, "console.log")
    seen = {str(function.sbdf) for function in snapshot.functions}
    real = {frozenset(group.members) for group in snapshot.groups}
    settings = Settings(arch="arm64", firmware="dt")
    for segment, functions in enumerate(trees):
        mark = f"{segment:04x}:"
        assert {f.sbdf for f in functions} == {sbdf for sbdf in seen if sbdf.startswith(mark)}
        left_out = dict.fromkeys(range(256)) if segment == UNMAPPED else {}
        grouping = group_streams(Scanned(functions), Streams("smmu-v3", left_out), settings)
        ours = {frozenset(member.sbdf for member in group.members) for group in grouping.groups}
        assert ours == {group for group in real if next(iter(group)).startswith(mark)}
