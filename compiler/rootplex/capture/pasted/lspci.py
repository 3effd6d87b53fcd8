"""Functions by `lspci`: its list, `-v`, `-vmm`, `-mm`, `-x`, each with or without numbers and domains; and
which bus is below which bridge, by the tree of `lspci -t`.

Source: pciutils, lspci.c (`show_terse`, `show_machine`, `show_hex_dump`), ls-caps.c, ls-ecaps.c, ls-tree.c.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from rootplex.capture.pasted.facts import Form, PastedFunction, PastedGroup, Shown, Where
from rootplex.capture.pasted.resources import bars_of, forwarded_of, rom_of
from rootplex.capture.pasted.text import Row
from rootplex.formats.pci import ACS_BITS, PcieType
from rootplex.known.reader import class_by_name
from rootplex.source.place import Span

SBDF = r"(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([01][0-9a-fA-F])\.([0-7])"
ADDRESS = rf"{SBDF}(?![0-9a-fA-F.:])"
_WAY = r"(?:(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]/){0,32}"
HEAD = re.compile(rf"\s*{_WAY}{ADDRESS}(?: +(.*))?")
"""A function; by `lspci -PP` behind the bridges on the way to it."""
_WAY_ONCE = re.compile(r"\s*([0-9a-fA-F]{4,8}:)[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7](/\S+)")
_BELOW = re.compile(r"/(?=[0-9a-fA-F]{2}:[01])")
HEX = re.compile(r"\s*([0-9a-fA-F]{2,3}): ((?:[0-9a-fA-F]{2} ?){1,16})\s*")
RECORD = re.compile(
    r"\s*(Slot|Class|Vendor|Device|SVendor|SDevice|Rev|ProgIf|IOMMUGroup|[A-Z]\w{1,11}):\s+(.*)"
)
_RECORDED = re.compile(rf"\s*(?:Slot|Device):\s+{ADDRESS}\s*")
_QUOTED = re.compile(r'"([^"]*)"|-([rp])([0-9a-fA-F]{2})')
_ID = re.compile(r"\[([0-9a-fA-F]{4}):([0-9a-fA-F]{4})\]")
_BARE_ID = re.compile(r"(?:Device )?([0-9a-fA-F]{4}):([0-9a-fA-F]{4})\b")
_NUMBER = re.compile(r"(.*?)\s*\[([0-9a-fA-F]{4})\]|([0-9a-fA-F]{4})")
_REVISION = re.compile(r"\(rev ([0-9a-fA-F]{2})\)")
_INTERFACE = re.compile(r"\(prog-if ([0-9a-fA-F]{2})")
_CONFIG_LIMIT = 4096
_SHORT = 80
_ELLIPSIS = re.compile(
    r"\W*(?:\.\.\.+|…|\[?\.*(?:snip|snipped|truncated|cut)\.*\]?|<snip>|-+ ?snip.*)\W*", re.IGNORECASE
)

_TYPES = (
    ("Root Port", PcieType.ROOT_PORT),
    ("Upstream Port", PcieType.UPSTREAM_PORT),
    ("Downstream Port", PcieType.DOWNSTREAM_PORT),
    ("PCI-Express to PCI", PcieType.PCIE_TO_PCI_BRIDGE),
    ("PCI/PCI-X to PCI-Express", PcieType.PCI_TO_PCIE_BRIDGE),
    ("Root Complex Integrated Endpoint", PcieType.INTEGRATED_ENDPOINT),
    ("Root Complex Event Collector", PcieType.EVENT_COLLECTOR),
    ("Legacy Endpoint", PcieType.LEGACY_ENDPOINT),
    ("Endpoint", PcieType.ENDPOINT),
)
"""What `cap_express` prints; the longer names first."""

_ACS_WORDS = {
    "SrcValid": "sv", "TransBlk": "tb", "ReqRedir": "rr", "CmpltRedir": "cr", "UpstreamFwd": "uf",
    "EgressCtrl": "ec", "DirectTrans": "dt",
}  # fmt: skip
_BRIDGES = (0x0604, 0x0609)
_HOST, _CARDBUS = 0x0600, 0x0607
_BUSES = re.compile(
    r"Bus:\s*primary=([0-9a-fA-F]{2}),\s*secondary=([0-9a-fA-F]{2}),\s*subordinate=([0-9a-fA-F]{2})"
)
_SUBSYSTEM = re.compile(
    r"Subsystem:\s(?:[^\n]{0,200}\[([0-9a-fA-F]{4}):([0-9a-fA-F]{4})\]|([0-9a-fA-F]{4}):([0-9a-fA-F]{4}))"
)
_GROUP = re.compile(r"IOMMU ?group:?\s+(\d{1,9})\b", re.IGNORECASE)
_GROUP_BEHIND = re.compile(r"\bIOMMU ?group:?\s+(\d{1,9})\W{0,3}$", re.IGNORECASE)
_SBDF = re.compile(SBDF)
_ACS = re.compile(r"ACSCap:\s*((?:[A-Za-z]+[+-]\s*){1,8})")
_ACS_CONTROL = re.compile(r"ACSCtl:\s*((?:[A-Za-z]+[+-]\s*){1,8})")
_MSI = re.compile(r"MSI: Enable[+-]\s+Count=\d+/(\d{1,2})\b")
_MSIX = re.compile(r"MSI-X: Enable[+-]\s+Count=(\d{1,4})\b")
_PIN = re.compile(r"\bpin ([A-D])\b")
_SLOT = re.compile(r"Slot #(\d{1,5})\b")
_VFS = re.compile(r"Total VFs: (\d{1,5}), Number of VFs: (\d{1,5})\b")
_VF_PLACES = re.compile(r"VF offset: (\d{1,5}), stride: (\d{1,5}), Device ID: ([0-9a-fA-F]{4})")
_DONE = re.compile(r"Kernel driver in use|Kernel modules")


def _with_domain(text: str) -> str:
    """`lspci -PP` says the domain once, before the first bridge of a way (lspci.c: show_slot_name)."""
    if (way := _WAY_ONCE.match(text)) is None:
        return text
    return text[: way.start(2)] + _BELOW.sub(f"/{way[1]}", way[2]) + text[way.end(2) :]


def where_of(match: re.Match[str], first: int = 1) -> Where:
    """Of the four groups of an `ADDRESS`."""
    segment, bus, device, function = (match[first + at] or "0" for at in range(4))
    return int(segment, 16), int(bus, 16), int(device, 16) << 3 | int(function)


class LspciReader:
    """Rows in their order; the functions that they tell of. `take` answers whether it was lspci's."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.functions: list[PastedFunction] = []
        self.groups: list[PastedGroup] = []
        self.parents: dict[tuple[int, int], Where] = {}
        self._head: PastedFunction | None = None
        self._lines: list[str] = []
        self._data = bytearray()
        self._record: dict[str, str] = {}
        self._record_at: tuple[Where, Span] | None = None
        self._cut = self._ended = False

    @property
    def is_inside(self) -> bool:
        """Whether lines about a function have begun."""
        return self._head is not None and bool(self._lines)

    def holds(self, text: str) -> bool:
        """Whether a row is one of bytes of a function that has begun."""
        return self._head is not None and HEX.fullmatch(text) is not None

    def take(self, row: Row) -> bool:
        text = _with_domain(row.text)
        ended, self._ended = self._ended, not text
        if not text:
            return True
        if match := _RECORDED.fullmatch(text):
            self.close(whole=True)
            self._record_at = where_of(match), self._place(row)
            return True
        if self._record_at is not None and (match := RECORD.fullmatch(text)):
            self._record.setdefault(match[1], match[2].strip())
            return True
        if (match := HEAD.fullmatch(text)) and (found := self._of_head(match, row)) is not None:
            self.close(whole=True)
            self._head = found
            self._way(text)
            if group := _GROUP_BEHIND.search(text):
                self.groups.append(PastedGroup(found.where, int(group[1]), "groups", found.place))
            return True
        if self._head is None:
            return False
        if match := HEX.fullmatch(text):
            if int(match[1], 16) == len(self._data) < _CONFIG_LIMIT:
                self._data += bytes.fromhex(match[2])
            return True
        if len(text) < _SHORT and _ELLIPSIS.fullmatch(text):
            self._cut = True
            return True
        if ended and not (text[0].isspace() or _DETAIL.match(text)):
            return False  # prose behind an empty line
        self._lines.append(text)
        return True

    def _way(self, text: str) -> None:
        """The bridges that stand before a function's address."""
        way = [_SBDF.fullmatch(each) for each in text.split(maxsplit=1)[0].split("/")]
        for above, below in itertools.pairwise(each for each in way if each is not None):
            self.parents.setdefault(where_of(below)[:2], where_of(above))

    def close(self, *, whole: bool) -> None:
        """The function that was begun is at its end; `whole`: something follows it, so that it is not cut. An
        empty line behind it says so too."""
        whole = whole or self._ended
        if self._record_at is not None:
            self._keep_record(*self._record_at)
        if self._head is not None:
            self._keep(self._head, whole=whole and not self._cut)
        self._head, self._lines, self._data = None, [], bytearray()
        self._record, self._record_at, self._cut = {}, None, False

    def _place(self, row: Row) -> Span:
        return Span(self._file, row.number, 1, row.number, len(row.text) + 1)

    def _of_head(self, match: re.Match[str], row: Row) -> PastedFunction | None:
        """The line that begins a function; None where it only names one."""
        rest = (match[5] or "").strip()
        form: Form = "names"
        if '"' in rest:
            keys, name = _machine(rest)
            form = "records"
        else:
            keys, name = _terse(rest)
        if not keys and not rest.startswith("Device"):
            return None
        return _function(where_of(match), self._place(row), form, keys, name)

    def _keep_record(self, where: Where, place: Span) -> None:
        keys: dict[str, object] = {}
        said = self._record
        code = _class(said.get("Class", ""))
        interface = said.get("ProgIf", "")
        if code is not None:
            keys["class"] = code << 8 | _hexadecimal(interface, 2)
        keys |= _pair("id", said.get("Vendor", ""), said.get("Device", ""))
        keys |= _pair("subsystem", said.get("SVendor", ""), said.get("SDevice", ""))
        if revision := _hexadecimal(said.get("Rev", ""), 2):
            keys["revision"] = revision
        self.functions.append(_function(where, place, "records", keys, said.get("Device", "")))
        if said.get("IOMMUGroup", "").isdecimal():
            self.groups.append(PastedGroup(where, int(said["IOMMUGroup"][:9]), "records", place))

    def _keep(self, head: PastedFunction, *, whole: bool) -> None:
        text = "\n".join(line.strip() for line in self._lines)
        if not self._lines and not self._data:
            self.functions.append(head)
            return
        if self._lines:
            verbose = _verbose(head, text, whole=whole or _DONE.search(text) is not None)
            self.functions.append(verbose)
            if group := _GROUP.search(text):
                self.groups.append(PastedGroup(head.where, int(group[1]), "verbose", head.place))
        if len(self._data) >= 64:
            self.functions.append(
                PastedFunction(
                    where=head.where,
                    place=head.place,
                    form="bytes",
                    keys=head.keys,
                    config=bytes(self._data),
                    bridge=self._data[0x0E] & 0x7F == 1,
                    virtual=head.virtual,
                )
            )
        elif not self._lines:
            self.functions.append(head)


