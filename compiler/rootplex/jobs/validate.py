"""`validate`: a board's firmware read as it is, joined, checked; held against a description or a kernel.

Vendor bytes go to checks and simulator unchanged. Without a snapshot there is no hardware: what depends on
devices is unknown, and so is the verdict unless the bytes prove an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from rootplex.backends.refusal import CannotCompile
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts, Joined
from rootplex.frontends.document import Imported
from rootplex.jobs.acceptance import verdict_of
from rootplex.jobs.against import board_side, compiled_side, differences
from rootplex.jobs.boards import Board, read_item
from rootplex.jobs.dma import dma_by_bridge
from rootplex.jobs.entries import Entries, acpi_entries, dt_entries
from rootplex.jobs.importing import heading_of, import_source
from rootplex.jobs.joining import join_boards
from rootplex.jobs.pasted.beside import beside_snapshot, join_pastes, simulate_beside
from rootplex.jobs.pasted.simulation import PastedOutcome, pasted_result, pastes_of
from rootplex.jobs.result import (
    BridgeResult,
    Dma,
    Ecam,
    Machine,
    Numbers,
    Result,
    Sides,
    Stretch,
    WindowResult,
    unreadable,
)
from rootplex.jobs.simulated_snapshot import SimulatedSnapshot, kernel_of, simulate_snapshot
from rootplex.jobs.sources import Source
from rootplex.known.kernels import DEFAULT, profile
from rootplex.model.platform import Platform
from rootplex.readers.address import DtWindow
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.simulator.firmware.facts import DtFirmware, acpi_firmware, dt_firmware
from rootplex.simulator.inputs import GuestWish
from rootplex.source.finding import Finding, Unreadable, in_order
from rootplex.source.node import Node


def validate_board(board: Board, against: Platform | None = None, bare_metal: bool = False) -> Result:
    """One board's result; never raises for what the files hold (OSError where they cannot be opened). It is
    judged as under Xen, unless it is to run on bare metal, or is a snapshot of a machine that did."""
    try:
        sources = [read_item(item) for item in board.items]
        if all(source.paste is not None for source in sources):
            return pasted_result(board.items[0].path, pastes_of(sources), bare_metal=bare_metal)
        return _validated(board, sources, against, bare_metal=bare_metal)
    except Unreadable as error:
        return unreadable(board.items[0].path, error.findings)


def entries_of(board: Board) -> Entries:
    """What a board's tables of ids and its maps say. Unreadable as what it is made of."""
    found: dict[tuple[str, str | None], tuple[str, ...]] = {}
    for source in map(read_item, board.items):
        found |= acpi_entries(source.tables)
        if source.tree is not None:
            found |= dt_entries(dt_of(source).bridges)
    return found


def simulated_snapshot(source: Source, guests: tuple[GuestWish, ...] = ()) -> SimulatedSnapshot | None:
    """The machine of a snapshot, simulated; None for what is no snapshot and holds no functions."""
    if source.snapshot is None:
        return None
    imported = import_source(source)
    facts = _facts([source], imported.document.get("platform"), bare_metal=source.snapshot.hypervisor is None)
    return simulate_snapshot(source.snapshot, imported, facts, (), guests)


def simulated_together(sources: Sequence[Source], kernel: str | None = None) -> PastedOutcome | None:
    """The machine of a board's firmware and what was pasted of it; None where no text tells of a function
    below one of its host bridges."""
    firmware = [source for source in sources if source.paste is None]
    imports = [import_source(source) for source in firmware if not source.stands_alone]
    if not imports:
        return None
    facts = _facts(firmware, imports[0].document.get("platform"), bare_metal=True)
    return simulate_beside(pastes_of(sources), imports, facts, kernel)


def _facts(sources: Sequence[Source], head: Node | None, *, bare_metal: bool) -> Facts:
    """What the firmware of one board says, joined."""
    dt = next((dt_of(source) for source in sources if source.tree is not None), None)
    acpi = next((acpi_firmware(source.tables) for source in sources if source.tables), None)
    snapshots = (source.snapshot for source in sources if source.snapshot is not None)
    return Facts(
        arch=(head and head.text("arch")) or "unknown",
        reserved=tuple(each for snapshot in snapshots for each in snapshot.reserved),
        hypervisor=None if bare_metal else "xen",
        dt=dt,
        acpi=acpi,
        bridges=join_boards(dt, acpi),
    )


