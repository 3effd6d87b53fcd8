"""What Dom0 tells Xen, in order: two columns and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.jobs.result import Protocols, Told
from rootplex.report.words import counted

MANY = 4
"""How many functions a line names."""


def lines(found: Protocols) -> Iterator[str]:
    """The table, then which calls would be new, and where Xen does not know a device's bridge."""
    left = [_told(then) for then, _ in found.pairs]
    width = max([len(each) for each in left], default=0)
    width = max(width, len("the protocol of 2017"))
    yield "what Dom0 tells Xen, in order"
    yield f"  {'the protocol of 2017':<{width}}  {found.xen}"
    for text, (_, now) in zip(left, found.pairs, strict=True):
        yield f"  {text:<{width}}  {_told(now)}"
    for operation in found.new:
        yield f"{operation}: no Xen has this call"
    yield _source(found)


def _told(told: Told | None) -> str:
    if told is None:
        return "-"
    return f"{told.operation} {told.subject} = {told.answer or 'no answer'}"


def _source(found: Protocols) -> str:
    unknown = found.unknown
    if found.source == "nothing":
        knows = f"{found.xen} learns of no host bridge"
    else:
        entries = "entry" if found.source == "MCFG" else "host bridge"
        where = "MCFG" if found.source == "MCFG" else "the device tree"
        knows = f"{found.xen} has {counted(found.bridges, entries)} from {where} before Dom0 runs"
    if not unknown:
        return f"{knows}: no report comes before its host bridge"
    named = ", ".join(unknown[:MANY]) + (f" and {len(unknown) - MANY} more" if len(unknown) > MANY else "")
    return f"{knows}: it does not know on which host bridge are {named}"
