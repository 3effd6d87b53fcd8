"""A simulation and a boot side by side: one line for each thing that can agree or not.

Functions that a kernel gave no group are counted apart and never as agreement. Functions that QEMU adds by
itself are named as QEMU's own where the description leaves them out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from rootplex.jobs.qemu.seen import Seen, SeenBridge, SeenFunction

State = Literal["agreed", "differs", "qemu", "apart", "not shown"]
What = Literal[
    "host bridge", "windows", "function", "bus numbers", "BARs", "ACS", "group", "no group", "disk",
    "Xen", "area", "report", "owner",
]  # fmt: skip


class Line(Struct, frozen=True):
    """One thing: what it is, whose, and what each side says of it (None: it does not know it). What the
    machine that booted cannot show has the `reason`."""

    what: What
    subject: str
    simulated: str | None
    booted: str | None
    state: State
    reason: str | None = None


class Figures(Struct, frozen=True):
    """How much was compared. `groups` are those of the boot, `large_groups` with two members or more;
    `differences` lines that differ; `without_group` functions that neither side gave a group; `not_shown`
    lines of what the machine that booted cannot have or show."""

    bridges: int
    functions: int
    groups: int
    large_groups: int
    without_group: int
    differences: int
    not_shown: int = 0


class Comparison(Struct, frozen=True):
    """All lines, in the order host bridges, functions, groups, disks."""

    lines: tuple[Line, ...]
    figures: Figures

    @property
    def agreed(self) -> bool:
        return self.figures.differences == 0


FORGETS_NOT = "it answers while buses are numbered, and no longer: in memory it does all the time"


def compare(
    simulated: Seen,
    booted: Seen,
    own: Mapping[str, str],
    *,
    real_bars: bool,
    disks: Mapping[str, bytes] | None = None,
    read: Mapping[str, bytes] | None = None,
    described: Collection[frozenset[str]] = (),
    because: str = "",
) -> Comparison:
    """`own`: SBDF of functions that QEMU adds by itself, and their ids. `real_bars`: the machine's BARs
    can be sized. `disks`: the marker at the start of each disk by SBDF; `read`: what the kernel read.
    `described`: the groups of the machine as it is described; `because`: why another one booted."""
    added = {
        sbdf
        for sbdf, function in booted.functions.items()
        if sbdf not in simulated.functions and own.get(sbdf) == function.id
    }
    lines = [*_bridges(simulated.bridges, booted.bridges)]
    lines += _functions(simulated.functions, booted.functions, added, real_bars=real_bars)
    here = frozenset(group - added for group in booted.groups) - {frozenset()}
    certain = frozenset(group - simulated.undetermined for group in here) - {frozenset()}
    lines += _groups(simulated, certain, booted.without_group - added)
    lines += _disks(disks or {}, read or {})
    hidden = [group for group in sorted(described, key=sorted) if group not in simulated.groups]
    lines += [Line("group", min(group), _members(group), None, "not shown", because) for group in hidden]
    figures = Figures(
        bridges=len(booted.bridges),
        functions=len(booted.functions),
        groups=len(here),
        large_groups=sum(len(group) > 1 for group in here),
        without_group=len(booted.without_group & simulated.without_group),
        differences=sum(line.state == "differs" for line in lines),
        not_shown=sum(line.state == "not shown" for line in lines),
    )
    return Comparison(tuple(lines), figures)


def line(what: What, subject: str, simulated: str | None, booted: str | None) -> Line:
    """Two sides of one thing, held against each other."""
    return Line(what, subject, simulated, booted, "agreed" if simulated == booted else "differs")


def _bridges(simulated: Mapping[str, SeenBridge], booted: Mapping[str, SeenBridge]) -> Iterator[Line]:
    for name in sorted({*simulated, *booted}):
        one, other = simulated.get(name), booted.get(name)
        # A log that lost the line says nothing against the simulation.
        told = one if other is not None and other.buses is None else other
        yield line("host bridge", name, _buses(one), _buses(told))
        if one is not None and other is not None and other.buses is not None:
            yield line("windows", name, _listed(one.windows), _listed(other.windows))


def _buses(bridge: SeenBridge | None) -> str | None:
    if bridge is None:
        return None
    return "there" if bridge.buses is None else f"buses {bridge.buses[0]:02x}-{bridge.buses[1]:02x}"


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items)) or "none"


def _functions(
    simulated: Mapping[str, SeenFunction],
    booted: Mapping[str, SeenFunction],
    added: set[str],
    *,
    real_bars: bool,
) -> Iterator[Line]:
    for sbdf in sorted({*simulated, *booted}):
        one, other = simulated.get(sbdf), booted.get(sbdf)
        if sbdf in added:
            yield Line("function", sbdf, None, _function(other), "qemu")
            continue
        yield line("function", sbdf, _function(one), _function(other))
        if one is None or other is None:
            continue
        if one.buses is not None or other.buses is not None:
            yield line("bus numbers", sbdf, _numbers(one), _numbers(other))
        if one.gone and not real_bars:
            yield Line("ACS", sbdf, _bits(one), _bits(other), "not shown", FORGETS_NOT)
        elif one.acs is not None or other.acs is not None:
            yield line("ACS", sbdf, _bits(one), _bits(other))
        if real_bars and (one.bars or other.bars):
            yield line("BARs", sbdf, _listed(one.bars), _listed(other.bars))


def _function(function: SeenFunction | None) -> str | None:
    if function is None:
        return None
    where = "on the root bus" if function.parent is None else f"below {function.parent}"
    return f"{function.id} class {function.class_code:06x} {where}"


def _numbers(function: SeenFunction) -> str:
    return "none" if function.buses is None else f"{function.buses[0]:02x}-{function.buses[1]:02x}"


def _bits(function: SeenFunction) -> str:
    """ACS registers. Bits of the control register that are not offered count for nothing: in memory they
    stay."""
    if function.acs is None:
        return "none"
    capability, control = function.acs
    return f"capability {capability:#04x}, control {control & capability:#04x}"


def _groups(simulated: Seen, booted: frozenset[frozenset[str]], without: frozenset[str]) -> Iterator[Line]:
    """Groups that are the same; then, for every function in others, the group on each side."""
    for group in sorted(simulated.groups & booted, key=sorted):
        text = " ".join(sorted(group))
        yield Line("group", min(group), text, text, "agreed")
    ours, theirs = _by_member(simulated.groups - booted), _by_member(booted - simulated.groups)
    told = set()
    for sbdf in sorted({*ours, *theirs}):
        pair = (ours.get(sbdf), theirs.get(sbdf))
        if pair not in told:
            told.add(pair)
            yield Line("group", sbdf, _members(pair[0]), _members(pair[1]), "differs")
    for sbdf in sorted(without & simulated.without_group | simulated.undetermined):
        yield Line("no group", sbdf, None, None, "apart")


def _by_member(groups: Iterable[frozenset[str]]) -> dict[str, frozenset[str]]:
    return {sbdf: group for group in groups for sbdf in group}


def _members(group: frozenset[str] | None) -> str | None:
    return None if group is None else " ".join(sorted(group))


def _disks(disks: Mapping[str, bytes], read: Mapping[str, bytes]) -> Iterator[Line]:
    for sbdf, marker in sorted(disks.items()):
        found = read.get(sbdf, b"")
        yield line("disk", sbdf, _text(marker), _text(found) or "nothing was read")


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("ascii", "replace")
