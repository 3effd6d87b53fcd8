"""The tree of QEMU's riscv64 machine, against the tree that QEMU itself makes, property by property."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.backends.devicetree.dtc_text import Properties, phandles, read

from rootplex.backends.devicetree import device_tree
from rootplex.jobs.describe import read_checked
from rootplex.model.platform import Platform
from rootplex.tools.runner import QEMU, run

PROGRAM = "qemu-system-riscv64"

DESCRIPTION = """\
rootplex: 1
platform: {{name: x, arch: riscv64, base: qemu-riscv-virt, aia: {aia}}}
host_bridges:
  - name: main
    segment: 0
    config: {{base: 0x3000_0000}}
    windows:
      - {{space: io, pci: 0, cpu: 0x300_0000, size: 64KiB}}
      - {{space: mem32, pci: 0x4000_0000, size: 1GiB}}
      - {{space: mem64, pci: 0x4_0000_0000, size: 16GiB}}
    intx: {{controller: {lines}, irqs: [32, 33, 34, 35]}}
    {msi}
"""
MSI = "msi: {controller: imsic, parent: true}"

NAMES = {
    "/soc/plic@c000000": "/soc/interrupt-controller@c000000",
    "/soc/aplic@c000000": "/soc/interrupt-controller@c000000",
    "/soc/aplic@d000000": "/soc/interrupt-controller@d000000",
    "/soc/imsics@24000000": "/soc/interrupt-controller@24000000",
    "/soc/imsics@28000000": "/soc/interrupt-controller@28000000",
}
"""QEMU's names, the later ones those of 7.2, that are not ours."""

REFERENCES = {
    "interrupt-parent": (1, 0),
    "cpu": (1, 0),
    "regmap": (1, 0),
    "msi-parent": (1, 0),
    "interrupts-extended": (2, 0),
    "riscv,children": (1, 0),
}
"""Property → its row's width and the cell in it that is a phandle."""

IMSIC = frozenset({"compatible", "riscv,ipi-id", "#msi-cells", "#address-cells"})

BY_VERSION: dict[str, frozenset[str]] = {
    "/cpus/cpu@0": frozenset(
        {
            "riscv,isa", "riscv,isa-base", "riscv,isa-extensions", "mmu-type",
            "riscv,cbom-block-size", "riscv,cbop-block-size", "riscv,cboz-block-size",
        }
    ),
    "/cpus/cpu@0/interrupt-controller": frozenset({"#address-cells"}),
    "/pmu": frozenset({"riscv,event-to-mhpmcounters"}),
    "/soc/interrupt-controller@c000000": frozenset(
        {"compatible", "riscv,delegate", "riscv,delegation", "riscv,ndev", "#address-cells"}
    ),
    "/soc/interrupt-controller@d000000": frozenset({"compatible", "#address-cells"}),
    "/soc/interrupt-controller@24000000": IMSIC,
    "/soc/interrupt-controller@28000000": IMSIC,
}  # fmt: skip
"""What versions of QEMU say each in their way, and what dtc misses in all of them."""


def platform(aia: str) -> Platform:
    lines = "plic" if aia == "none" else "aplic"
    msi = MSI if aia == "aplic-imsic" else ""
    checked = read_checked(DESCRIPTION.format(aia=aia, lines=lines, msi=msi).encode(), "x.yaml")
    assert checked.platform is not None
    assert checked.findings == ()
    return checked.platform


def settled(nodes: Mapping[str, Properties], aia: str) -> dict[str, Properties]:
    """The nodes with our names, phandles as the paths behind them, without what goes by version."""
    behind = {phandle: NAMES.get(path, path) for phandle, path in phandles(nodes).items()}
    references = {**REFERENCES, "interrupt-map": (6 if aia == "none" else 7, 4)}
    out: dict[str, Properties] = {}
    for path, node in nodes.items():
        name = NAMES.get(path, path)
        out[name] = {}
        for key, value in node.items():
            if key in {"phandle", "rng-seed"} | BY_VERSION.get(name, frozenset()):
                continue
            width, place = references.get(key, (1, None))
            out[name][key] = (
                value
                if place is None
                else tuple(
                    behind[cell] if isinstance(cell, int) and index % width == place else cell
                    for index, cell in enumerate(value)
                )
            )
    return out


def dumped(aia: str, folder: Path) -> bytes:
    machine = f"virt,aia={aia},dumpdtb=dumped.dtb"
    done = run([PROGRAM, "-M", machine, "-m", "1G", "-display", "none"], cwd=folder, limits=QEMU)
    assert done.status == 0, done.stderr
    return (folder / "dumped.dtb").read_bytes()


@pytest.mark.parametrize("aia", ["none", "aplic", "aplic-imsic"])
def test_every_node_is_as_qemu_has_it(aia: str, tmp_path: Path, program: Callable[[str], str]) -> None:
    program(PROGRAM)
    theirs = settled(read(dumped(aia, tmp_path)), aia)
    theirs.setdefault("/aliases", {"serial0": ("/soc/serial@10000000",)})
    ours = settled(read(device_tree(platform(aia)).dtb().data), aia)
    # QEMU 7.2 writes the clock without its bytes' text form being one of cells
    for tree in (ours, theirs):
        tree["/soc/serial@10000000"].pop("clock-frequency")
    assert sorted(ours) == sorted(theirs)
    for path, node in theirs.items():
        assert ours[path] == node, path


@pytest.mark.parametrize("aia", ["none", "aplic", "aplic-imsic"])
def test_its_processor_has_no_more_than_qemus(
    aia: str, tmp_path: Path, program: Callable[[str], str]
) -> None:
    program(PROGRAM)
    theirs = read(dumped(aia, tmp_path))["/cpus/cpu@0"]["riscv,isa"]
    ours = read(device_tree(platform(aia)).dtb().data)["/cpus/cpu@0"]
    assert set(str(ours["riscv,isa"][0]).split("_")) <= set(str(theirs[0]).split("_"))
    assert "_".join(map(str, ours["riscv,isa-extensions"][7:])) == str(ours["riscv,isa"][0]).split("_", 1)[1]


def test_messages_go_to_the_imsic_without_an_id() -> None:
    """Its #msi-cells is 0 (riscv,imsics.yaml): no cell stands behind it."""
    nodes = read(device_tree(platform("aplic-imsic")).dtb().data)
    (imsic,) = (
        phandle for phandle, path in phandles(nodes).items() if path == "/soc/interrupt-controller@28000000"
    )
    assert nodes["/soc/pci@30000000"]["msi-parent"] == (imsic,)


def test_no_hart_waits_for_an_interrupt_controller() -> None:
    """A hart's own has its parent from nowhere: an interrupt-parent of the root would be taken for it
    (drivers/of/irq.c:of_irq_init)."""
    nodes = read(device_tree(platform("none")).dtb().data)
    assert "interrupt-parent" not in nodes["/"]