def _function(where: Where, place: Span, form: Form, keys: Mapping[str, object], name: str) -> PastedFunction:
    code = keys.get("class")
    bridge = code >> 8 in _BRIDGES if isinstance(code, int) else None
    return PastedFunction(
        where=where,
        place=place,
        form=form,
        keys=keys,
        bridge=bridge,
        virtual="Virtual Function" in name,
        amd="Advanced Micro Devices" in name,
    )


def _terse(rest: str) -> tuple[dict[str, object], str]:
    """`PCI bridge [0604]: Name [8086:8c10] (rev d5) (prog-if 00 [Normal decode])`, in each part of which
    numbers, names or both may stand."""
    kind, colon, name = rest.partition(": ")
    code = _class(kind)
    keys: dict[str, object] = {}
    if not colon or code is None:
        return {}, ""
    interface = _INTERFACE.search(name)
    keys["class"] = code << 8 | (int(interface[1], 16) if interface else 0)
    ids = list(_ID.finditer(name))
    bare = _BARE_ID.match(name)
    found = ids[-1] if ids else bare
    if found is not None:
        keys["id"] = f"{found[1]}:{found[2]}".lower()
    if (revision := _REVISION.search(name)) and (number := int(revision[1], 16)):
        keys["revision"] = number
    return keys, name


