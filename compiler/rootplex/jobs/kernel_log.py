"""What a kernel's log says of host bridge windows and of resources without a place, joined to the firmware's
line that is to blame: an entry of `ranges`, a descriptor of `_CRS`.

Source: Linux drivers/pci/probe.c (`pci_register_host_bridge`: windows that touch are one since 5.16),
setup-bus.c and setup-res.c.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from rootplex.capture.facts import KernelWindow
from rootplex.capture.pasted.facts import Failure, PastedRoot, called
from rootplex.frontends.document import size
from rootplex.frontends.pasted.machine import PastedMachine, root_bus
from rootplex.simulator.linux.rootbridge import HostWindow, RootBridge
from rootplex.source.finding import Finding, Level
from rootplex.source.place import DtPlace, Place
from rootplex.source.rules import KERNEL_COMPLAINS, KERNEL_WINDOW_DIFFERS, RESOURCE_WITHOUT_PLACE

_SHOWN = 6
_ROM, _FOUR_GIB = 6, 1 << 32


class Stretch(Struct, frozen=True):
    """Windows that touch, as the kernel takes them together: the processor's addresses (I/O: the kernel's
    ports), and what the PCI address is less. `at` are the places of all of them."""

    space: str
    prefetchable: bool
    start: int
    end: int
    offset: int
    at: tuple[Place, ...]

    def __str__(self) -> str:
        pref = " pref" if self.prefetchable and self.space == "mem" else ""
        return f"[{self.space} {self.start:#x}-{self.end:#x}{pref}]"


def log_findings(
    machine: PastedMachine, roots: Sequence[RootBridge], found: Sequence[Finding] = ()
) -> Iterator[Finding]:
    """The findings of a log; `roots` are the host bridges that a simulated kernel makes of the firmware, none
    where there is no firmware; `found` is what the firmware has shown by itself."""
    told = [root for root in machine.told_roots if root.by == "log" and root.windows]
    for root in told:
        bridge = root_for(root, roots)
        if bridge is not None and bridge.is_up:
            yield from _windows(root, bridge)
    yield from _failures(machine, roots)
    yield from _complaints(machine, roots, {_part_of(each.at) for each in found})


_PARTS = {"bus_range": "bus range", "config": "configuration space", "windows": "windows"}


def _complaints(
    machine: PastedMachine, roots: Sequence[RootBridge], told: Collection[object]
) -> Iterator[Finding]:
    """What the kernel says of firmware, at the firmware's line; not where that has a finding, which tells
    more."""
    seen = set()
    for each in machine.log.complaints:
        bridge = next((one for one in roots if each.node is not None and one.path == each.node), None)
        if bridge is None and each.root is not None:
            bridge = next((one for one in roots if (one.segment or 0, one.first_bus) == each.root), None)
        at: Place = each.place
        name = each.node or each.device
        if bridge is not None:
            at, name = bridge.places.get(each.part) or bridge.places["node"], bridge.path
        if (name, each.part) in seen or (bridge is not None and _part_of(at) in told):
            continue
        seen.add((name, each.part))
        yield KERNEL_COMPLAINS.finding(
            at,
            f"the kernel complains of the {_PARTS[each.part]} of '{name}': {each.text}",
            related=() if bridge is None else ((each.place, "the kernel says so here"),),
            help="mend the firmware there"
            if bridge is not None
            else "give the board's device tree or ACPI tables, too: then the line that is to blame is shown",
            subject=name,
            level=Level.WARNING if each.bad else Level.NOTE,
        )


def _part_of(at: Place) -> object:
    """A place without the cell: what a property or an entry says is one thing."""
    return (at.file, at.node, at.property) if isinstance(at, DtPlace) else at


def root_for(told: PastedRoot, roots: Sequence[RootBridge]) -> RootBridge | None:
    """The simulated bridge that is the kernel's: by its node, else by segment and first bus."""
    for bridge in roots:
        if told.node is not None and bridge.path == told.node:
            return bridge
    for bridge in roots:
        if (bridge.segment or 0, bridge.first_bus) == (told.segment, told.bus):
            return bridge
    return None


