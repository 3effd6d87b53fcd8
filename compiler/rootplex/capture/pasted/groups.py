"""Lists of IOMMU groups in the forms in which people print `/sys/kernel/iommu_groups`: `find`, `ls`, `ls -l`,
`tree`, the loops that go around (`IOMMU Group 1:` with lspci's lines below, or in front of each), and links
of `/sys/bus/pci/devices/*/iommu_group`.

Source: the kernel's Documentation/ABI/testing/sysfs-kernel-iommu_groups; where a link leads, sysfs-bus-pci.
"""

from __future__ import annotations

import itertools
import re

from rootplex.capture.pasted.facts import PastedGroup, Where
from rootplex.capture.pasted.lspci import ADDRESS, SBDF, where_of
from rootplex.capture.pasted.text import Row
from rootplex.source.place import Span

_ADDRESS = re.compile(rf"(?<![0-9a-fA-F.:]){ADDRESS}")
_PATH = re.compile(rf"iommu_groups/(\d{{1,9}})/devices/{ADDRESS}")
_FOLDER = re.compile(r"\S*iommu_groups/(\d{1,9})(?:/devices/?)?:?")
_LINK = re.compile(rf"(?<![0-9a-fA-F.:]){ADDRESS}/iommu_group\S* -> \S*iommu_groups/(\d{{1,9}})")
_DEVICE = re.compile(
    r"/pci([0-9a-fA-F]{4,8}):([0-9a-fA-F]{2})((?:/[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])+)"
)
_LOOP = re.compile(r"[\s*#>=\[_-]*(?:iommu[ _-]?)?group[ :#=]*(\d{1,9})\b[\s:,\]*#=_-]*(.*)", re.IGNORECASE)
_BARE = re.compile(rf"[\s|]*{ADDRESS}[\s:,;=|]+(\d{{1,5}})[\s|]*")
_CELLS = re.compile(rf"\|?\s*(\d{{1,9}})\s*[|,;\t]\s*{ADDRESS}\s*(?:[|,;\t](.*))?")
"""A row of a table that somebody made: the group's number and then a member."""
_BRANCH = re.compile(r"[│├└─|`+\\\s-]*(?:──|--)\s*(.*)")
_IDS = re.compile(r"\[[0-9a-fA-F]{4}:[0-9a-fA-F]{4}\]")
_COLUMN = re.compile(r"^(\S+ +\S.{2,60}?)(?: {2,}|\t+)(?=\S)")
_LOOKED_AT = 200  # characters of a line in which a member's address stands
_MEMBER = re.compile(r"[\s*•·-]*(?:\[[^\]]{0,12}\]\s*){0,4}")
BEGINS = re.compile(
    r"[\s*#>=\[_-]*(?:iommu[ _-]?)?group[ :#=]*\d|\S*iommu_groups/|l[rwx-]{9}[.+@]?\s|total \d"
    r"|\|?\s*\d{1,9}\s*[|,;\t]\s*[0-9a-f:]{2,8}:[0-9a-f]{2}\.|\s*[│├└|`](?:\s|--|─)"
    r"|\W{0,40}(?:\[[^\]]{0,12}\]\s*){0,4}" + SBDF,
    re.IGNORECASE,
)