def _machine(rest: str) -> tuple[dict[str, object], str]:
    """`lspci -mm`: class, vendor, device in quotes, then -r and -p, then the subsystem's in quotes."""
    words = [match[1] for match in _QUOTED.finditer(rest) if match[1] is not None]
    marks = {match[2]: match[3] for match in _QUOTED.finditer(rest) if match[2]}
    code = _class(words[0]) if words else None
    if code is None or len(words) < 3:
        return {}, ""
    keys: dict[str, object] = {"class": code << 8 | int(marks.get("p", "0"), 16)}
    keys |= _pair("id", words[1], words[2])
    if len(words) > 4:
        keys |= _pair("subsystem", words[3], words[4])
    if revision := int(marks.get("r", "0"), 16):
        keys["revision"] = revision
    return keys, words[2]


def _class(text: str) -> int | None:
    """A class by its number, else by its name; 16 bits."""
    text = text.strip()
    match = _NUMBER.fullmatch(text.removeprefix("Class ").strip())
    if match is not None:
        return int(match[2] or match[3], 16)
    return class_by_name(text)


def _pair(key: str, vendor: str, device: str) -> dict[str, object]:
    numbers = [_NUMBER.fullmatch(text.strip()) for text in (vendor, device)]
    if any(match is None for match in numbers):
        return {}
    first, second = ((match[2] or match[3]).lower() for match in numbers if match is not None)
    return {key: f"{first}:{second}"} if first not in ("0000", "ffff") else {}


