"""What AML says of host bridges: evaluated by ACPICA's own interpreter (`acpiexec`).

There is no hardware and no memory behind the interpreter: what a method reads from an operation
region is zero there. A value whose evaluation touched a region is `unknown`: it is shown, but
nothing can be concluded from it.

The facts are in `aml_facts` and offered here too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from rootplex.formats.acpi import (
    EXPRESS_ROOT_BRIDGE,
    EXTERNAL_FACING,
    PROPERTY_UUIDS,
    ROOT_BRIDGE,
    USB4_HOST,
)
from rootplex.readers.acpi.acpiexec import LOOP_SECONDS, AmlObject, Evaluation, budget, session
from rootplex.readers.acpi.aml_facts import (
    AcpiDevice,
    AcpiHostBridge,
    Namespace,
    PrtEntry,
    State,
    Template,
    Value,
)
from rootplex.readers.acpi.asking_table import ARGUMENTS, ASKED, asking_table
from rootplex.readers.acpi.header import Table
from rootplex.readers.acpi.resources import read_resources
from rootplex.readers.problem import Problem
from rootplex.source.finding import Unreadable, unreadable
from rootplex.source.place import TablePlace
from rootplex.tools.runner import MEMORY_LIMIT

__all__ = [
    "HOST_BRIDGE_IDS",
    "MOTHERBOARD_IDS",
    "AcpiDevice",
    "AcpiHostBridge",
    "Namespace",
    "PrtEntry",
    "State",
    "Template",
    "Value",
    "evaluate",
]

T = TypeVar("T")

HOST_BRIDGE_IDS = frozenset({ROOT_BRIDGE, EXPRESS_ROOT_BRIDGE})
MOTHERBOARD_IDS = frozenset({"PNP0C01", "PNP0C02"})

_EVERYWHERE = (
    "_HID", "_CID", "_UID", "_SEG", "_BBN", "_CBA", "_CCA", "_PXM", "_CRS", "_DMA", "_PRT",
)  # fmt: skip
_OF_PORTS = ("_ADR", "_DSD")
PRT_ELEMENTS = 4
"""Address, pin, source, index."""
_TEMPLATES = ("_CRS", "_DMA")
_PROPERTIES = frozenset(UUID(each).bytes_le for each in PROPERTY_UUIDS)
_OTHER_FILL = 0x5A
_STATUS = {
    "AE_NO_MEMORY": f"evaluation needs more than the {MEMORY_LIMIT >> 20} MiB of memory it may take",
    "AE_AML_LOOP_TIMEOUT": f"a loop in it does not end within {LOOP_SECONDS} second",
}


def evaluate(tables: Sequence[Table]) -> Namespace:
    """Load the DSDT and SSDTs among `tables` (in their order, the DSDT first) and evaluate what
    they say of host bridges. `_STA` may wait for hardware: only bridges and motherboard resources are asked.

    Unreadable: no AML table, or AML that the interpreter cannot load or finish. ToolError: no
    acpiexec. What fails to evaluate is a `Value` that says so.
    """
    aml = [table for table in tables if table.signature == "DSDT"][:1]
    aml += [table for table in tables if table.signature in ("SSDT", "PSDT")]
    cut = [problem for table in aml for problem in table.problems if problem.kind == "length"]
    if cut:
        raise unreadable(cut[0].place, f"AML that is cut off: {cut[0].text}")
    if not aml:
        raise unreadable(
            tables[0].file if tables else "",
            "no DSDT and no SSDT: there is no AML",
            help="give the DSDT and SSDTs, too: host bridges are described there; `rootplex validate` and "
            "`rootplex diff` take a table alone",
        )
    return _evaluated(tuple(aml))


@lru_cache(maxsize=4)
def _evaluated(aml: tuple[Table, ...]) -> Namespace:
    """The same bytes say the same: a process that stays asks the interpreter once."""
    properties = (EXTERNAL_FACING.encode(), USB4_HOST.encode())
    ports = _OF_PORTS if any(name in table.data for table in aml for name in properties) else ()
    everywhere = [f"All {name}" for name in (*_EVERYWHERE, *ports)]
    until = budget()
    with session(aml, until=until) as interpreter:
        told = interpreter.answers(*everywhere, *(f"Find {name}" for name in ARGUMENTS))
        evaluations, found = told.evaluations, told.found
        ids = _ids(evaluations)
        paths = [path for path, names in ids.items() if HOST_BRIDGE_IDS & set(names)]
        motherboard_paths = [path for path, names in ids.items() if MOTHERBOARD_IDS & set(names)]
        asked = [path for path in paths if any(f"{path}.{name}" in found for name in ARGUMENTS)]
        asked += [path for path in motherboard_paths if f"{path}._STA" in found.difference(evaluations)]
        if asked:
            questions = asking_table(asked, aml)
            interpreter.load(questions.table)
            evaluations |= questions.answers(interpreter.answers(f"All {ASKED}").evaluations)
    again: dict[str, Evaluation] | None = None
    takers = {path for path, done in evaluations.items() if path.endswith(_TEMPLATES) and _takes_memory(done)}
    shown = takers | {f"{path}.{name}" for path in (*paths, *motherboard_paths) for name in _TEMPLATES}
    if any(evaluations[path].touched for path in shown & evaluations.keys()):
        # Other memory may lead a method astray; then nothing is sure.
        with suppress(Unreadable), session(aml, fill=_OTHER_FILL, until=until) as interpreter:
            again = interpreter.answers(*(f"All {name}" for name in _TEMPLATES)).evaluations
    reader = _Reader(aml, evaluations, found, again)
    devices = [path.removesuffix("._CRS") for path in evaluations if path.endswith("._CRS")]
    others = [reader.device(path, ids.get(path, ())) for path in devices if path not in paths]
    motherboard = [device for device in others if MOTHERBOARD_IDS & {device.hid, *device.cids}]
    consumers = [device for device in others if device not in motherboard and f"{device.path}._CRS" in takers]
    return Namespace(
        file=aml[0].file,
        bridges=tuple(reader.bridge(path, ids[path]) for path in paths),
        motherboard=tuple(motherboard),
        consumers=tuple(consumers),
        problems=tuple(problem for table in aml for problem in table.problems),
    )


def _ids(evaluations: dict[str, Evaluation]) -> dict[str, tuple[str, ...]]:
    """Each device's `_HID` (first) and `_CID`s, by path, in namespace order."""
    found: dict[str, tuple[str, ...]] = {}
    for suffix in ("._HID", "._CID"):
        for path, done in evaluations.items():
            if path.endswith(suffix):
                names = tuple(filter(None, map(_id_text, _flat(done.value))))
                device = path.removesuffix(suffix)
                found[device] = found.get(device, ()) + names
    return found