class GroupReader:
    """Rows in their order. `take` answers what of a row is lspci's line of a member (a row again), True where
    the row is used up, False where it is none of a list's."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.groups: list[PastedGroup] = []
        self.parents: dict[tuple[int, int], Where] = {}
        self.roots: dict[tuple[int, int], int] = {}
        self._number: int | None = None
        self._fresh = self._blank = False

    def take(self, row: Row, *, inside: bool) -> Row | bool:
        """`inside`: lspci tells more of a function, so that a line about its group is its own."""
        text = row.text
        if not text:
            self._blank = True
            return False
        blank, self._blank = self._blank, False
        if "/pci" in text:
            for way in _DEVICE.finditer(text):
                self._way(way, row.number)
        paths = list(_PATH.finditer(text)) if "iommu_groups" in text else []
        for path in paths:
            self._put(where_of(path, 2), int(path[1]), row)
        if paths:
            # The loop's other order: the path, then lspci's line.
            return True
        if "/iommu_group" in text and (found := _LINK.search(text)):
            self._put(where_of(found), int(found[5]), row)
            return True
        if found := _FOLDER.fullmatch(text.strip()):
            self._begin(int(found[1]))
            return True
        if not inside and (found := _LOOP.fullmatch(text)):
            return self._loop(int(found[1]), found[2], row)
        if found := _BARE.fullmatch(text):
            self._put(where_of(found), int(found[5]), row)
            return True
        if found := _CELLS.fullmatch(text):
            self._put(where_of(found, 2), int(found[1]), row)
            name = (found[6] or "").strip(" |,;\t")
            address = text[found.start(2) if found[2] else found.start(3) : found.end(5)]
            return Row(row.number, f"{address} {name}") if name else True
        if found := _BRANCH.fullmatch(text):
            return self._branch(found[1], row)
        if blank and not self._fresh and not (text[0].isspace() or text[0] in "l["):
            self._number = None  # what stands behind an empty line at the margin is a text of its own
        if self._number is None:
            return False
        return self._member(text, row)

    def _begin(self, number: int) -> None:
        self._number, self._fresh = number, True

    def _loop(self, number: int, rest: str, row: Row) -> Row | bool:
        self._begin(number)
        return (
            self._member(rest, row)
            if _ADDRESS.search(rest, 0, _LOOKED_AT)
            else not rest or not rest[0].isalpha()
        )

    def _branch(self, text: str, row: Row) -> bool:
        if text.isdecimal():
            self._begin(int(text[:9]))
            return True
        if self._number is not None and (found := _ADDRESS.match(text)):
            self._put(where_of(found), self._number, row)
            return True
        return False

    def _member(self, text: str, row: Row) -> Row | bool:
        """A line below a group's heading."""
        number = self._number
        assert number is not None
        found = _ADDRESS.search(text, 0, _LOOKED_AT)
        if found is None:
            return text.startswith("total ")
        link = text.startswith("l") or " -> " in text
        if not link and not _MEMBER.fullmatch(text, 0, found.start()):
            return False
        self._fresh = False
        every = [found] if link else list(_ADDRESS.finditer(text))
        alone = not text[found.end() :].strip()
        columns = len(every) > 1 and all(
            _is_blank(text, a.end(), b.start()) for a, b in itertools.pairwise(every)
        )
        for each in every if columns else every[:1]:
            self._put(where_of(each), number, row)
        return True if link or alone or columns else Row(row.number, _as_lspci(text, found))

    def _put(self, where: Where, number: int, row: Row) -> None:
        place = Span(self._file, row.number, 1, row.number, len(row.text) + 1)
        self.groups.append(PastedGroup(where, number, "groups", place))

    def _way(self, found: re.Match[str], number: int) -> None:
        """Where a link leads through: each function's bus is below the one before."""
        root = int(found[1], 16), int(found[2], 16)
        self.roots.setdefault(root, number)
        above: Where | None = None
        for name in found[3].split("/")[1:]:
            match = _ADDRESS.fullmatch(name)
            if match is None:
                return
            where = where_of(match)
            if above is not None:
                self.parents.setdefault(where[:2], above)
            above = where


def _as_lspci(text: str, address: re.Match[str]) -> str:
    """A member's line as lspci has it, where a script has put the ids before the address, or columns in
    place of the colon behind the class."""
    line = text[address.start() :].rstrip()
    if ": " not in line:
        line = _COLUMN.sub(r"\1: ", line, count=1)
    ids = _IDS.search(text, 0, address.start())
    return line if ids is None or _IDS.search(line) else f"{line} {ids[0]}"


def _is_blank(text: str, start: int, end: int) -> bool:
    return not text[start:end].strip()