def _hexadecimal(text: str, digits: int) -> int:
    match = re.match(rf"[0-9a-fA-F]{{1,{digits}}}\b", text.strip())
    return int(match[0], 16) if match else 0


def _verbose(head: PastedFunction, text: str, *, whole: bool) -> PastedFunction:
    """What the lines below a head say."""
    keys = dict(head.keys)
    said, *capabilities = re.split(r"Capabilities:\s*", text)
    if subsystem := _SUBSYSTEM.search(said):
        vendor, device = subsystem[1] or subsystem[3], subsystem[2] or subsystem[4]
        if vendor not in ("0000", "ffff"):
            keys["subsystem"] = f"{vendor}:{device}".lower()
    if pin := _PIN.search(said):
        keys["pin"] = pin[1]
    buses = _BUSES.search(text)
    bridge = True if buses else head.bridge
    denied = any(each.startswith("<access denied>") for each in capabilities)
    broken = "!!! Unknown header type" in text or "!!! Invalid" in text
    shown: Shown = "nothing" if broken else "denied" if denied else "whole"
    if shown == "whole" and not re.search(r"\b(?:Flags|Control|Capabilities):", text):
        shown = "nothing"  # `lspci -k` prints lines below, too, but not these
    if shown == "whole" and not capabilities and "Cap+" in said:
        shown = "cut"
    if shown == "whole":
        kind = _type(capabilities)
        if kind == PcieType.ROOT_PORT.word and bridge is False:
            kind = PcieType.INTEGRATED_ENDPOINT.word  # as `Config.type` has Intel's DMI ports
        keys |= _express(capabilities, kind)
        if kind is None:
            code = keys.get("class")
            host = isinstance(code, int) and code >> 8 == _HOST
            kind = "pci-bridge" if bridge else "host-bridge-function" if host else "pci"
            keys["type"] = kind
            shown = "whole" if whole else "cut"
        else:
            keys["type"] = kind
            shown = "whole" if whole or "acs" in keys else "type"
        if shown == "cut":
            del keys["type"]
    return PastedFunction(
        where=head.where,
        place=head.place,
        form="verbose",
        shown=shown,
        keys=keys,
        bridge=bridge,
        buses=(int(buses[2], 16), int(buses[3], 16)) if buses else None,
        virtual=head.virtual,
        amd=head.amd,
        acs_off=_switched_off(text),
        bars=() if broken else bars_of(said),
        rom=rom_of(said),
        forwards=forwarded_of(said),
    )


def _switched_off(text: str) -> tuple[str, ...]:
    offered, on = _ACS.search(text), _ACS_CONTROL.search(text)
    if offered is None or on is None:
        return ()
    can, does = _acs(offered[1]), _acs(on[1])
    return tuple(word.upper() for word in ("sv", "rr", "cr", "uf") if word in can and word not in does)


def _type(capabilities: list[str]) -> str | None:
    for each in capabilities:
        at = each.find("Express ")
        if 0 <= at <= len("[100 v1] "):
            told = re.sub(r"\(v\d+\) ", "", each[at + len("Express ") :][:60])
            return next((type.word for name, type in _TYPES if told.startswith(name)), "endpoint")
    return None


