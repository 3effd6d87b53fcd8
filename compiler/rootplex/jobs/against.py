"""A board's host bridges against those that a description compiles to (`validate --against`).

Both sides come the same way: the description is compiled and its bytes are imported as the board's are; so
a default is never taken for a difference. Findings point at the board's bytes and at the description's line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from rootplex.backends.acpi.idmap import TooManyRuns, runs
from rootplex.backends.artifact import Compiled
from rootplex.backends.compilation import compile_platform
from rootplex.formats.pci import ECAM_BUS
from rootplex.frontends.acpi import import_acpi, source_of
from rootplex.frontends.description.reading import description_of
from rootplex.frontends.devicetree import import_tree
from rootplex.frontends.document import Imported
from rootplex.jobs.joining import Traits, matched
from rootplex.jobs.readback import artifacts_of
from rootplex.model.bridge import Firmware, HostBridge, IommuMap, MsiMap
from rootplex.model.controllers import Controller
from rootplex.model.platform import Platform
from rootplex.readers.acpi.header import read_table
from rootplex.readers.buses import Buses
from rootplex.readers.dtb import read_dtb
from rootplex.source.finding import Finding, unreadable
from rootplex.source.place import FilePlace, Place
from rootplex.source.rules import DESCRIPTION_DIFFERS


class Side(Struct, frozen=True):
    """One side: its platform in the model's terms, and where its places are shown."""

    platform: Platform
    names: tuple[str, ...]
    shown: Callable[[Place], Place]


def board_side(imported: Imported) -> Side:
    """The board: its own places, its own paths for names."""
    platform = description_of(imported.document, imported.file).platform
    assert platform is not None
    return Side(platform, imported.bridges, lambda place: place)


def compiled_side(platform: Platform, firmware: Firmware) -> Side:
    """The description, compiled for one firmware and read back. CannotCompile; Unreadable where it has
    not this firmware."""
    if firmware not in platform.firmware:
        words = {"dt": "a device tree", "acpi": "ACPI"}
        raise unreadable(platform.file, f"the description is not compiled for {words[firmware]}")
    compiled = compile_platform(platform, simulated_only=True)
    imported = _read_back(compiled, firmware)
    names = {each.node if firmware == "dt" else each.path: each.name for each in compiled.bridges}

    def shown(place: Place) -> Place:
        return compiled.places.source(place) or FilePlace(platform.file)

    read = description_of(imported.document, platform.file).platform
    assert read is not None
    return Side(read, tuple(names.get(path) or path for path in imported.bridges), shown)


def _read_back(compiled: Compiled, firmware: Firmware) -> Imported:
    artifacts = artifacts_of(compiled)
    if firmware == "dt":
        assert artifacts.dtb is not None
        return import_tree(read_dtb(artifacts.dtb.data, artifacts.dtb.file))
    tables = [read_table(blob.data, blob.file) for blob in artifacts.tables]
    return import_acpi(source_of(tables, compiled.name))


def differences(board: Side, described: Side) -> Iterator[Finding]:
    """Each difference once, at the board's place, with the description's beside it."""
    left, right = board.platform.host_bridges, described.platform.host_bridges
    pairs = matched([_traits(each) for each in left], [_traits(each) for each in right])
    for i, bridge in enumerate(left):
        if i in pairs:
            yield from _bridge(board, bridge, described, right[pairs[i]], described.names[pairs[i]])
        elif bridge.enabled:
            yield DESCRIPTION_DIFFERS.finding(
                bridge.at(),
                f"the board has the host bridge {board.names[i]}, the description has not",
                help="describe it, or take it out of the board's firmware",
                subject=board.names[i],
            )
    for j, bridge in enumerate(right):
        if j not in pairs.values() and bridge.enabled:
            yield DESCRIPTION_DIFFERS.finding(
                described.shown(bridge.at()),
                f"the description has the host bridge {described.names[j]}, the board has not",
                help="take it out of the description, or look why the board lacks it",
                subject=described.names[j],
            )


