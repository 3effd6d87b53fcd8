"""A snapshot against itself: its firmware's bytes simulated on its configuration space, beside what the
kernel saw.

The hardware is made of the snapshot's functions; the firmware goes to the simulator unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from rootplex.backends.configspace import config_space
from rootplex.capture.facts import KernelFunction, Snapshot
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts
from rootplex.frontends.description.reading import description_of
from rootplex.frontends.document import Imported
from rootplex.jobs.joining import join_boards
from rootplex.jobs.machine import machine_of
from rootplex.jobs.result import Machine
from rootplex.known.kernels import DEFAULT, profile_of
from rootplex.model.platform import Platform
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.function import Function
from rootplex.simulator.groups.grouping import Group
from rootplex.simulator.inputs import Artifacts, Blob, GuestWish, Settings
from rootplex.source.finding import Finding, Level
from rootplex.source.place import FilePlace, Place
from rootplex.source.rules import KERNEL_SAW_OTHERWISE

_SHOWN = 6
_SMMU = re.compile(r"smmu3?\.0x([0-9a-f]+)")
"""What the kernel calls an SMMU: by its address (arm-smmu.c and arm-smmu-v3.c, iommu_device_sysfs_add)."""


class SimulatedSnapshot(Struct, frozen=True):
    """What came of it. Where nothing could be simulated a finding says why, and there is no machine; else the
    facts have the outcome."""

    findings: tuple[Finding, ...]
    machine: Machine | None
    facts: Facts | None = None


def simulate_snapshot(
    snapshot: Snapshot,
    imported: Imported,
    facts: Facts,
    found: tuple[Finding, ...],
    guests: tuple[GuestWish, ...] = (),
) -> SimulatedSnapshot:
    """Simulate the snapshot's machine and compare; `found` is what its bytes have shown, `guests`
    are who is to be given what."""
    platform = _platform(imported)
    place = FilePlace(snapshot.file)
    if platform is None:
        return _nothing("the snapshot's firmware and functions do not make a whole machine", place, found)
    hardware = config_space(platform)
    dt, acpi = facts.dt, facts.acpi
    firmware = "dt" if dt is not None else "acpi"
    settings = Settings(
        arch=platform.arch,
        firmware=firmware,  # type: ignore[arg-type]
        kernel=kernel_of(snapshot.release),
        iommu=bool(platform.iommus),
        memory=tuple((each.base, each.size) for each in platform.memory),
        hypervisor=facts.hypervisor,
        reserved=snapshot.reserved,
        guests=guests,
    )
    artifacts = Artifacts(
        config=Blob(snapshot.file, hardware.config.data), pages=Blob(snapshot.file, hardware.pages.data)
    )
    outcome = simulate(artifacts, settings, dt, acpi)
    names = dict(zip(imported.bridges, (each.name for each in platform.host_bridges), strict=True))
    found = run_checks(replace(facts, outcome=outcome), "simulation", found)
    named = replace(facts, outcome=outcome, settings=settings, bridges=join_boards(dt, acpi, names))
    units = {
        function.sbdf: route.unit.base
        for function, streams in outcome.streams.items()
        for route in streams.routes
        if route.unit is not None and route.unit.base is not None
    }
    ran = Ran(tuple(outcome.dom0.functions), outcome.linux.groups, units)
    if outcome.dom0.died is None:
        found += tuple(_compared(snapshot, ran))
    return SimulatedSnapshot(found, machine_of(platform, named, outcome), named)


def kernel_of(release: str) -> str:
    """The profile that is nearest to a kernel's release."""
    return profile_of(release) or DEFAULT


def _platform(imported: Imported) -> Platform | None:
    description = description_of(imported.document, imported.file)
    return None if any(each.level is Level.ERROR for each in description.findings) else description.platform


def _nothing(why: str, place: Place, found: tuple[Finding, ...]) -> SimulatedSnapshot:
    return SimulatedSnapshot((*found, KERNEL_SAW_OTHERWISE.finding(place, why, level=Level.NOTE)), None)


class Ran(Struct, frozen=True):
    """What a simulated kernel came to: functions and groups, and by SBDF where the registers are of the IOMMU
    that a function is behind."""

    functions: tuple[Function, ...]
    groups: tuple[Group, ...]
    units: Mapping[str, int]