def _express(capabilities: list[str], kind: str | None) -> dict[str, object]:
    """The description's keys of the capabilities that bear on groups and interrupts."""
    text = "\n".join(capabilities)
    keys: dict[str, object] = {}
    named = [each.partition("]")[2].strip() for each in capabilities]
    port = kind in (PcieType.ROOT_PORT.word, PcieType.DOWNSTREAM_PORT.word)
    if any(each.startswith("Access Control Services") for each in named):
        acs = _ACS.search(text)
        # `-v` shows that it is there and not its bits: a port that has it can be switched on.
        keys["acs"] = _acs(acs[1]) if acs else True
    if any(each.startswith("Alternative Routing-ID") for each in named) and not port:
        keys["ari"] = True
    if port and "ARIFwd" in text and "ARIFwd+" not in text:
        keys["ari"] = False
    if any(each.startswith("Address Translation Service") for each in named):
        keys["ats"] = True
    if any(each.startswith("Power Management") for each in named):
        keys["pm"] = True
    if re.search(r"\bFLReset\+|AFCap:\s*TP.\s*FLR\+", text):
        keys["flr"] = True
    if match := _MSI.search(text):
        keys["msi"] = min(int(match[1]), 32)
    if match := _MSIX.search(text):
        keys["msix"] = int(match[1])
    if port and (slot := _SLOT.search(text)) and int(slot[1]):
        keys["slot"] = int(slot[1])
    if port and "HotPlug+" in text:
        keys["hotplug"] = True
    total, places = _VFS.search(text), _VF_PLACES.search(text)
    if total and places:
        vfs: dict[str, object] = {
            "total": int(total[1]),
            "offset": int(places[1]),
            "stride": int(places[2]),
            "vf_id": int(places[3], 16),
        }
        if int(total[2]):
            vfs["enabled"] = int(total[2])
        keys["sriov"] = vfs
    return keys


def _acs(told: str) -> list[str]:
    on = {word[:-1] for word in told.split() if word.endswith("+")}
    return [short for word, short in _ACS_WORDS.items() if word in on and short in ACS_BITS]


_NODE = re.compile(
    r"\[(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2})(?:-([0-9a-fA-F]{2}))?\]|([01][0-9a-fA-F])\.([0-7])(?![0-9a-fA-F])"
)
TREE = re.compile(
    r"[\s|+\\`-]*(?:-\[[0-9a-fA-F:]{2,11}(?:-[0-9a-fA-F]{2})?\]|[-+\\`]-[01][0-9a-fA-F]\.[0-7])"
)


class TreeReader:
    """Rows of `lspci -t`: a bus in brackets stands behind the bridge above it, in its column's context."""

    def __init__(self) -> None:
        self.parents: dict[tuple[int, int], Where] = {}
        self.roots: dict[tuple[int, int], int] = {}
        self.members: dict[Where, Row] = {}
        self._buses: list[tuple[int, int, int]] = []  # (column, segment, bus), outer ones first

    def take(self, row: Row) -> bool:
        if TREE.match(row.text) is None:
            return False
        last: Where | None = None
        end = 0
        for match in _NODE.finditer(row.text):
            if row.text[end : match.start()].strip(" |+\\`-"):
                break  # a name (`-tv`), and what stands in brackets there is none of the tree's
            end = match.end()
            column = match.start()
            while self._buses and self._buses[-1][0] >= column:
                self._buses.pop()
            if match[2] is not None:
                segment = int(match[1] or "0", 16) if last is None and match[1] else None
                if segment is None:
                    segment = self._buses[-1][1] if self._buses else 0
                bus = int(match[2], 16)
                if last is None:
                    self._buses.clear()
                    self.roots.setdefault((segment, bus), row.number)
                else:
                    self.parents.setdefault((segment, bus), last)
                self._buses.append((column, segment, bus))
                last = None
            elif self._buses:
                _, segment, bus = self._buses[-1]
                last = segment, bus, int(match[4], 16) << 3 | int(match[5])
                self.members.setdefault(last, row)
        return True


def begins(text: str) -> bool:
    """Whether a line begins something of lspci's."""
    return bool(
        HEAD.match(text)
        or text[0] == "\t"
        or text.startswith("  ")
        or HEX.fullmatch(text)
        or RECORD.match(text)
        or TREE.match(text)
        or _DETAIL.match(text)
    )


_DETAIL = re.compile(
    r"\s*(?:[A-Z][A-Za-z0-9]{1,12}:|Region \d|Memory |I/O |Prefetchable |Expansion ROM|Secondary status"
    r"|IOMMU group"
    r"|Kernel (?:driver|modules)|NUMA node|Physical Slot)"
)
