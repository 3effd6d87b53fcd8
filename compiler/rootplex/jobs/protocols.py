"""What Dom0 tells Xen, in order: by the protocol discussed in 2017, and today (xen.md §7.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from msgspec.structs import replace

from rootplex.formats.errno import name_of
from rootplex.jobs.result import Protocols, Told
from rootplex.model.numbers import Sbdf
from rootplex.simulator.boots.run import simulate
from rootplex.simulator.firmware.facts import AcpiFirmware, DtFirmware
from rootplex.simulator.inputs import Artifacts, Settings
from rootplex.simulator.xen.discovery_2017 import OPERATION
from rootplex.simulator.xen.machine import Call, Xen

AREA = "pci_mmcfg_reserved"
REPORTS = ("pci_device_add", "manage_pci_add", "manage_pci_add_ext")


def protocols(
    artifacts: Artifacts, settings: Settings, dt: DtFirmware | None, acpi: AcpiFirmware | None
) -> Protocols | None:
    """Dom0 booted below both, on the same bytes; None on bare metal, and without hardware to report."""
    if settings.hypervisor is None:
        return None
    shown = dt if settings.firmware == "dt" else None, acpi if settings.firmware == "acpi" else None
    told = []
    for discovery in ("dom0", "xen"):
        wanted: Settings = replace(settings, discovery=discovery, guests=())
        xen = simulate(artifacts, wanted, *shown).xen
        assert xen is not None
        told.append((xen, tuple(_told(xen, discovery == "xen"))))
    (_, then), (today, now) = told
    known = len(today.core.windows.windows if today.core.x86 else today.core.routes.bridges)
    return Protocols(
        xen=settings.xen,
        pairs=tuple(_aligned(then, now)),
        source="nothing" if not known else "MCFG" if today.core.x86 else "device tree",
        bridges=known,
        new=(OPERATION,) if any(each.operation == OPERATION for each in then) else (),
    )


def _told(xen: Xen, today: bool) -> Iterator[Told]:
    for call in xen.calls:
        if call.op in (OPERATION, AREA):
            yield Told(call.op, call.buses, _answer(call), True)
        elif call.op in REPORTS:
            segment, bus, _ = call.function
            known = _knows(xen, segment, bus) if today else call.result == 0
            yield Told(call.op, str(Sbdf(*call.function)), _answer(call), known)


def _answer(call: Call) -> str | None:
    return None if call.result is None else name_of(call.result) if call.result else "0"


def _knows(xen: Xen, segment: int, bus: int) -> bool:
    """Whether today's Xen finds the configuration space of a bus: by its bridges, on x86 by ports or MCFG."""
    core = xen.core
    if core.x86:
        return segment == 0 or core.windows.base_of(segment, bus) is not None
    return any(
        each.segment == segment and each.root.start <= bus <= each.root.end for each in core.routes.bridges
    )


def _aligned(then: Sequence[Told], now: Sequence[Told]) -> Iterator[tuple[Told | None, Told | None]]:
    left, right = ([(each.operation, each.subject) for each in side] for side in (then, now))
    for _, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if left[a:b] == right[c:d]:
            yield from zip(then[a:b], now[c:d], strict=True)
            continue
        yield from ((each, None) for each in then[a:b])
        yield from ((None, each) for each in now[c:d])
