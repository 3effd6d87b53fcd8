"""VIOT imported: the virtio-iommu, the map of each bridge, and what the language has no words for."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from tests.checks.acpi.test_acpi_checks import E0, bridge, entry, mcfg
from tests.checks.acpi.test_viot_checks import ALL, ALONE, viot
from tests.checks.altered import with_bytes
from tests.readers.test_viot import REGISTERS, TEXT, UNIT, ranged

from rootplex.backends.compilation import compile_platform
from rootplex.frontends.acpi import AcpiSource, import_acpi
from rootplex.frontends.document import Imported
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.sources import read_source
from rootplex.model.controllers import DtNode
from rootplex.model.platform import Platform
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.header import Table
from rootplex.source.shipped import shipped_folder


def imported(*tables: Table) -> Imported:
    source = AcpiSource(tables, file="case", namespace=Namespace("case", (bridge(),), (), ()))
    return import_acpi(source)


def read(found: Imported) -> Platform:
    checked = read_checked(to_yaml(found.document).encode(), "imported.yaml")
    assert checked.platform is not None, checked.findings
    return checked.platform


Entry: TypeAlias = tuple[int, int, int]


def maps(platform: Platform) -> dict[str, list[Entry]]:
    """By bridge: requester id, endpoint id, how many."""
    iommus = {each.name: each.iommu for each in platform.host_bridges}
    return {
        name: [] if iommu is None else [(each.rid, each.id, each.count) for each in iommu.entries]
        for name, iommu in iommus.items()
    }


def virtio(platform: Platform) -> DtNode:
    (unit,) = (each for each in platform.iommus if isinstance(each, DtNode))
    return unit


def test_a_unit_is_a_node_of_its_bridge_and_is_left_out_of_the_map() -> None:
    """QEMU's own VIOT covers the unit's function too, which Linux does not translate."""
    platform = read(imported(mcfg(entry(E0)), viot(ALONE, ALL)))
    unit = virtio(platform)
    assert (unit.compatible, unit.parent, unit.devfn, unit.cells) == (("virtio,pci-iommu",), "pci0", 0x10, 1)
    assert maps(platform) == {"pci0": [(0, 0, 0x10), (0x11, 0x11, 0xFFEF)]}


def test_of_two_ranges_the_last_is_taken() -> None:
    platform = read(imported(mcfg(entry(E0)), viot(ALONE, ALL, ranged(0x300, 0x3FF, 0x8000, 48))))
    assert (0x300, 0x8000, 0x100) in maps(platform)["pci0"]


def test_what_cannot_be_said_is_listed() -> None:
    ranges = ranged(0, 0xFF, 0, 48), ranged(0x100, 0x1FF, 0, 64)
    found = imported(mcfg(entry(E0)), viot(UNIT, REGISTERS, *ranges))
    nowhere = "it is not on the first bus of a host bridge, and the language has it nowhere else"
    assert [str(each) for each in found.missing if "virtio" in str(each)] == [
        f"the virtio-iommu 0001:00:02.0: {nowhere}",
        "the virtio-iommu at 0xa000000: it is no PCI function, and the language has no words for that",
    ]
    assert "unit" not in to_yaml(found.document)


def test_what_we_write_comes_back(tmp_path: Path) -> None:
    ours = read_checked(TEXT.encode(), "viot.yaml").platform
    assert ours is not None
    for name, data in compile_platform(ours).files.items():
        if name.endswith(".aml"):
            (tmp_path / name).write_bytes(data)
    again = read(import_source(read_source(tmp_path, "viot")))
    assert list(maps(again).values()) == list(maps(ours).values())
    assert virtio(again).devfn == 0x10


def test_a_unit_of_a_tree_behind_a_port_is_listed(tmp_path: Path) -> None:
    """Linux finds it there (`of_pci_find_child_device`); the language has it on the first bus alone."""
    ours = read_checked(TEXT.encode(), "viot.yaml").platform
    assert ours is not None
    dts = compile_platform(ours).files["viot.dts"].decode()
    start = dts.index("\t\tviommu: iommu@2 {")
    end = dts.index("\n\t\t};\n", start) + len("\n\t\t};\n")
    port = "#address-cells = <3>; #size-cells = <2>; ranges; reg = <0x1800 0 0 0 0>;"
    below = dts[start:end].replace("iommu@2", "iommu@0").replace("0x1000 ", "0x10000 ")
    (tmp_path / "viot.dts").write_text(f"{dts[:start]}pci@3,0 {{ {port} {below} }};{dts[end:]}")
    found = import_source(read_source(tmp_path / "viot.dts", "viot.dts"))
    nowhere = "it is not on the first bus of a host bridge, and the language has it nowhere else"
    assert f"iommu: which function it is: {nowhere}" in [str(each) for each in found.missing]


def test_an_amd_iommu_on_another_bus_is_listed(tmp_path: Path) -> None:
    text = (shipped_folder("topologies") / "q35-amd.yaml").read_bytes()
    ours = read_checked(text, "q35-amd.yaml").platform
    assert ours is not None
    compiled = compile_platform(ours)
    for block in (0x30, 0x6C):  # of both types: the unit's own id
        compiled = with_bytes(compiled, "ivrs.aml", block + 4, b"\x00\x03")
    for name, data in compiled.files.items():
        if name.endswith(".aml"):
            (tmp_path / name).write_bytes(data)
    found = import_source(read_source(tmp_path, "amd"))
    assert [str(each).partition(":")[0] for each in found.missing if "AMD" in str(each)] == [
        "the AMD IOMMU at 0xfed80000, 0000"
    ]
    assert "amd-iommu" not in to_yaml(found.document)
