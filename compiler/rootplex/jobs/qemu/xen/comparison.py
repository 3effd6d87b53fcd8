"""What a real Xen and its Dom0 made of the machine, beside the simulation of both.

Dom0's groups and disks are not compared: the IOMMU is Xen's, and its kernel brings no drivers of disks along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rootplex.formats.errno import name_of
from rootplex.jobs.protocols import AREA, REPORTS
from rootplex.jobs.qemu.comparison import Line, compare, line
from rootplex.jobs.qemu.preparation import Preparation, under_xen
from rootplex.jobs.qemu.seen import booted, simulated
from rootplex.jobs.qemu.xen.boot import XenBoot
from rootplex.jobs.qemu.xen.console import Area, XenLog
from rootplex.known.xen import VERSIONS, profile_of
from rootplex.model.numbers import Sbdf
from rootplex.simulator.boots.outcome import Outcome
from rootplex.simulator.xen.machine import Xen
from rootplex.simulator.xen.records import DOM0, DOMID_IO, DOMID_XEN

_NO_GROUPS = frozenset({"group", "no group", "disk"})
_OWNERS = {None: "nobody", DOM0: "Dom0", DOMID_XEN: "Xen", DOMID_IO: "quarantine"}
_PRINTED = {"d0": "Dom0", "d[XEN]": "Xen", "d[IO]": "quarantine", "NULL": "nobody"}
"""Owners as Xen prints them (common/vsprintf.c: print_domain)."""
NO_STAGE_2 = "this Xen has no driver for QEMU's SMMUv3, or this QEMU's has no stage 2 (8.1 and later have)"


class XenComparison(Struct, frozen=True):
    """All lines: Xen, its configuration space, Dom0's reports, owners, then what Dom0 saw. `profile` is the
    Xen that was simulated, `counts` how many of each were compared."""

    profile: str
    lines: tuple[Line, ...]
    counts: Mapping[str, int]

    @property
    def agreed(self) -> bool:
        return self.differences == 0

    @property
    def differences(self) -> int:
        return sum(line.state == "differs" for line in self.lines)


def comparison(preparation: Preparation, found: XenBoot) -> XenComparison:
    """What Xen said and Dom0 saw beside what the simulation of their profiles expects."""
    log = found.log
    profile = _profile(preparation, log)
    translates = log.iommu if preparation.platform.arch == "arm64" else bool(preparation.platform.iommus)
    outcome = under_xen(preparation, profile, iommu=translates and preparation.platform.xen.iommu)
    xen = outcome.xen
    assert xen is not None
    lines = [line("Xen", "Xen", _outcome(xen), _ending(log)), *_translation(preparation, log)]
    if log.panic is None:
        knows_pci = VERSIONS[profile].arm_pci or preparation.platform.arch == "x86_64"
        lines += _areas(xen, log) if knows_pci else ()
        told = [*_reports(outcome, xen, log), *(_owners(xen, log.owners) if log.owners is not None else ())]
        lines += [_own(line) if line.subject in preparation.own else line for line in told]
    if found.snapshot is not None:
        seen, expected = booted(found.snapshot), simulated(outcome)
        compared = compare(expected, seen, preparation.own, real_bars=True)
        lines += [line for line in compared.lines if line.what not in _NO_GROUPS]
    elif log.panic is None:
        lines.append(Line("Xen", "Dom0", "booted", "went down before it was done", "differs"))
    words = ("host bridge", "function", "area", "report", "owner")
    return XenComparison(profile, tuple(lines), {word: sum(x.what == word for x in lines) for word in words})


def _profile(preparation: Preparation, log: XenLog) -> str:
    """The profile of the Xen that booted; the description's where nobody has read that version. A build for
    Arm that has no PCI is as the ones that never had."""
    found = profile_of(log.release) or preparation.platform.xen.version
    if preparation.platform.arch == "x86_64" or log.owners is not None or log.panic is not None:
        return found
    without = [each.name for each in VERSIONS.values() if not each.arm_pci]
    return found if found in without else without[-1]


def _outcome(xen: Xen) -> str:
    return "booted" if xen.crash is None else f"went down: {xen.crash}"


def _ending(log: XenLog) -> str:
    return "booted" if log.panic is None else f"went down: {log.panic}"


def _translation(preparation: Preparation, log: XenLog) -> Iterator[Line]:
    platform = preparation.platform
    wanted = platform.xen.iommu and bool(platform.iommus)
    words = {True: "translates", False: "does not translate"}
    if log.panic is not None:
        return
    if wanted and not log.iommu and platform.arch == "arm64":
        yield Line("Xen", "IOMMU", words[True], words[False], "not shown", NO_STAGE_2)
    else:
        yield line("Xen", "IOMMU", words[wanted], words[log.iommu])


def _areas(xen: Xen, log: XenLog) -> Iterator[Line]:
    """Configuration space, by its place in Xen's list: from the device tree, or from MCFG."""
    core = xen.core
    if core.x86:
        ours = [Area(x.base, x.segment, x.start, x.end, x.enabled) for x in core.windows.windows]
    else:
        ours = [Area(x.root.base, None, x.root.start, x.root.end) for x in core.routes.bridges]
    for index in range(max(len(ours), len(log.areas))):
        one, other = (each[index] if index < len(each) else None for each in (ours, log.areas))
        there = one or other
        assert there is not None
        where = f"{there.base:#x}" if there.segment is None else f"segment {there.segment:04x}"
        yield line("area", where, *(None if each is None else str(each) for each in (one, other)))


