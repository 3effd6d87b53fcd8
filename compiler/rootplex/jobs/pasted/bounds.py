"""How much of the groups the texts settle: those that come out at least, and at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rootplex.capture.pasted.facts import PastedGroup, Where, called
from rootplex.frontends.pasted.devices import WHY
from rootplex.frontends.pasted.machine import PastedMachine
from rootplex.jobs.result import Named, Together
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.groups.grouping import Group

_LAST_BUS = 0xFF
SHOWN = 6
"""Names of a list."""
_TRUSTED = {"log": 0, "records": 1, "verbose": 1, "groups": 2, "managed": 2}


def _sets(groups: Iterable[Group]) -> dict[str, frozenset[str]]:
    found = {}
    for group in groups:
        members = frozenset(each.sbdf for each in group.members)
        found.update(dict.fromkeys(members, members))
    return found


class Bounds:
    """The groups at least and at most: where everything that is not shown isolates, and where nothing
    does."""

    def __init__(self, machine: PastedMachine, worst: Outcome, best: Outcome) -> None:
        self._machine = machine
        self.most = _sets(worst.linux.groups)
        self.least = _sets(best.linux.groups)
        self._open = self._opened()
        self._told = {called(where): each for where, each in told_groups(machine).items()}
        self._kernels_groups = by_number(self._told, sorted(self._told))
        self._found = {each.sbdf for each in worst.dom0.functions}

    def known(self, sbdf: str) -> bool:
        """Whether a function's group is certain."""
        group = self.most.get(sbdf, frozenset({sbdf}))
        return self.most.get(sbdf) == self.least.get(sbdf) and not group & self._open.keys()

    def _opened(self) -> dict[str, str]:
        """Functions whose group may have members that are not described, with why."""
        machine = self._machine
        why = "no text tells which buses are below it"
        found = {called(where): why for where in machine.open_bridges}
        cut = {where[0]: where[1] for where, each in machine.functions.items() if each.shown == "cut"}
        for each in machine.functions.values():
            segment, (bus, _) = each.where[0], each.buses or (0, None)
            if bus > cut.get(segment, _LAST_BUS) and not machine.on(segment, bus):
                found[each.name] = f"the text ends before bus {bus:02x}, which is below it"
        for where in machine.unplaced:
            above = machine.bridges.get(where[:2])
            for each in machine.on(*where[:2]):
                same = each.where[2] >> 3 == where[2] >> 3
                if same or (above is not None and called(above) in self.most.get(each.name, ())):
                    found[each.name] = f"{called(where)} beside it is not described"
            if above is not None and not machine.on(*where[:2]):
                found[called(above)] = f"{called(where)} below it is not described"
        return found

    def unknown(self) -> Iterator[Together]:
        """The functions whose groups are not known: those that may be together in one, then each that is in
        no simulation."""
        told: set[str] = set()
        for where in self._machine.functions:
            sbdf = called(where)
            if sbdf in told or where in self._machine.unplaced:
                continue
            if sbdf not in self._found:
                yield Together(
                    members=(Named(sbdf=sbdf, name=None),),
                    why=(f"{sbdf}: the simulated scan does not reach it",),
                )
                continue
            if self.known(sbdf):
                continue
            cluster = sorted(self.most.get(sbdf) or {sbdf})
            told |= set(cluster)
            members = tuple(Named(sbdf=each, name=None) for each in cluster)
            yield Together(members=members, why=tuple(self._why(cluster)))
        out: dict[str, list[str]] = {}
        for where, why in self._machine.unplaced.items():
            out.setdefault(why, []).append(called(where))
        for why, names in out.items():
            members = tuple(Named(sbdf=each, name=None) for each in names)
            yield Together(members=members, why=(f"{listed(names)}: {why}", *self._kernels(names)))

    def _why(self, cluster: Sequence[str]) -> Iterator[str]:
        by_name = {each.name: each for each in self._machine.functions.values()}
        reasons: dict[str, list[str]] = {}
        for sbdf in cluster:
            each = by_name.get(sbdf)
            if sbdf in self._open:
                reasons.setdefault(self._open[sbdf], []).append(sbdf)
            if each is not None and not each.isolation_known:
                reasons.setdefault(WHY[each.shown], []).append(sbdf)
        for why, names in reasons.items():
            yield f"{listed(names)}: {why}"
        yield from self._kernels(cluster)

    def _kernels(self, names: Sequence[str]) -> Iterator[str]:
        """The groups that the kernel gives them, with whoever else is in these."""
        for number in by_number(self._told, names):
            yield f"the kernel's group {number}: {listed(self._kernels_groups[number])}"


def told_groups(machine: PastedMachine) -> dict[Where, PastedGroup]:
    """The group that each function has by the texts: by a list, else by lspci, else by the log."""
    found: dict[Where, PastedGroup] = {}
    for each in sorted(machine.groups, key=lambda one: _TRUSTED.get(one.form, 0)):
        found[each.where] = each
    return found


def by_number(told: Mapping[str, PastedGroup], names: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name in names:
        if name in told:
            found.setdefault(told[name].number, []).append(name)
    return dict(sorted(found.items()))


def listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