def _windows(told: PastedRoot, bridge: RootBridge) -> Iterator[Finding]:
    """Windows that only one of the two has; those that overlap are one that is told otherwise."""
    kernels = _joined(_of_kernel(window, at) for window, at in told.windows)
    firmwares = _joined(map(_of_firmware, bridge.windows))
    same = {_key(each) for each in kernels} & {_key(each) for each in firmwares}
    left = [each for each in kernels if _key(each) not in same]
    name = f"{told.segment:04x}:{told.bus:02x}"
    for ours in firmwares:
        if _key(ours) in same:
            continue
        theirs = [each for each in left if each.space == ours.space and _overlap(each, ours)]
        left = [each for each in left if each not in theirs]
        seen = " and ".join(map(str, theirs)) or "no window there"
        yield KERNEL_WINDOW_DIFFERS.finding(
            ours.at[0],
            f"the kernel's host bridge {name} has {seen}, by the firmware it is {ours}",
            related=tuple((each.at[0], "the kernel says so here") for each in theirs)
            or ((told.place, "the kernel's log of this bridge"),),
            notes=() if len(ours.at) == 1 else (f"it is {len(ours.at)} windows that touch",),
            help="the log and the firmware must be of one board and one boot; then look in the log for why "
            "the kernel left the window out or cut it",
            subject=bridge.path,
        )
    for each in left:
        yield KERNEL_WINDOW_DIFFERS.finding(
            bridge.places.get("windows") or bridge.places["node"],
            f"the kernel's host bridge {name} has {each}, which the firmware does not give it",
            related=((each.at[0], "the kernel says so here"),),
            help="the log and the firmware must be of one board and one boot",
            subject=bridge.path,
        )


def _of_kernel(window: KernelWindow, at: Place) -> Stretch:
    offset = window.start - window.pci
    return Stretch(window.space, window.prefetchable, window.start, window.end, offset, (at,))


def _of_firmware(window: HostWindow) -> Stretch:
    start = window.port if window.space == "io" else window.cpu
    end = start + window.size - 1
    return Stretch(window.space, window.prefetchable, start, end, start - window.pci, (window.at,))


