"""A boot of Xen and its Dom0 beside the simulation, as lines of text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import asdict

from rootplex.jobs.qemu.preparation import Preparation
from rootplex.jobs.qemu.xen.boot import XenBoot
from rootplex.jobs.qemu.xen.comparison import XenComparison
from rootplex.report.boot import told
from rootplex.report.words import FIRMWARE, counted

_COUNTED = {
    "host bridge": "host bridge",
    "function": "function",
    "report": "report to Xen",
    "owner": "owner",
}


def lines(preparation: Preparation, boot: XenBoot, found: XenComparison) -> Iterator[str]:
    """What was booted, every change, every line, and the sum."""
    by = FIRMWARE[preparation.firmware]
    dom0 = boot.hypervisor.dom0.release
    yield (
        f"{preparation.platform.name} on Xen {boot.log.release} with Linux {dom0} as Dom0 by {by}; "
        f"simulated: {found.profile}, {preparation.profile}"
    )
    yield from (f"changed     {each.at}: {each.subject}: {each.text}" for each in preparation.changes)
    for line in found.lines:
        yield from told(line, preparation)
    counts = ", ".join(
        counted(found.counts[what], word).replace("report to Xens", "reports to Xen")
        for what, word in _COUNTED.items()
        if found.counts[what]
    )
    end = counted(found.differences, "difference") if found.differences else "all that was compared agreed"
    yield f"{counts or 'nothing of PCI'}: {end}; Dom0's groups and disks are not compared"


def as_json(preparation: Preparation, boot: XenBoot, found: XenComparison) -> dict[str, object]:
    """The same for a machine; `agreed` is the answer."""
    return {
        "rootplex": 1,
        "platform": preparation.platform.name,
        "xen": boot.log.release,
        "xen_profile": found.profile,
        "kernel": boot.hypervisor.dom0.release,
        "profile": preparation.profile,
        "firmware": preparation.firmware,
        "agreed": found.agreed,
        "figures": {**found.counts, "differences": found.differences},
        "changes": [
            {"at": each.at.at(), "subject": each.subject, "text": each.text} for each in preparation.changes
        ],
        "lines": [{**asdict(line), "name": preparation.names.get(line.subject)} for line in found.lines],
    }
