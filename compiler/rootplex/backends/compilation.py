"""A platform to all its artifacts: which backend runs for which platform, as one table.

Backends are run to the last even where one refuses, so that one run names every fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial

from msgspec import Struct

from rootplex.backends.acpi.dmar import dmar
from rootplex.backends.acpi.dsdt import dsdt
from rootplex.backends.acpi.iort import iort
from rootplex.backends.acpi.mcfg import mcfg
from rootplex.backends.acpi.names import bridge_path
from rootplex.backends.acpi.override import override
from rootplex.backends.acpi.ssdt import ssdt
from rootplex.backends.artifact import Artifact, BridgeNames, Compiled, PlaceMap
from rootplex.backends.configspace import config_space
from rootplex.backends.devicetree import DeviceTree, device_tree
from rootplex.backends.qemu import arguments
from rootplex.backends.refusal import CannotCompile
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding
from rootplex.tools.beside import beside


class Part(Struct, frozen=True):
    """One backend: when it runs, what it makes, whether the simulator reads that, and whether it
    waits for another program: such a part is made beside the others."""

    name: str
    applies: Callable[[Platform], bool]
    make: Callable[[Platform, Joints], Iterator[Artifact]]
    simulated: bool
    waits: bool = False


class Joints(Struct):
    """What backends tell beside their bytes: the names that bridges and functions got, and the one
    tree of which blob and text are made."""

    tree: DeviceTree | None
    nodes: Mapping[str, str]
    paths: Mapping[str, str]
    hardware: Mapping[str, str]
    pages: Mapping[str, tuple[str, str]]
    tables: list[Artifact]


def _dtb(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    joints.tree = device_tree(platform)
    joints.nodes = joints.tree.nodes
    yield joints.tree.dtb()


def _dts(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    if joints.tree is not None:  # else the blob, which comes first, was refused
        yield joints.tree.dts()


def _mcfg(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    table = mcfg(platform)
    if table is not None:
        joints.tables.append(table)
        yield table


def _ssdt(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    joints.paths = {bridge.name: bridge_path(bridge) for bridge in platform.bridges_in("acpi")}
    source, table = ssdt(platform)
    joints.tables.append(table)
    yield source
    yield table


def _iort(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    table = iort(platform)
    if table is not None:
        joints.tables.append(table)
        yield table


def _dmar(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    table = dmar(platform)
    if table is not None:
        joints.tables.append(table)
        yield table


def _dsdt(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    source, table = dsdt(platform)
    joints.tables.append(table)
    yield source
    yield table


def _hardware(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    space = config_space(platform)
    joints.pages, joints.hardware = space.ids, space.bridges
    yield space.config
    yield space.pages


def _override(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    yield override(joints.tables)


def _qemu(platform: Platform, joints: Joints) -> Iterator[Artifact]:
    artifact, _ = arguments(platform)
    yield artifact


def _has_dt(platform: Platform) -> bool:
    return "dt" in platform.firmware


def _has_acpi(platform: Platform) -> bool:
    return "acpi" in platform.firmware


def _has_qemu_acpi(platform: Platform) -> bool:
    return _has_acpi(platform) and platform.base != "none"


PARTS: tuple[Part, ...] = (
    Part("device tree blob", _has_dt, _dtb, simulated=True),
    Part("device tree text", _has_dt, _dts, simulated=False),
    Part("MCFG", _has_acpi, _mcfg, simulated=True),
    Part("IORT", lambda p: _has_acpi(p) and p.arch == "arm64", _iort, simulated=True),
    Part("DMAR", lambda p: _has_acpi(p) and p.arch == "x86_64", _dmar, simulated=True),
    Part("hardware image", lambda p: True, _hardware, simulated=True),
    Part("QEMU arguments", lambda p: p.base != "none", _qemu, simulated=False),
    Part("SSDT", _has_acpi, _ssdt, simulated=True, waits=True),
    Part("DSDT", _has_qemu_acpi, _dsdt, simulated=False, waits=True),
    Part("override archive", _has_acpi, _override, simulated=False),
)
"""In the order in which they are made; those that wait are begun first, and waited for in their turn."""


def compile_platform(platform: Platform, *, simulated_only: bool = False) -> Compiled:
    """All artifacts of a platform, or only those that the simulator reads.

    CannotCompile, with the reasons of every backend, where one refuses.
    """
    joints = Joints(None, {}, {}, {}, {}, [])
    files: dict[str, bytes] = {}
    places = PlaceMap()
    refused: list[Finding] = []
    parts = [part for part in PARTS if part.applies(platform) and (part.simulated or not simulated_only)]
    with ExitStack() as stack:
        begun = {
            part.name: stack.enter_context(beside(partial(_made, part, platform, joints)))
            for part in parts
            if part.waits
        }
        for part in parts:
            try:
                made = begun[part.name].result() if part.waits else _made(part, platform, joints)
            except CannotCompile as refusal:
                refused += [finding for finding in refusal.findings if finding not in refused]
                continue
            for artifact in made:
                files[artifact.file] = artifact.data
                places.merge(artifact.places)
    if refused:
        raise CannotCompile(refused)
    return Compiled(
        name=platform.name,
        files=files,
        places=places,
        bridges=tuple(
            BridgeNames(
                bridge.name,
                joints.nodes.get(bridge.name),
                joints.paths.get(bridge.name),
                joints.hardware[bridge.name],
            )
            for bridge in platform.host_bridges
        ),
        pages=joints.pages,
    )


def _made(part: Part, platform: Platform, joints: Joints) -> list[Artifact]:
    return list(part.make(platform, joints))