def _validated(board: Board, sources: list[Source], against: Platform | None, *, bare_metal: bool) -> Result:
    pastes = pastes_of(sources)
    sources = [source for source in sources if source.paste is None]
    imports = [import_source(source) for source in sources if not source.stands_alone]
    head = imports[0].document.get("platform") if imports else heading_of(sources[0])
    snapshot = sources[0].snapshot
    bare_metal = bare_metal or (snapshot is not None and snapshot.hypervisor is None)
    bare_metal = bare_metal or (bool(pastes) and not any(each.log.xen for each in pastes))
    facts = _facts(sources, head, bare_metal=bare_metal)
    facts = replace(facts, for_xen=against is not None and against.for_xen)
    dt, acpi = facts.dt, facts.acpi
    firmware = "dt" if dt is not None else "acpi" if acpi is not None else None
    found = run_checks(facts, "artifacts")
    differing = None if against is None else _compared(imports, against)
    found += differing or ()
    dma = dma_by_bridge(facts)
    machine = Machine(bridges=tuple(bridge_of(each, dma.get(each.name)) for each in facts.bridges))
    known = False
    if bare_metal:
        machine = replace(machine, xen=None)
    if snapshot is not None:
        simulated = simulate_snapshot(snapshot, imports[0], facts, found)
        found = simulated.findings
        machine = simulated.machine or machine
        known = simulated.machine is not None
        if pastes and simulated.facts is not None and simulated.facts.outcome is not None:
            found += tuple(beside_snapshot(pastes, snapshot, simulated.facts.outcome, found))
    missing: tuple[str, ...] = () if known else ("devices",) if imports else ("host bridges", "devices")
    kernel = DEFAULT if snapshot is None else kernel_of(snapshot.release)
    if pastes and imports and not known:
        joined = join_pastes(pastes, imports, facts, found)
        found, machine, missing = joined.findings, joined.machine or machine, joined.not_known
        known, kernel = joined.machine is not None, joined.kernel
    for source in sources:
        found = tuple(each.moved(source.told) for each in found)
    return Result(
        file=board.items[0].path,
        platform=(head and head.text("name")) or None,
        dom0=kernel if firmware is not None else None,
        firmware=firmware,
        hypervisor=facts.hypervisor,
        verdict=verdict_of(found),
        findings=in_order(found),
        not_known=missing,
        machine=machine,
        memory=()
        if dt is None
        else tuple(Stretch(base=each.base, size=each.size) for each in dt.platform.memory),
        simulated=known,
        sides=Sides(
            files=tuple(path for item in board.items for path in item.files),
            in_both=sum(1 for _ in facts.pairs()),
            maps={each.name: tuple(_maps(each.dt)) for each in facts.bridges if each.dt is not None},
        ),
        against=None if against is None else against.name,
        matches=None if differing is None else not differing,
    )


def dt_of(source: Source) -> DtFirmware:
    """The device tree's facts, as the newest kernel reads them."""
    assert source.tree is not None
    return dt_firmware(source.tree, profile(DEFAULT).map_cells)


def _compared(imports: list[Imported], against: Platform) -> tuple[Finding, ...]:
    """The differences of each source from the description; what that refuses to compile instead."""
    found: list[Finding] = []
    for each in imports:
        side = board_side(each)
        try:
            described = compiled_side(against, side.platform.firmware[0])
        except CannotCompile as refusal:
            return refusal.findings
        found += differences(side, described)
    return tuple(found)


def bridge_of(joined: Joined, dma: Dma | None = None) -> BridgeResult:
    """A bridge by the device tree where that has it, else by ACPI."""
    dt, acpi = joined.dt, joined.acpi
    seg = None if acpi is None else acpi.segment
    domain = None if dt is None else dt.domain
    mcfg = joined.mcfg[0] if joined.mcfg else None
    return BridgeResult(
        name=joined.name,
        enabled=joined.is_on,
        segment=domain if domain is not None else seg,
        bus_range=None if joined.buses is None else (joined.buses.first, joined.buses.last),
        ecam=_ecam(joined),
        windows=tuple(_windows(joined)),
        numbers=Numbers(dt=domain, mcfg=None if mcfg is None else mcfg.segment, seg=seg),
        in_mcfg=mcfg is not None,
        registered=False,
        dma=dma,
    )


def _maps(bridge: DtHostBridge) -> Iterator[tuple[str, int | None]]:
    for found in (bridge.iommu_map, bridge.msi_map, bridge.interrupt_map):
        if found is not None:
            yield found.place.property or "interrupt-map", len(found.entries)
    if bridge.has_msi_parent:
        yield "msi-parent", None
    if bridge.iommus:
        yield "iommus", None


def _ecam(joined: Joined) -> Ecam | None:
    """ECAM of the device tree's controller, else of MCFG (the part that the entry covers)."""
    dt = joined.dt
    if dt is not None and dt.controller is not None and dt.controller.layout in ("ecam", "quirk"):
        reg = dt.config_reg
        return None if reg is None or reg.cpu is None else Ecam(base=reg.cpu, size=reg.size)
    if dt is None and joined.mcfg:
        first, last = joined.mcfg[0], joined.mcfg[0].end_bus
        for entry in joined.mcfg[1:]:
            # x86: one entry goes on where another ends.
            if entry.base == first.base and entry.start_bus == last + 1:
                last = entry.end_bus
        size = (last - first.start_bus + 1) << 20
        return Ecam(base=first.base + (first.start_bus << 20), size=size)
    return None


def _windows(joined: Joined) -> Iterator[WindowResult]:
    if joined.dt is not None:
        yield from (_dt_window(window) for window in _true_windows(joined.dt))
        return
    for item in () if joined.acpi is None else joined.acpi.windows:
        yield WindowResult(
            space="io" if item.type == "io" else "mem64" if item.maximum >> 32 else "mem32",
            prefetchable=item.prefetchable,
            pci=item.minimum,
            cpu=item.cpu_minimum,
            size=item.span,
        )


def _true_windows(bridge: DtHostBridge) -> list[DtWindow]:
    return [window for window in bridge.windows if window.space != "config" and window.size]


def _dt_window(window: DtWindow) -> WindowResult:
    return WindowResult(
        space=window.space,
        prefetchable=window.prefetchable,
        pci=window.pci,
        cpu=window.cpu,
        size=window.size,
    )
