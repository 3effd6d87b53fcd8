"""Random topologies on real kernels: a line each, what differs in full, and all of them in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rootplex.jobs.qemu.comparison import Figures
from rootplex.jobs.result import Result
from rootplex.report.boot import summed
from rootplex.report.words import counted

HEAD = "the smallest description found that shows a difference:"


def told(result: Result) -> Iterator[str]:
    """A topology in a line; where something differs, the smallest description that shows it behind."""
    booted = result.booted
    if booted is None:
        return
    yield f"{result.file} by {result.firmware} on {booted.kernel}: {summed(Figures(**booted.figures))}"
    if booted.smallest is not None:
        yield f"{HEAD}\n{booted.smallest}"


def sentence(sums: Counter[str]) -> str:
    """The figures of many boots, added; `topologies` is how many."""
    topologies = f"{sums['topologies']} {'topology' if sums['topologies'] == 1 else 'topologies'}"
    functions, groups = counted(sums["functions"], "function"), counted(sums["groups"], "group")
    without = counted(sums["without_group"], "function")
    return (
        f"{topologies}, {functions}, {groups} ({sums['large_groups']} of two or more), "
        f"{without} without a group, {counted(sums['differences'], 'difference')}"
    )