def _traits(bridge: HostBridge) -> Traits:
    first = bridge.bus_range.first
    base = bridge.config.base
    return Traits(
        config=frozenset({base, base - first * ECAM_BUS}) if bridge.config.wrote("base") else frozenset(),
        buses=Buses(first, bridge.bus_range.last),
        windows=frozenset((window.cpu, window.size) for window in bridge.windows),
        segment=bridge.segment,
        enabled=bridge.enabled,
    )


def _bridge(
    board: Side, mine: HostBridge, described: Side, theirs: HostBridge, name: str
) -> Iterator[Finding]:
    words: tuple[tuple[str, str, object, object], ...] = (
        ("segment", "segment", mine.segment, theirs.segment),
        ("bus_range", "buses", str(mine.bus_range), str(theirs.bus_range)),
        ("config.kind", "kind of configuration space", mine.config.kind, theirs.config.kind),
        ("config.base", "configuration space", hex(mine.config.base), hex(theirs.config.base)),
        ("enabled", "enabled", mine.enabled, theirs.enabled),
    )
    for path, what, own, other in words:
        if own != other:
            yield _differs(
                mine.at(path), described.shown(theirs.at(path)), name, what, _said(own), _said(other)
            )
    yield from _windows(mine, described, theirs, name)
    for key, what in (("msi", "DeviceIDs"), ("iommu", "StreamIDs")):
        own_ids, other_ids = _ids(board.platform, mine, key), _ids(described.platform, theirs, key)
        if own_ids != other_ids:
            one = next((pair for pair in own_ids if pair not in other_ids), None)
            two = next((pair for pair in other_ids if pair not in own_ids), None)
            yield _differs(
                mine.at(key), described.shown(theirs.at(key)), name, what, _run_said(one), _run_said(two)
            )


def _said(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _differs(at: Place, other_at: Place, name: str, what: str, own: str, other: str) -> Finding:
    return DESCRIPTION_DIFFERS.finding(
        at,
        f"{what} of {name}: {own} on the board, {other} in the description",
        related=[(other_at, f"described as {other}")],
        help="correct the one that is wrong",
        subject=name,
    )


def _windows(mine: HostBridge, described: Side, theirs: HostBridge, name: str) -> Iterator[Finding]:
    def key(window: object) -> tuple[object, ...]:
        return tuple(getattr(window, part) for part in ("space", "pci", "cpu", "size", "prefetchable"))

    own, other = {key(each): each for each in mine.windows}, {key(each): each for each in theirs.windows}
    for parts, window in own.items():
        if parts not in other:
            yield DESCRIPTION_DIFFERS.finding(
                window.at(),
                f"the description has no window of {name} {_window(parts)}",
                related=[(described.shown(theirs.at("windows")), "its windows")],
                help="correct the one that is wrong",
                subject=name,
            )
    for parts, window in other.items():
        if parts not in own:
            yield DESCRIPTION_DIFFERS.finding(
                described.shown(window.at()),
                f"the board has no window of {name} {_window(parts)}",
                related=[(mine.at("windows"), "its windows")],
                help="correct the one that is wrong",
                subject=name,
            )


def _window(parts: tuple[object, ...]) -> str:
    space, pci, cpu, size, prefetchable = parts
    word = " prefetchable" if prefetchable else ""
    return f"at pci {pci:#x}, cpu {cpu:#x}, {size:#x} bytes of {space}{word}"


Run = tuple[int, int, int, bool, int | None]


def _ids(platform: Platform, bridge: HostBridge, key: str) -> tuple[Run, ...]:
    """The map as disjoint runs: first RID, count, id, whether constant, the controller's address."""
    found: MsiMap | IommuMap | None = getattr(bridge, key)
    if found is None:
        return ()
    try:
        pieces = runs(found.entries, found.mask, bridge.bus_range)
    except TooManyRuns:
        return ()
    return tuple(
        (run.first, run.count, run.id, run.constant, _base(platform.controller(run.target))) for run in pieces
    )


def _base(controller: Controller | None) -> int | None:
    return getattr(controller, "base", None)


def _run_said(run: Run | None) -> str:
    if run is None:
        return "no more"
    first, count, id, constant, base = run
    at = "" if base is None else f" at {base:#x}"
    return f"{count:#x} ids from {first:#x} to {id:#x}{' all' if constant and count > 1 else ''}{at}"