def _joined(windows: Iterable[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for each in sorted(windows, key=lambda one: (one.space, one.prefetchable, one.start)):
        last = found[-1] if found else None
        if last is not None and _kind(last) == _kind(each) and last.end + 1 == each.start:
            found[-1] = Stretch(
                last.space, last.prefetchable, last.start, each.end, last.offset, last.at + each.at
            )
        else:
            found.append(each)
    return found


def _kind(each: Stretch) -> tuple[object, ...]:
    return each.space, each.prefetchable and each.space == "mem", each.offset


def _key(each: Stretch) -> tuple[object, ...]:
    return (*_kind(each), each.start, each.end)


def _overlap(one: Stretch, other: Stretch) -> bool:
    return one.start <= other.end and other.start <= one.end


# -- resources that got no place -------------------------------------------------------------------------


class _Blamed(Struct, frozen=True):
    """A host bridge and the kind of window that was too small for something."""

    root: RootBridge | None
    kind: str


def _failures(machine: PastedMachine, roots: Sequence[RootBridge]) -> Iterator[Finding]:
    """One finding for each host bridge and kind of window: what is below a bridge fails with its window."""
    found: dict[tuple[object, ...], list[Failure]] = {}
    blamed: dict[tuple[object, ...], _Blamed] = {}
    for each in map(partial(_as_window, machine), machine.log.failures):
        segment, bus = root_bus(machine, each.where)
        root = next(
            (one for one in roots if (one.segment or 0, one.first_bus) == (segment, bus)),
            None,
        )
        kind = _wanted(each)
        key: tuple[object, ...] = (segment, bus, kind)
        found.setdefault(key, []).append(each)
        blamed[key] = _Blamed(root, kind)
    for key, failures in found.items():
        yield _failure(machine, blamed[key], failures)


def _as_window(machine: PastedMachine, each: Failure) -> Failure:
    """Kernels without SR-IOV number the windows of bridges 7 to 9."""
    function = machine.functions.get(each.where)
    is_window = each.index is not None and each.index > _ROM and function is not None and function.bridge
    return replace(each, window=True) if is_window else each


def _wanted(each: Failure) -> str:
    """The kind of window that it must lie in: `io`, `mem` (32 bits), `pref` (64 bits, prefetchable)."""
    if each.space == "io":
        return "io"
    return "pref" if each.prefetchable and each.wide else "mem"


def _failure(machine: PastedMachine, blamed: _Blamed, failures: Sequence[Failure]) -> Finding:
    functions = [each for each in failures if not each.window]
    first = max(functions or failures, key=lambda each: ((each.index or 0) < _ROM, each.size))
    windows = _windows_for(blamed)
    largest = max(windows, key=lambda each: each.size, default=None)
    what = f"{called(first.where)} gets no place for {_what(first)}"
    notes = [each.text for each in failures if each is not first][:_SHOWN]
    if len(failures) - 1 > _SHOWN:
        notes.append(f"and {len(failures) - 1 - _SHOWN} more lines of the kind")
    level = _level(functions, first)
    if not functions:
        notes.append("nothing below failed for want of it: it is room for what may be plugged in")
    help = None
    at: Place = first.place
    related: tuple[tuple[Place, str], ...] = ()
    if blamed.root is not None:
        related = ((first.place, "the kernel says so here"),)
        if largest is None:
            at = blamed.root.places.get("windows") or blamed.root.places["node"]
            what += f", for which '{blamed.root.path}' has no window"
            help = f"give the host bridge {_A_WINDOW[blamed.kind]}"
        elif first.size > largest.size or _together(failures) > sum(each.size for each in windows):
            at = largest.at
            what += f": the window of '{blamed.root.path}' for it has {_told(largest.size)}"
            help = "make this window larger, or leave less below the bridge"
        else:
            related = ((largest.at, f"this window would hold it, with {_told(largest.size)}"),)
            notes.append(
                "the host bridge's window is large enough: the window of a bridge above the function, as "
                "firmware left it, is not, or others are in the way"
            )
            help = "start the kernel with `pci=realloc`, or have firmware open a larger window there"
    elif functions:
        help = "give the board's device tree or ACPI tables, too: then the window that is too small is shown"
    return RESOURCE_WITHOUT_PLACE.finding(
        at,
        what,
        related=related,
        notes=tuple(notes),
        help=help,
        subject=called(first.where),
        level=level,
    )


_A_WINDOW = {
    "io": "an I/O window",
    "mem": "a memory window below 4 GiB that is not prefetchable",
    "pref": "a prefetchable memory window, or a larger one",
}


def _windows_for(blamed: _Blamed) -> list[HostWindow]:
    if blamed.root is None:
        return []
    windows = blamed.root.windows
    if blamed.kind == "io":
        return [each for each in windows if each.space == "io"]
    memory = [each for each in windows if each.space == "mem"]
    if blamed.kind == "pref":
        return [each for each in memory if each.prefetchable] or memory
    return [each for each in memory if each.pci < _FOUR_GIB and not each.prefetchable]


def _together(failures: Sequence[Failure]) -> int:
    """Bytes of what failed at its function, once each: a bridge's window holds what is below it."""
    sizes = {(each.where, each.index): each.size for each in failures if not each.window}
    return sum(sizes.values())


def _level(functions: Sequence[Failure], first: Failure) -> Level:
    """A BAR without memory: an error; without ports, or a VF's: devices do without as a rule; a ROM, or a
    window below which nothing failed (spare room for hot plug): to be known."""
    if any(each.space == "mem" and each.index is not None and each.index < _ROM for each in functions):
        return Level.ERROR
    return Level.WARNING if functions and first.index != _ROM else Level.NOTE


def _what(each: Failure) -> str:
    name = "its window" if each.window else "its ROM" if each.index == _ROM else f"BAR {each.index}"
    if each.index is not None and _ROM < each.index < 13:
        name = f"VF BAR {each.index - 7}"
    kind = "I/O" if each.space == "io" else "prefetchable memory" if each.prefetchable else "memory"
    of = f"{_told(each.size)} of {kind}" if each.size else kind
    return f"{name} ({of}{', 64 bits' if each.wide else ''})"


def _told(count: int) -> str:
    """Bytes: `256MiB`, or in hexadecimal where no unit divides them."""
    text = size(count)
    return text if isinstance(text, str) else f"{int(text):#x} bytes"
