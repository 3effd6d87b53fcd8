"""What the programs that manage guests show of functions and their groups: Proxmox VE's `pvesh get
/nodes/NODE/hardware/pci` as a table or as JSON; libvirt's `virsh nodedev-dumpxml`, and its lists of devices
by name, as a tree or not.

Source: Proxmox VE's API (`PVE::API2::Hardware::PCI`: `iommugroup` is -1 where there is none); libvirt's "Node
devices XML format"; virsh's `nodedev-list`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from rootplex.capture.pasted.facts import PastedFunction, PastedGroup, Where
from rootplex.capture.pasted.lspci import ADDRESS, where_of
from rootplex.capture.pasted.text import Row
from rootplex.source.place import Span

_NAME = re.compile(r"\bpci_([0-9a-f]{4,8})_([0-9a-f]{2})_([01][0-9a-f])_([0-7])(?![\w.-])")
_TABLE = re.compile(
    rf"[\s│|]*(0x[0-9a-f]{{6}})[\s│|]+(0x[0-9a-f]{{4}})[\s│|]+{ADDRESS}[\s│|]+(-?\d{{1,9}})[\s│|]+(0x[0-9a-f]{{4}})\b"
)
_BORDER = re.compile(r"[┌┐└┘├┤┬┴┼│─╒╕╞╡╪╘╛╧╤═|+\s-]{8,}|[│|]\s*class\s*[│|].*")
_NODE = re.compile(r"[\s|+`'-]*pci_[0-9a-f]{4,8}(?:_[0-9a-f]{1,2}){3}\s*")
_OTHER_NODE = re.compile(r"(?:computer|[\s|]*\+- \w[\w.-]*|(?:[\s|]*\|[\s|]*))\s*")
_TAG = re.compile(
    r"\s*</?(?:device|name|path|parent|driver|capability|class|domain|bus|slot|function|product|vendor|iommuGroup"
    r"|address|pci-express|link|numa|state|devnode)\b[^>]*>"
)
_MEMBER = re.compile(r'\s*(?:"\w+"\s*:|[\[\]{}],?\s*$)')
_OBJECT = re.compile(r'\{(?:[^{}"]{1,256}+|"[^"\n]{0,512}+"){0,512}+\}')
_PAIR = re.compile(r'"(\w{1,32})"\s*:\s*"?([0-9a-f]{4,8}:[0-9a-f:]{5}\.[0-7]|0x[0-9a-f]{1,8}|-?\d{1,9})\b')
_VALUES = {
    "id": re.compile(ADDRESS),
    "iommugroup": re.compile(r"-?\d{1,9}"),
    "class": re.compile(r"0x[0-9a-f]{1,6}"),
    "vendor": re.compile(r"0x[0-9a-f]{1,4}"),
    "device": re.compile(r"0x[0-9a-f]{1,4}"),
}
"""The keys of a function that are read, and the form that each has."""
_DEVICE = "<device>"
_ABOVE = re.compile(r"<parent>(pci_\w{1,20})</parent>")
_CLASS = re.compile(r"<class>(0x[0-9a-f]{6})</class>")
_ID = re.compile(r"<(product|vendor) id='(0x[0-9a-f]{4})'")
_GROUP = re.compile(r"<iommuGroup number='(\d{1,9})'>")
_ADDRESS = re.compile(
    r"<address domain='0x([0-9a-f]{4,8})' bus='0x([0-9a-f]{2})'"
    r" slot='0x([01][0-9a-f])' function='0x([0-7])'/>"
)


class ManagerReader:
    """Rows in their order, of tables and lists; `read` takes a whole text for what has no rows of its own
    (XML, JSON). What they tell is as lspci's readers have it."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.functions: list[PastedFunction] = []
        self.groups: list[PastedGroup] = []
        self.parents: dict[tuple[int, int], Where] = {}
        self.roots: dict[tuple[int, int], int] = {}
        self._nodes: list[tuple[int, Where]] = []
        self._tree = False

    def take(self, row: Row) -> bool:
        """Whether a row is one of theirs."""
        text = row.text
        if match := _TABLE.match(text):
            where = where_of(match, 3)
            keys = _keys(match[1], match[8], match[2])
            self._put(where, keys, row.number, int(match[7]))
            return True
        if _NODE.fullmatch(text):
            self._node(text, row.number)
            return True
        if text == "computer":
            self._tree, self._nodes = True, []
            return True
        return _BORDER.fullmatch(text) is not None or (self._tree and _OTHER_NODE.fullmatch(text) is not None)

    def read(self, text: str) -> None:
        """Of all of a text its XML and its JSON."""
        if "iommugroup" in text:
            found = list(_OBJECT.finditer(text))
            lines = _lines(text, (match.start() for match in found))
            for match, number in zip(found, lines, strict=True):
                pairs = _PAIR.findall(match[0])
                said = {key: told for key, told in pairs if key in _VALUES and _VALUES[key].fullmatch(told)}
                self._object(said, number)
        text = html.unescape(text) if "&lt;" in text else text
        if "<iommuGroup" in text or "<capability type='pci'>" in text:
            starts, parts = zip(*_parts(text), strict=True)
            for part, number in zip(parts, _lines(text, starts), strict=True):
                self._device(part, number)

    def _object(self, said: dict[str, str], number: int) -> None:
        match = re.fullmatch(ADDRESS, said.get("id", ""))
        if match is not None and "iommugroup" in said:
            keys = _keys(said.get("class", ""), said.get("vendor", ""), said.get("device", ""))
            self._put(where_of(match), keys, number, int(said["iommugroup"]))

    def _device(self, part: str, number: int) -> None:
        name = _NAME.search(part)
        ids = dict(_ID.findall(part))
        code = _CLASS.search(part)
        if name is not None and code is not None:
            where = where_of(name)
            keys = _keys(code[1], ids.get("vendor", ""), ids.get("product", ""))
            virtual = "<capability type='phys_function'>" in part
            self._put(where, keys, number, -1, virtual=virtual)
            above = _ABOVE.search(part)
            if above is not None and (match := _NAME.fullmatch(above[1])):
                self.parents.setdefault(where[:2], where_of(match))
            elif "<parent>computer</parent>" in part:
                self.roots.setdefault(where[:2], number)
        if group := _GROUP.search(part):
            for member in _ADDRESS.finditer(part, group.end()):
                self._group(where_of(member), int(group[1]), number)

    def _node(self, text: str, number: int) -> None:
        match = _NAME.search(text)
        if match is None:
            return
        where = where_of(match)
        self._put(where, {}, number, -1)
        if not self._tree:
            return
        column = match.start()
        while self._nodes and self._nodes[-1][0] >= column:
            self._nodes.pop()
        if self._nodes:
            self.parents.setdefault(where[:2], self._nodes[-1][1])
        else:
            self.roots.setdefault(where[:2], number)
        self._nodes.append((column, where))

    def _put(
        self, where: Where, keys: dict[str, object], number: int, group: int, *, virtual: bool = False
    ) -> None:
        code = keys.get("class")
        self.functions.append(
            PastedFunction(
                where=where,
                place=self._place(number),
                form="managed",
                keys=keys,
                bridge=code >> 8 == 0x0604 if isinstance(code, int) else None,
                virtual=virtual,
            )
        )
        if group >= 0:
            self._group(where, group, number)

    def _group(self, where: Where, group: int, number: int) -> None:
        self.groups.append(PastedGroup(where, group, "managed", self._place(number)))

    def _place(self, number: int) -> Span:
        return Span(self._file, number, 1, number, 2)


def begins(text: str) -> bool:
    """Whether a line is one of what is read here."""
    whole = (_BORDER, _NODE, _OTHER_NODE)
    begun = (_TABLE, _TAG, _MEMBER)
    return any(each.fullmatch(text) for each in whole) or any(each.match(text) for each in begun)


def _lines(text: str, starts: Iterable[int]) -> Iterator[int]:
    """The number of the line in which each of some places lies; the places rise."""
    line, last = 1, 0
    for start in starts:
        line += text.count("\n", last, start)
        last = start
        yield line


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Each device of several, with where it begins; what stands before the first may be the end of one."""
    start = 0
    while start < len(text):
        end = text.find(_DEVICE, start + 1)
        end = len(text) if end < 0 else end
        yield start, text[start:end]
        start = end


def _keys(code: str, vendor: str, device: str) -> dict[str, object]:
    keys: dict[str, object] = {}
    if code:
        keys["class"] = int(code, 16)
    if vendor and device:
        keys["id"] = f"{int(vendor, 16):04x}:{int(device, 16):04x}"
    return keys
