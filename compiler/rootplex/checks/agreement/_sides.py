"""The two sides of one host bridge: which are compared, whom a difference is laid to, and what they
call the same unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec.structs import replace

from rootplex.checks.facts import Facts, Joined
from rootplex.formats.devicetree import RISCV_IOMMU, VIRTIO_IOMMU
from rootplex.formats.pci import sbdf_text
from rootplex.model.controllers import Its
from rootplex.readers.acpi.aml_facts import AcpiHostBridge
from rootplex.readers.acpi.iort_facts import ItsGroup, Smmu, SmmuV3
from rootplex.readers.acpi.structures import Unit
from rootplex.readers.buses import Buses
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.readers.idruns import Way
from rootplex.readers.tree import cells_of
from rootplex.source.place import Place

Side: TypeAlias = tuple[Place, str]
"""A place and what is said there."""


def both(facts: Facts) -> Iterator[tuple[Joined, DtHostBridge, AcpiHostBridge]]:
    """The bridges that both firmwares have and switch on."""
    for joined, dt, acpi in facts.pairs():
        if dt.is_on and acpi.is_on:
            yield joined, dt, acpi


def common_buses(dt: DtHostBridge, acpi: AcpiHostBridge) -> Buses | None:
    """The buses that both give the bridge: only there do maps compare; None without any."""
    return None if dt.buses is None or acpi.buses is None else dt.buses.common(acpi.buses)


def blamed_side(
    facts: Facts, joined: Joined, key: str, tree: Side, table: Side
) -> tuple[Place, list[tuple[Place, str]]]:
    """Where a difference is reported, and the other side: at the tables', unless the description says
    that it is the device tree which departs (an override under `dt`)."""
    described = facts.described_bridge(joined.name)
    at, other = (table, tree) if described is None or not described.dt.wrote(key) else (tree, table)
    return at[0], [other]


def dt_targets(facts: Facts, runs: Iterable[Way], kinds: tuple[str, ...]) -> tuple[Way, ...]:
    """Runs of a device tree with units by address or function; what ACPI has no word for goes nowhere."""
    has_ids = bool(its_bases(facts))
    found = []
    for run in runs:
        function = _function(facts, str(run.target)) if "iommu" in kinds else None
        if function is not None:
            found.append(replace(run, target=function))
            continue
        unit = facts.dt_controllers.get(str(run.target))
        if unit is None or unit.kind not in kinds or unit.kind == "iommu" or not unit.enabled:
            found.append(replace(run, target=None))
            continue
        name = _CALLED.get(unit.kind, "smmu")
        found.append(replace(run, target=(name, unit.base if name != "its" or has_ids else None)))
    return tuple(found)


_CALLED = {"its": "its", "riscv-iommu": "RISC-V IOMMU"}
"""What both firmwares' units are compared under; SMMUs of every kind are one."""

UnitName: TypeAlias = tuple[str, object]
"""What a unit is, and its address or its function."""


def iort_targets(facts: Facts, runs: Iterable[Way]) -> tuple[Way, ...]:
    """Runs of IORT with units by address."""
    iort = facts.tables.iort
    assert iort is not None  # it gave the runs
    bases = its_bases(facts)
    found = []
    for run in runs:
        node = iort.at(run.target) if isinstance(run.target, int) else None
        if node is not None and isinstance(node.data, Smmu | SmmuV3):
            found.append(replace(run, target=("smmu", node.data.base)))
        elif node is not None and isinstance(node.data, ItsGroup):
            ids = node.data.ids
            found.append(replace(run, target=("its", bases.get(ids[0]) if ids else None)))
        else:
            found.append(run)
    return tuple(found)


_FUNCTIONS = (("virtio-iommu", VIRTIO_IOMMU), ("RISC-V IOMMU", RISCV_IOMMU))


def _function(facts: Facts, path: str) -> UnitName | None:
    """What ACPI knows a node of the device tree by that is an IOMMU and a function below a bridge that both
    have and switch on; None for any other."""
    joined = facts.joined(path.rpartition("/")[0])
    dt, acpi = (None, None) if joined is None else (joined.dt, joined.acpi)
    if dt is None or acpi is None or not (dt.is_on and acpi.is_on) or dt.buses is None:
        return None
    for child in dt.node.children:
        reg = cells_of(child.properties.get("reg", b""))
        kind = next((name for name, known in _FUNCTIONS if known.intersection(child.compatible)), None)
        if child.path == path and kind is not None and reg:
            return kind, sbdf_text(acpi.segment or 0, dt.buses.first, reg[0] >> 8 & 0xFF)
    return None


def unit_targets(units: Iterable[Unit], name: str, runs: Iterable[Way]) -> tuple[Way, ...]:
    """Runs of VIOT or RIMT with units by their function, or by address."""
    known: dict[object, object] = {
        unit.offset: unit.base
        if unit.segment is None or unit.rid is None
        else sbdf_text(unit.segment, unit.rid >> 8, unit.rid & 0xFF)
        for unit in units
    }
    return tuple(
        run if run.target is None else replace(run, target=(name, known[run.target])) for run in runs
    )


def its_bases(facts: Facts) -> dict[int, int]:
    """ITS id → address: by MADT, or by the description that the firmware's MADT will follow."""
    madt = facts.tables.madt
    if madt is not None:
        return {its.id: its.base for its in madt.its}
    if facts.described is None:
        return {}
    return {each.id: each.base for each in facts.described.msi_controllers if isinstance(each, Its)}


IdName: TypeAlias = Literal["StreamID", "DeviceID"]


def run_text(run: Way, word: IdName) -> str:
    """What a run says, in words."""
    if run.target is None:
        return f"no {word}"
    name, which = run.target if isinstance(run.target, tuple) else ("?", None)
    called = str(name).upper() if name in ("smmu", "its") else name
    where = "" if which is None else f" at {which:#x}" if isinstance(which, int) else f" {which}"
    return f"{word} {run.id:#x} of the {called}{where}"