def _reports(outcome: Outcome, xen: Xen, log: XenLog) -> Iterator[Line]:
    """What Dom0 told Xen, and the answer; Linux says its refusals on its own log, on a console without the
    number. Some it makes by itself: an old call has no segment (drivers/xen/pci.c: xen_add_device)."""
    ours = {call.buses: _refused(call.result) for call in xen.calls if call.op == AREA and call.result}
    reports = (call for call in xen.calls if call.op in REPORTS)
    ours |= {str(Sbdf(*call.function)): "taken" for call in reports if call.result == 0}
    told = (each for each in outcome.dom0.events if each.kind in ("device-added", "virtual-added"))
    ours |= {each.function.sbdf: _refused(each.result) for each in told if each.function and each.result}
    theirs = dict.fromkeys(log.added, "taken") | dict.fromkeys(log.refused | log.areas_refused, "refused")
    for subject in sorted({*ours, *theirs}):
        one, other = ours.get(subject), theirs.get(subject)
        same = (one or "").partition(",")[0] == (other or "")
        yield Line("report", subject, one, other, "agreed" if same else "differs")
    taken = tuple(subject for subject, answer in ours.items() if answer == "taken")
    added = tuple(subject for subject in log.added if subject in taken)
    if taken and len(added) == len(taken):
        yield line("Xen", "order of reports", *_first_that_differs(taken, added))


def _own(line: Line) -> Line:
    """What Dom0 tells of a function that QEMU adds by itself, where the description leaves it out."""
    return line if line.simulated is not None else replace(line, state="qemu")


def _first_that_differs(ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, str]:
    """Both orders in words: how many where they are the same, else the first place where they part."""
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True), 1):
        if one != other:
            return f"{one} is number {number}", f"{other} is number {number}"
    return f"{len(ours)} in this order", f"{len(ours)} in this order"


def _refused(result: int | None) -> str:
    return f"refused, {name_of(result or 0)}"


def _owners(xen: Xen, printed: Mapping[str, str]) -> Iterator[Line]:
    ours = {
        str(Sbdf(record.segment, record.bus, record.devfn)): _OWNERS.get(
            record.owner, f"domain {record.owner}"
        )
        for record in xen.core.records
    }
    theirs = {sbdf: _PRINTED.get(owner, owner) for sbdf, owner in printed.items()}
    for sbdf in sorted({*ours, *theirs}):
        yield line("owner", sbdf, ours.get(sbdf), theirs.get(sbdf))
