"""A boot beside the simulation, of Linux or of Xen and its Dom0, as lines of text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import asdict

from rootplex.jobs.qemu.boot import QemuBoot
from rootplex.jobs.qemu.comparison import Comparison, Figures, Line
from rootplex.jobs.qemu.preparation import Preparation
from rootplex.jobs.qemu.xen.boot import XenBoot
from rootplex.jobs.qemu.xen.comparison import XenComparison
from rootplex.report.words import FIRMWARE, counted

WORDS = {
    "agreed": "agreed",
    "differs": "DIFFERS",
    "qemu": "QEMU's own",
    "apart": "apart",
    "not shown": "not shown",
}


def lines(preparation: Preparation, boot: QemuBoot, found: Comparison) -> Iterator[str]:
    """What was booted, every change, every line, and the sum."""
    how = ", configuration space in memory" if preparation.synthetic else ""
    by = FIRMWARE[preparation.firmware]
    release = boot.snapshot.release
    yield f"{preparation.platform.name} on Linux {release} by {by}{how}; simulated: {preparation.profile}"
    yield from _told(preparation, found.lines)
    yield summed(found.figures)


def xen_lines(preparation: Preparation, boot: XenBoot, found: XenComparison) -> Iterator[str]:
    """The same of Xen and its Dom0."""
    by = FIRMWARE[preparation.firmware]
    dom0 = boot.hypervisor.dom0.release
    yield (
        f"{preparation.platform.name} on Xen {boot.log.release} with Linux {dom0} as Dom0 by {by}; "
        f"simulated: {found.profile}, {preparation.profile}"
    )
    yield from _told(preparation, found.lines)
    counts = ", ".join(
        counted(found.counts[what], what) + " to Xen" * (what == "report")
        for what in ("host bridge", "function", "report", "owner")
        if found.counts[what]
    )
    end = counted(found.differences, "difference") if found.differences else "all that was compared agreed"
    yield f"{counts or 'nothing of PCI'}: {end}; Dom0's groups and disks are not compared"


def summed(figures: Figures) -> str:
    """How much was compared, and how much of it differs."""
    counts = {"host bridge": figures.bridges, "function": figures.functions, "group": figures.groups}
    sum_ = ", ".join(counted(number, what) for what, number in counts.items())
    sum_ += f" ({figures.large_groups} of two or more), {figures.without_group} functions without a group"
    agreed = "all that was compared agreed" if figures.not_shown else "all agreed"
    end = counted(figures.differences, "difference") if figures.differences else agreed
    if figures.not_shown:
        end += f"; {counted(figures.not_shown, 'line')} of the description cannot be shown by this machine"
    return f"{sum_}: {end}"


def _told(preparation: Preparation, lines: Iterable[Line]) -> Iterator[str]:
    yield from (f"changed     {each.at}: {each.subject}: {each.text}" for each in preparation.changes)
    for line in lines:
        yield from told(line, preparation)


def told(line: Line, preparation: Preparation) -> Iterator[str]:
    """One thing that was compared."""
    name = preparation.names.get(line.subject)
    subject = line.subject if name is None else f"{line.subject} ({name})"
    head = f"{WORDS.get(line.state, line.state):11} {line.what:11} {subject}"
    if line.state == "differs":
        yield head
        yield f"    simulated: {line.simulated if line.simulated is not None else 'not there'}"
        yield f"    booted:    {line.booted if line.booted is not None else 'not there'}"
    elif line.state == "not shown":
        yield f"{head}: {line.simulated}"
        yield f"    {line.reason}"
    else:
        yield head if line.booted is None else f"{head}: {line.booted}"


def as_json(preparation: Preparation, boot: QemuBoot, found: Comparison) -> dict[str, object]:
    """The same for a machine; `agreed` is the answer."""
    what = {
        "kernel": boot.snapshot.release,
        "profile": preparation.profile,
        "firmware": preparation.firmware,
        "synthetic": preparation.synthetic,
    }
    return _json(preparation, what, found, asdict(found.figures))


def xen_as_json(preparation: Preparation, boot: XenBoot, found: XenComparison) -> dict[str, object]:
    """The same of Xen and its Dom0."""
    what = {
        "xen": boot.log.release,
        "xen_profile": found.profile,
        "kernel": boot.hypervisor.dom0.release,
        "profile": preparation.profile,
        "firmware": preparation.firmware,
    }
    return _json(preparation, what, found, {**found.counts, "differences": found.differences})


def _json(
    preparation: Preparation,
    what: Mapping[str, object],
    found: Comparison | XenComparison,
    figures: Mapping[str, int],
) -> dict[str, object]:
    return {
        "rootplex": 1,
        "platform": preparation.platform.name,
        **what,
        "agreed": found.agreed,
        "figures": figures,
        "changes": [
            {"at": each.at.at(), "subject": each.subject, "text": each.text} for each in preparation.changes
        ],
        "lines": [{**asdict(line), "name": preparation.names.get(line.subject)} for line in found.lines],
    }
