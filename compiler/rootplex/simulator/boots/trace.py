"""Every configuration access, trap, forward and hypercall of a boot, one numbered line each.

What a processor does to an address is told as what it does to a function's register, once: a trap or a
forward and the access that it ends in are one line, and so are an index and the data behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from rootplex.formats.pci import CAM_BUS, ECAM_BUS, sbdf_text
from rootplex.formats.registers import Names
from rootplex.simulator.hardware import Hardware
from rootplex.simulator.hardware.bridges import DATA, INDEX
from rootplex.simulator.hardware.machine import CONFIG_ADDRESS
from rootplex.simulator.linux.rootbridge import RootBridge
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.traps import Target

MAX_EVENTS = 4_000_000


class Event(Struct, frozen=True):
    """Something that happened, as the hardware or Xen told it; a hypercall has its `text`."""

    kind: str
    address: int
    size: int
    value: int
    text: str | None = None

    @property
    def is_read(self) -> bool:
        return self.kind.endswith("read")


class Trace:
    """Collects what the hardware and Xen do, in the order in which it happens."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.xen: Xen | None = None

    def listen(self, hardware: Hardware, xen: Xen | None) -> None:
        """Hear what both do from now on."""
        self.xen = xen
        hardware.tracer = self._hear
        if xen is not None:
            xen.tracer = self._hear

    def _hear(self, kind: str, address: int, size: int, value: int) -> None:
        if len(self.events) >= MAX_EVENTS:
            return
        text = None
        if kind == "hypercall" and self.xen is not None:
            call = self.xen.calls[address]
            words = (
                f"{name} {arg:#x}" if isinstance(arg, int) else f"{name} {arg}"
                for name, arg in call.args.items()
            )
            text = f"{call.op} {', '.join(words)} = {call.result}"
        self.events.append(Event(kind, address, size, value, text))

    def lines(self, roots: Sequence[RootBridge]) -> Iterator[str]:
        """The lines, decoded by where Dom0's root bridges have their configuration space."""
        names: dict[str, Names] = {}
        accesses = _merged(list(_decoded(self.events, _Spaces(roots))))
        for number, (event, target, how) in enumerate(accesses, 1):
            if event.text is not None:
                yield f"{number:>6} hypercall {event.text}"
                continue
            did = "read" if event.is_read else "write"
            value = f"{event.value:#0{2 + event.size * 2}x}"
            if target is None:
                yield f"{number:>6} {did:<5} {how:<9} {event.address:#014x} {event.size} {value}"
                continue
            sbdf = sbdf_text(target.segment, target.bus, target.devfn)
            known = names.setdefault(sbdf, Names())
            if event.is_read:
                known.read(target.register, event.size, event.value)
            name = known.of(target.register, event.size)
            line = f"{number:>6} {did:<5} {how:<9} {sbdf} {target.register:03x} {event.size} {value}"
            yield f"{line:<57}{name}".rstrip()


class _Spaces:
    """Where configuration space is: mapped, or behind an index that is written first (x86's ports, a
    window)."""

    def __init__(self, roots: Iterable[RootBridge]) -> None:
        self._mapped = []
        self._index = {CONFIG_ADDRESS: 0}
        self._segments = {CONFIG_ADDRESS: 0}
        for root in roots:
            config = root.config
            if config is None or root.segment is None:
                continue
            if config.kind == "windowed":
                self._segments[config.base + INDEX] = root.segment
            elif config.kind in ("ecam", "cam"):
                bus_size = ECAM_BUS if config.kind == "ecam" else CAM_BUS
                self._mapped.append((config.base, config.size, root.first_bus, bus_size, root.segment))

    def moves(self, event: Event) -> bool:
        """Whether an event only writes an index."""
        if event.is_read or event.address not in self._segments or event.size != 4:
            return False
        self._index[event.address] = event.value
        return True

    def target(self, event: Event) -> Target | None:
        """The register that an event is at."""
        at = event.address
        if event.kind.startswith("forward"):
            return Target(at >> 28, at >> 20 & 0xFF, at >> 12 & 0xFF, at & 0xFFF)
        index = (at & ~3) - DATA
        if index in self._index and index in self._segments:
            value, lane = self._index[index], at & 3
            if index == CONFIG_ADDRESS:
                return Target(0, value >> 16 & 0xFF, value >> 8 & 0xFF, value & 0xFC | lane)
            segment = self._segments[index]
            return Target(segment, value >> 20 & 0xFF, value >> 12 & 0xFF, value & 0xFFC | lane)
        for base, size, first, bus_size, segment in self._mapped:
            if base <= at < base + size:
                bus, rest = divmod(at - base, bus_size)
                devfn, register = divmod(rest, bus_size >> 8)
                return Target(segment, first + bus, devfn, register)
        return None


def _decoded(events: Sequence[Event], spaces: _Spaces) -> Iterator[tuple[Event, Target | None]]:
    """Each event with its register; writes of an index stand in the access that they are for."""
    for event in events:
        if event.text is not None:
            yield event, None
        elif not spaces.moves(event):
            yield event, spaces.target(event)


def _merged(
    accesses: Sequence[tuple[Event, Target | None]],
) -> Iterator[tuple[Event, Target | None, str]]:
    """Each access with how it went: a trap or forward and its access, one after the other, as one."""
    i = 0
    while i < len(accesses):
        event, target = accesses[i]
        how = _how(event)
        if i + 1 < len(accesses) and (both := _one_access(accesses[i], accesses[i + 1])):
            how = both
            i += 1
        yield event, target, how
        i += 1


def _how(event: Event) -> str:
    word = event.kind.partition("-")[0]
    return {"trap": "trapped", "forward": "forwarded"}.get(word, "")


def _one_access(one: tuple[Event, Target | None], other: tuple[Event, Target | None]) -> str:
    """How, where two are one access; else nothing."""
    (first, first_target), (second, second_target) = one, other
    how = {_how(first), _how(second)} - {""}
    if len(how) != 1 or _how(first) == _how(second) or first.is_read != second.is_read:
        return ""
    same_value = (first.size, first.value) == (second.size, second.value)
    same_place = first.address == second.address or (
        first_target is not None and first_target == second_target
    )
    return how.pop() if same_value and same_place else ""
