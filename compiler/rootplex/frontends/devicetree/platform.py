"""The whole description of a device tree."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rootplex.formats.devicetree import MapCells
from rootplex.frontends.devicetree.bridge import bridge_record
from rootplex.frontends.devicetree.controllers import DtControllers
from rootplex.frontends.document import (
    Imported,
    Missing,
    Names,
    address,
    imported,
    leaf,
    listing,
    record,
    size,
    tree,
)
from rootplex.readers.hostbridge import DtHostBridge, pci_host_bridges
from rootplex.readers.platform_dt import DtPlatform, foreign_processor, read_platform
from rootplex.readers.tree import Tree
from rootplex.source.finding import unreadable
from rootplex.source.node import Node
from rootplex.source.place import DtPlace

_ARM_32 = re.compile(
    r"arm,(cortex-a(5|7|8|9|12|15|17|32)|arm\d.*|sa1100.*)|qcom,(krait|scorpion|kryo-32)|marvell,pj4.*"
)


def import_tree(tree_: Tree, overlays: Sequence[str] = ()) -> Imported:
    """The description of a tree's host bridges, to which `overlays` (files) were applied; Unreadable where it
    has none."""
    bridges = pci_host_bridges(tree_, MapCells.TARGET)
    if not bridges:
        raise unreadable(tree_.file, "the device tree has no PCI host bridge")
    platform = read_platform(tree_)
    missing: list[Missing] = []
    names = Names()
    head = _platform(tree_, platform, missing)
    controllers = DtControllers(tree_, platform, names, missing)
    _name_bridges(tree_, bridges, controllers)
    preserve = platform.chosen.probe_only == 1
    records = [
        bridge_record(
            bridge, controllers.bridges[bridge.path], controllers, preserve=preserve and bridge.enabled
        )
        for bridge in bridges
    ]
    place = tree_.place("/")
    document = record(
        place,
        {
            "rootplex": leaf(1, place),
            "platform": head,
            "memory": _memory(platform, missing),
            **controllers.entries(),
            "host_bridges": listing(records, place),
        },
    )
    paths = [bridge.path for bridge in bridges]
    base, *applied = (file.rpartition("/")[2] for file in (tree_.file, *overlays))
    source = f"the device tree {base}"
    if applied:
        source += f" with {', '.join(applied)} applied to it"
    facing = [bridge.external_facing for bridge in bridges]
    return imported(tree_.file, document, paths, missing, source, facing)


def _platform(tree_: Tree, platform: DtPlatform, missing: list[Missing]) -> Node:
    """`platform`: the name is the most specific compatible's, without its vendor."""
    first = platform.compatible[0] if platform.compatible else tree_.file.rpartition("/")[2].partition(".")[0]
    compatible = tree_.place("/", "compatible")
    model = tree_.place("/", "model")
    name = Names().take(first.rpartition(",")[2], "board")
    return record(
        compatible,
        {
            "name": leaf(name, compatible),
            "title": None if not platform.model else leaf(platform.model, model),
            "arch": leaf(_arch(tree_, missing), tree_.place("/cpus")),
            "model": None if not platform.model else leaf(platform.model, model),
            "compatible": tree(list(platform.compatible), compatible) if platform.compatible else None,
            "firmware": tree(["dt"], tree_.place("/")),
        },
        "/compatible, /model, /cpus",
    )


def _arch(tree_: Tree, missing: list[Missing]) -> str:
    """By the processors' compatible, without any by what else only RISC-V has; arm64 where they tell nothing,
    or one that the language lacks."""
    cpus = tree_.by_path.get("/cpus")
    nodes = cpus.children if cpus else ()
    names = [name for cpu in nodes for name in cpu.compatible]
    sets = [cpu.properties["riscv,isa"] for cpu in nodes if "riscv,isa" in cpu.properties]
    found, odd = "arm64", foreign_processor(tree_)
    others = () if names else (name for node in tree_.walk() for name in node.compatible)
    if sets or any("riscv" in name for name in (*names, *others)):
        found, odd = "riscv64", "rv32" if any(each.startswith(b"rv32") for each in sets) else None
    elif names and all(_ARM_32.fullmatch(name) for name in names):
        found = "arm"
    if odd is not None:
        why = f"the language has not that of {odd}; {found} stands in its place"
        missing.append(Missing("platform.arch", why, tree_.place("/cpus")))
    return found


def _memory(platform: DtPlatform, missing: list[Missing]) -> Node | None:
    """RAM as far as the blob has it: boot loaders fill it in on many boards."""
    areas = [area for area in platform.memory if area.size]
    if not areas:
        place = DtPlace(platform.file, "/")
        missing.append(Missing("memory", "the blob has none; the boot loader fills it in", place))
        return None
    return listing(
        (
            record(
                area.place,
                {"base": leaf(address(area.base), area.place), "size": leaf(size(area.size), area.place)},
                area.path,
            )
            for area in areas
        ),
        areas[0].place,
    )


def _name_bridges(tree_: Tree, bridges: tuple[DtHostBridge, ...], controllers: DtControllers) -> None:
    """A label where the blob has symbols, `pcie` where there is one bridge, else with its address."""
    labels = {path: label for label, path in reversed(tree_.labels.items())}
    for bridge in bridges:
        base, _, unit = bridge.node.name.partition("@")
        wanted = labels.get(bridge.path) or (base if len(bridges) == 1 else f"{base}-{unit}")
        controllers.bridges[bridge.path] = controllers.names.take(wanted, "pcie")
