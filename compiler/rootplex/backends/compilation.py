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
from rootplex.backends.acpi.ivrs import ivrs
from rootplex.backends.acpi.mcfg import mcfg
from rootplex.backends.acpi.names import bridge_path
from rootplex.backends.acpi.override import override
from rootplex.backends.acpi.rimt import rimt
from rootplex.backends.acpi.ssdt import ssdt
from rootplex.backends.acpi.viot import viot
from rootplex.backends.artifact import Artifact, BridgeNames, Compiled, PlaceMap
from rootplex.backends.configspace import config_space
from rootplex.backends.devicetree import DeviceTree, device_tree
from rootplex.backends.qemu import arguments
from rootplex.backends.refusal import CannotCompile
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding
from rootplex.tools.beside import beside


class Backend(Struct, frozen=True):
    """One backend: when it runs, what it makes, whether the simulator reads that, and whether it
    waits for another program: such a backend is made beside the others."""

    name: str
    applies: Callable[[Platform], bool]
    make: Callable[[Platform, Shared], Iterator[Artifact]]
    simulated: bool
    waits: bool = False


class Shared(Struct):
    """What backends tell beside their bytes: the names that bridges and functions got, and the one
    tree of which blob and text are made."""

    tree: DeviceTree | None
    nodes: Mapping[str, str]
    paths: Mapping[str, str]
    hardware: Mapping[str, str]
    pages: Mapping[str, tuple[str, str]]
    tables: list[Artifact]


def _dtb(platform: Platform, shared: Shared) -> Iterator[Artifact]:
    shared.tree = device_tree(platform)
    shared.nodes = shared.tree.nodes
    yield shared.tree.dtb()


def _dts(platform: Platform, shared: Shared) -> Iterator[Artifact]:
    if shared.tree is not None:  # else the blob, which comes first, was refused
        yield shared.tree.dts()


def _table(make: Callable[[Platform], Artifact | None]) -> Callable[[Platform, Shared], Iterator[Artifact]]:
    """The maker of a table that is there where it has something to say."""

    def made(platform: Platform, shared: Shared) -> Iterator[Artifact]:
        table = make(platform)
        if table is not None:
            shared.tables.append(table)
            yield table

    return made


def _ssdt(platform: Platform, shared: Shared) -> Iterator[Artifact]:
    shared.paths = {bridge.name: bridge_path(bridge) for bridge in platform.bridges_in("acpi")}
    source, table = ssdt(platform)
    shared.tables.append(table)
    yield source
    yield table


def _dsdt(platform: Platform, shared: Shared) -> Iterator[Artifact]:
    source, table = dsdt(platform)
    shared.tables.append(table)
    yield source
    yield table


def _hardware(platform: Platform, shared: Shared) -> Iterator[Artifact]:
    space = config_space(platform)
    shared.pages, shared.hardware = space.ids, space.bridges
    yield space.config
    yield space.pages


def _override(platform: Platform, shared: Shared) -> Iterator[Artifact]:
    yield override(shared.tables)


def _qemu(platform: Platform, shared: Shared) -> Iterator[Artifact]:
    artifact, _ = arguments(platform)
    yield artifact


def _has_dt(platform: Platform) -> bool:
    return "dt" in platform.firmware


def _has_acpi(platform: Platform) -> bool:
    return "acpi" in platform.firmware


def _has_qemu_acpi(platform: Platform) -> bool:
    return _has_acpi(platform) and platform.base in ("qemu-virt", "qemu-q35")


BACKENDS: tuple[Backend, ...] = (
    Backend("device tree blob", _has_dt, _dtb, simulated=True),
    Backend("device tree text", _has_dt, _dts, simulated=False),
    Backend("MCFG", _has_acpi, _table(mcfg), simulated=True),
    Backend("IORT", lambda p: _has_acpi(p) and p.arch == "arm64", _table(iort), simulated=True),
    Backend("DMAR", lambda p: _has_acpi(p) and p.arch == "x86_64", _table(dmar), simulated=True),
    Backend("IVRS", lambda p: _has_acpi(p) and p.arch == "x86_64", _table(ivrs), simulated=True),
    Backend("VIOT", _has_acpi, _table(viot), simulated=True),
    Backend("RIMT", _has_acpi, _table(rimt), simulated=True),
    Backend("hardware image", lambda p: True, _hardware, simulated=True),
    Backend("QEMU arguments", lambda p: p.base != "none", _qemu, simulated=False),
    Backend("SSDT", _has_acpi, _ssdt, simulated=True, waits=True),
    Backend("DSDT", _has_qemu_acpi, _dsdt, simulated=False, waits=True),
    Backend("override archive", _has_acpi, _override, simulated=False),
)
"""In the order in which they are made; those that wait are begun first, and waited for in their turn."""


def compile_platform(platform: Platform, *, simulated_only: bool = False) -> Compiled:
    """All artifacts of a platform, or only those that the simulator reads.

    CannotCompile, with the reasons of every backend, where one refuses.
    """
    shared = Shared(None, {}, {}, {}, {}, [])
    files: dict[str, bytes] = {}
    places = PlaceMap()
    refused: list[Finding] = []
    backends = [
        backend
        for backend in BACKENDS
        if backend.applies(platform) and (backend.simulated or not simulated_only)
    ]
    with ExitStack() as stack:
        begun = {
            backend.name: stack.enter_context(beside(partial(_made, backend, platform, shared)))
            for backend in backends
            if backend.waits
        }
        for backend in backends:
            try:
                made = begun[backend.name].result() if backend.waits else _made(backend, platform, shared)
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
                shared.nodes.get(bridge.name),
                shared.paths.get(bridge.name),
                shared.hardware[bridge.name],
            )
            for bridge in platform.host_bridges
        ),
        pages=shared.pages,
    )


def _made(backend: Backend, platform: Platform, shared: Shared) -> list[Artifact]:
    return list(backend.make(platform, shared))
