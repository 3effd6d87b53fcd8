"""The texts of the booted machines: `booted/README.md` says which they are."""

from __future__ import annotations

import gzip
import re
from functools import cache
from pathlib import Path

from rootplex.capture.pasted.facts import Paste, called
from rootplex.capture.pasted.reading import read_paste

FOLDER = Path(__file__).parent / "booted"
NAMES = sorted(path.name.removesuffix(".txt.gz") for path in FOLDER.glob("*.txt.gz"))
PCS = [name for name in NAMES if not name.startswith("arm")]
ARMS = [name for name in NAMES if name.startswith("arm")]
LIST = "find /sys/kernel/iommu_groups -type l"
LISTS = (LIST, "ls -l groups", "ls -d groups", "loop", "oldloop", "ls -l bus")
"""Each form in which the groups were printed."""


@cache
def sections(name: str) -> dict[str, str]:
    """A machine's texts, by the command that printed them."""
    text = gzip.decompress((FOLDER / f"{name}.txt.gz").read_bytes()).decode("utf-8", "replace")
    parts = re.split(r"=====SECTION (.*)\r?\n", text)
    return {command.strip(): body for command, body in zip(parts[1::2], parts[2::2], strict=True)}


def pasted(name: str, *commands: str) -> list[Paste]:
    """What the commands printed, read."""
    return [read_paste(sections(name)[command], f"{name}.txt") for command in commands]


def partition(paste: Paste, form: str | None = None) -> set[frozenset[str]]:
    """The groups that a text tells."""
    found: dict[int, set[str]] = {}
    for each in paste.groups:
        if form is None or each.form == form:
            found.setdefault(each.number, set()).add(called(each.where))
    return {frozenset(members) for members in found.values()}


def kernels_groups(name: str) -> set[frozenset[str]]:
    """The groups that the kernel of the machine made."""
    return partition(pasted(name, LIST)[0])