def _compared(snapshot: Snapshot, ran: Ran) -> Iterator[Finding]:
    seen = {str(each.sbdf): each for each in snapshot.functions}
    simulated = {each.sbdf: each for each in ran.functions}
    for sbdf in seen.keys() - simulated.keys():
        yield KERNEL_SAW_OTHERWISE.finding(
            seen[sbdf].place, f"the kernel shows {sbdf}, which the simulation does not reach", subject=sbdf
        )
    for sbdf in sorted(simulated.keys() - seen.keys()):
        message = f"the simulation finds {sbdf}, which the kernel does not show"
        yield KERNEL_SAW_OTHERWISE.finding(FilePlace(snapshot.file), message, subject=sbdf)
    both = sorted(seen.keys() & simulated.keys())
    for sbdf in both:
        parent = simulated[sbdf].parent
        above = None if parent is None else parent.sbdf
        told = None if seen[sbdf].parent is None else str(seen[sbdf].parent)
        if above != told and seen[sbdf].physfn is None:
            kernels, ours = told or "a root bus", above or "a root bus"
            message = f"{sbdf} is below {kernels} for the kernel, below {ours} simulated"
            yield KERNEL_SAW_OTHERWISE.finding(seen[sbdf].place, message, subject=sbdf)
        unit = _SMMU.fullmatch(seen[sbdf].unit or "")
        if unit is not None and ran.units.get(sbdf, base := int(unit[1], 16)) != base:
            message = (
                f"{sbdf} is behind the SMMU at {base:#x} for the kernel, at {ran.units[sbdf]:#x} simulated"
            )
            yield KERNEL_SAW_OTHERWISE.finding(seen[sbdf].place, message, subject=sbdf)
    if snapshot.groups:
        yield from _groups([seen[sbdf] for sbdf in both], ran)
        yield from _grouped_or_not(snapshot, [seen[sbdf] for sbdf in both], ran)


def _groups(functions: Iterable[KernelFunction], ran: Ran) -> Iterator[Finding]:
    """Partitions are compared over the functions to which the kernel gave a group."""
    grouped = {str(each.sbdf): each for each in functions if each.group is not None}
    simulated = {
        function.sbdf: frozenset(member.sbdf for member in group.members if member.sbdf in grouped)
        for group in ran.groups
        for function in group.members
    }
    for sbdf, function in sorted(grouped.items()):
        kernels = frozenset(name for name, each in grouped.items() if each.group == function.group)
        ours = simulated.get(sbdf)
        if ours is not None and ours != kernels and sbdf == min(kernels):
            yield KERNEL_SAW_OTHERWISE.finding(
                function.place,
                f"the kernel groups {_listed(kernels)}; simulated it is {_listed(ours)}",
                subject=sbdf,
            )


def _grouped_or_not(snapshot: Snapshot, functions: list[KernelFunction], ran: Ran) -> Iterator[Finding]:
    """Functions that have a group for one of the two alone. That the kernel gave none counts only where
    each function was offered a driver."""
    grouped = {member.sbdf for group in ran.groups for member in group.members}
    kernels = [each for each in functions if each.group is not None]
    if kernels and not grouped:
        # The table of an IOMMU of another kind is not read.
        why = f"the kernel groups {len(kernels)} functions by an IOMMU that the simulation does not know"
        yield KERNEL_SAW_OTHERWISE.finding(FilePlace(snapshot.file), why, level=Level.NOTE)
        return
    for each in functions:
        sbdf = str(each.sbdf)
        if each.group is not None and sbdf not in grouped:
            message = f"the kernel gives {sbdf} a group; simulated it has none"
            yield KERNEL_SAW_OTHERWISE.finding(each.place, message, subject=sbdf)
        elif each.group is None and sbdf in grouped and snapshot.offers:
            message = f"the kernel gives {sbdf} no group; simulated it has one"
            yield KERNEL_SAW_OTHERWISE.finding(each.place, message, subject=sbdf)


def _listed(names: frozenset[str]) -> str:
    shown = sorted(names)[:_SHOWN]
    return ", ".join(shown) + (", …" if len(names) > _SHOWN else "")