def _flat(value: AmlObject) -> Iterator[AmlObject]:
    if isinstance(value, tuple):
        yield from value
    else:
        yield value


def _id_text(value: AmlObject) -> str | None:
    """A device id as text: strings as they are, integers as compressed EISA ids (ACPI 6.5 §19.6.36)."""
    if isinstance(value, str):
        return value
    if not isinstance(value, int):
        return None
    number = int.from_bytes((value & 0xFFFFFFFF).to_bytes(4, "little"), "big")
    letters = "".join(chr(0x40 + (number >> shift & 0x1F)) for shift in (26, 21, 16))
    return f"{letters}{number & 0xFFFF:04X}"


def _takes_memory(template: Evaluation) -> bool:
    data = template.value
    return isinstance(data, bytes) and any(item.type == "memory" for item in read_resources(data).items)


class _Reader:
    """Makes values of what the interpreter printed."""

    def __init__(
        self,
        tables: Sequence[Table],
        evaluations: dict[str, Evaluation],
        found: frozenset[str],
        again: dict[str, Evaluation] | None,
    ) -> None:
        self.tables = tables
        self.evaluations = evaluations
        self.found = found
        self.again = again
        self.defined: dict[str, Table] = {}

    def bridge(self, path: str, ids: tuple[str, ...]) -> AcpiHostBridge:
        crs, dma = self.template(path, "_CRS"), self.template(path, "_DMA")
        problems = [
            Problem("cut-off", each.place, f"resource template: {each.value.fault}")
            for each in (crs, dma)
            if each.value is not None and each.value.fault is not None
        ]
        problems += self.malformed_prt(path)
        hid, cids = self.split(path, ids)
        return AcpiHostBridge(
            path=path,
            hid=hid,
            cids=cids,
            seg=self.value(path, "_SEG", _as_int),
            bbn=self.value(path, "_BBN", _as_int),
            cba=self.value(path, "_CBA", _as_int),
            uid=self.value(path, "_UID", _as_uid),
            sta=self.value(path, "_STA", _as_int),
            crs=crs,
            dma=dma,
            cca=self.value(path, "_CCA", _as_int),
            pxm=self.value(path, "_PXM", _as_int),
            prt=self.value(path, "_PRT", _as_prt),
            osc=self.value(path, "_OSC", _as_cells),
            preserve=self.preserve(path),
            place=self.place(path),
            external_facing=tuple(self.ports(path, EXTERNAL_FACING, _is_flag)),
            tunnels=tuple(self.ports(path, USB4_HOST, _is_reference)),
            problems=tuple(problems),
        )

    def malformed_prt(self, path: str) -> Iterator[Problem]:
        """The first entry of `_PRT` that is none: with it the interpreter refuses the package."""
        done = self.evaluations.get(f"{path}._PRT")
        rows = None if done is None else done.value
        for number, row in enumerate(rows if isinstance(rows, tuple) else ()):
            if not isinstance(row, tuple) or len(row) != PRT_ELEMENTS:
                what = f"{len(row)} elements" if isinstance(row, tuple) else _kind(row)
                place = self.place(path, "_PRT")
                yield Problem("count", place, f"entry {number} is {what}, not a package of {PRT_ELEMENTS}")
                return

    def ports(self, path: str, name: str, is_set: Callable[[AmlObject], bool]) -> Iterator[tuple[int, ...]]:
        """The ways to the devices below whose `_DSD` has the property (pci-acpi.c:
        pci_acpi_set_external_facing; arch/x86/pci/acpi.c:pcie_has_usb4_host_interface)."""
        for object, done in self.evaluations.items():
            port = object.removesuffix("._DSD")
            if port == object or not port.startswith(f"{path}."):
                continue
            if not any(map(is_set, _property(done.value, name))):
                continue
            names = port.removeprefix(f"{path}.").split(".")
            above = (".".join((path, *names[: count + 1])) for count in range(len(names)))
            way = [self.value(each, "_ADR", _as_int).known for each in above]
            if None not in way:
                yield tuple((each >> 16 & 0x1F) << 3 | each & 7 for each in way if each is not None)

    def device(self, path: str, ids: tuple[str, ...]) -> AcpiDevice:
        hid, cids = self.split(path, ids)
        uid: Value[int | str] = self.value(path, "_UID", _as_uid)
        sta = self.value(path, "_STA", _as_int)
        return AcpiDevice(path, hid, cids, uid, sta, self.template(path, "_CRS"), self.place(path))

    def split(self, path: str, ids: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
        """The `_HID` and the `_CID`s of a device, of its ids in that order."""
        has_hid = f"{path}._HID" in self.evaluations and bool(ids)
        return (ids[0], ids[1:]) if has_hid else (None, ids)

    def place(self, path: str, name: str | None = None) -> TablePlace:
        """The place of a device or one of its objects: in the table that seems to define it."""
        if path not in self.defined:
            last = path.rpartition(".")[2].lstrip("\\").ljust(4, "_").encode()
            tables = (table for table in self.tables if _defines(table.data, last))
            self.defined[path] = next(tables, self.tables[0])
        return self.defined[path].place(path=path if name is None else f"{path}.{name}")

    def value(self, path: str, name: str, convert: Callable[[AmlObject], T | None]) -> Value[T]:
        place = self.place(path, name)
        full = f"{path}.{name}"
        done = self.evaluations.get(full)
        if done is None and name == "_STA" and full in self.found:
            return Value("unknown", None, "it is not asked: it may wait for hardware", place)
        is_asked = name in ("_STA", "_OSC", "_DSM")
        if done is None or (is_asked and full not in self.found):
            return Value("absent", None, None, place)
        value = convert(done.value) if done.status == "AE_OK" else None
        if done.touched:
            more = ", …" if len(done.touched) > 3 else ""
            reason = f"computed from {', '.join(done.touched[:3])}{more}, which a dump does not have"
            return Value("unknown", value, reason, place)
        if value is None:
            reason = _STATUS.get(done.status, f"evaluation ends with {done.status}")
            if done.status == "AE_OK":
                reason = f"it is {_kind(done.value)}"
            return Value("failed", None, reason, place)
        return Value("known", value, None, place)

    def template(self, path: str, object: str) -> Value[Template]:
        """A resource template, `_CRS` or `_DMA`."""

        def convert(value: AmlObject) -> Template | None:
            return self.descriptors(f"{path}.{object}", value) if isinstance(value, bytes) else None

        return self.value(path, object, convert)

    def descriptors(self, name: str, data: bytes) -> Template:
        resources = read_resources(data)
        sure = [True] * len(resources.items)
        if self.evaluations[name].touched:
            second = self.again.get(name) if self.again is not None else None
            other = second.value if second is not None and isinstance(second.value, bytes) else b""
            sure = [
                data[item.offset : item.offset + item.size] == other[item.offset : item.offset + item.size]
                for item in resources.items
            ]
        return Template(data, resources.items, tuple(sure), resources.fault)

    def preserve(self, path: str) -> Value[int]:
        answer = self.value(path, "_DSM", _as_int)
        if answer.state == "failed":
            return Value("absent", None, "function 5 gives no integer", answer.place)
        return answer


def _defines(aml: bytes, name: bytes) -> bool:
    """Whether a DeviceOp (ACPI 6.5 §20.2.5.2) stands before a name, at most a length and a long path away."""
    at = aml.find(name)
    while at >= 0 and aml.rfind(b"\x5b\x82", max(0, at - 42), at - 1) < 0:
        at = aml.find(name, at + 1)
    return at >= 0


def _as_int(value: AmlObject) -> int | None:
    return value if isinstance(value, int) else None


def _as_uid(value: AmlObject) -> int | str | None:
    return value if isinstance(value, (int, str)) else None


def _as_cells(value: AmlObject) -> tuple[int, ...] | None:
    if not isinstance(value, bytes):
        return None
    count = len(value) // 4
    return struct.unpack_from(f"<{count}I", value)


def _property(value: AmlObject, name: str) -> Iterator[AmlObject]:
    """What a `_DSD`, pairs of UUID and properties, says of a property."""
    if not isinstance(value, tuple):
        return
    for uuid, rows in zip(value[::2], value[1::2], strict=False):
        if uuid in _PROPERTIES and isinstance(rows, tuple):
            for row in rows:
                if isinstance(row, tuple) and len(row) == 2 and row[0] == name:
                    yield row[1]


def _is_flag(value: AmlObject) -> bool:
    """A byte and not 0."""
    return isinstance(value, int) and 0 < value <= 0xFF


def _is_reference(value: AmlObject) -> bool:
    """An object, which the interpreter tells by its name; or a list that begins with one."""
    return isinstance(value[0] if isinstance(value, tuple) and value else value, str)


def _as_prt(value: AmlObject) -> tuple[PrtEntry, ...] | None:
    """The well-formed entries of a `_PRT`; None where it is no package."""
    if not isinstance(value, tuple):
        return None
    entries = []
    for row in value:
        if not isinstance(row, tuple) or len(row) != PRT_ELEMENTS:
            continue
        address, pin, source, index = row
        if isinstance(address, int) and isinstance(pin, int) and isinstance(index, int):
            link = source if isinstance(source, str) and source else None
            entries.append(PrtEntry(address >> 16, address & 0xFFFF, pin, link, index))
    return tuple(entries)


def _kind(value: AmlObject) -> str:
    match value:
        case int():
            return "an integer"
        case str():
            return "a string"
        case bytes():
            return "a buffer"
        case tuple():
            return "a package"
    return "nothing with a value"
