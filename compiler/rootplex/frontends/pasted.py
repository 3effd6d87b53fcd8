"""What was pasted of a machine to a description: its functions below the root buses that the texts tell of.

What no text tells is not made up. Where a description must say something all the same (an address of
configuration space, an IOMMU), a remark says that it is assumed; a function whose capabilities are not shown
is described twice: as one that does not isolate (the worst, which `import` writes), and as one that does (the
best). Groups that come out the same both ways are known, the others are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rootplex.capture.facts import KernelWindow
from rootplex.capture.pasted.facts import (
    RANK,
    Form,
    Log,
    Paste,
    PastedFunction,
    PastedGroup,
    PastedRoot,
    Shown,
    Where,
    called,
)
from rootplex.formats.pci import ACS_BITS, ECAM_BUS, ExtendedCapability
from rootplex.frontends.configspace import Config, read_config, register_keys
from rootplex.frontends.document import (
    Hex,
    Imported,
    Missing,
    Names,
    address,
    imported,
    leaf,
    listing,
    record,
    size,
    tree,
)
from rootplex.known.kernels import DEFAULT, profile_of
from rootplex.source.finding import unreadable
from rootplex.source.node import Node
from rootplex.source.place import Place, Span

Case: TypeAlias = Literal["worst", "best"]

_CARDBUS, _IOMMU = 0x0607, 0x0806
_HOST = 0x0600
_SEGMENTS = 0x10000
_HEADER, _CONVENTIONAL, _EXTENDED = 64, 256, 4096
_ECAM, _ECAM_ABOVE = 0xE000_0000, 0x40_0000_0000
_UNIT = 0xFED9_0000
_DEEPEST = 64  # buses below each other
_VFS = 1 << 18  # virtual functions that are looked for, of all physical ones together
_CONVENTIONAL_BUSES = ("pci-bridge", "pcie-to-pci-bridge")
FUNCTIONS = 1 << 13
"""Functions of one machine."""

_NO_PARENT = "no text tells which bridge bus"
_KEPT = (
    "type", "id", "subsystem", "revision", "class", "acs", "ari", "ats", "flr", "slot", "hotplug", "msi",
    "msix", "pin", "pm", "sriov",
)  # fmt: skip
"""The keys of a device, in the order in which they are written."""

WHY: dict[Shown, str] = {
    "nothing": "the text does not show its capabilities",
    "denied": "its capabilities are <access denied>: lspci was not run as root",
    "cut": "the text ends in the middle of it",
    "type": "the text does not show its extended capabilities, of which ACS is one",
}


class Merged(Struct, frozen=True, kw_only=True):
    """One function by all texts. `owned`: it is a virtual one of a function that is described."""

    where: Where
    place: Span
    shown: Shown
    keys: Mapping[str, object]
    bridge: bool | None
    buses: tuple[int, int | None] | None
    virtual: bool
    owned: bool = False
    amd: bool = False
    acs_off: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return called(self.where)

    @property
    def isolation_known(self) -> bool:
        return self.shown == "whole"


class PastedMachine(Struct, frozen=True, kw_only=True):
    """One machine by all of its pastes. `below` are the functions that are reached, by the bus that they are
    on; `roots` the root buses; `unplaced` the functions that are not described, with why;
    `firmware` the files of the board's firmware, where there is one beside the texts."""

    files: tuple[str, ...]
    forms: frozenset[Form]
    functions: Mapping[Where, Merged]
    roots: tuple[tuple[int, int], ...]
    bridges: Mapping[tuple[int, int], Where]
    unplaced: Mapping[Where, str]
    open_bridges: frozenset[Where]
    told_roots: tuple[PastedRoot, ...]
    groups: tuple[PastedGroup, ...]
    log: Log
    by_bus: Mapping[tuple[int, int], Sequence[Merged]]
    below: Mapping[Where, tuple[int, ...]]
    firmware: frozenset[str] = frozenset()

    @property
    def place(self) -> Span:
        for each in self.functions.values():
            return each.place
        for group in self.groups:
            return group.place
        for root in self.told_roots:
            return root.place
        return Span(self.files[0], 1, 1, 1, 2)

    @property
    def kernel(self) -> str | None:
        """The profile of the kernel that ran, where the log tells."""
        return None if self.log.release is None else profile_of(self.log.release)

    def on(self, segment: int, bus: int) -> Sequence[Merged]:
        """The functions of a bus, by devfn."""
        return self.by_bus.get((segment, bus), ())


def machine_of_pastes(pastes: Sequence[Paste]) -> PastedMachine:
    """All texts of one machine, joined by address."""
    log = next((each.log for each in pastes if each.log.release or each.log.failures), Log())
    log = next((each.log for each in pastes if "log" in each.forms and each.log.whole), log)
    functions = _merged(pastes)
    told = tuple(root for each in pastes for root in each.roots)
    parents: dict[tuple[int, int], Where] = {}
    for each in functions.values():
        segment, bus, _ = each.where
        if each.buses is not None and each.buses[0] > bus:
            parents.setdefault((segment, each.buses[0]), each.where)
    for paste in pastes:
        for child, above in paste.parents.items():
            if above in functions and child != above[:2]:
                parents.setdefault(child, above)
    roots = _roots(functions, parents, told)
    reached = set(_reached(functions, parents, roots))
    unplaced = dict(_unplaced(functions, reached))
    secondary = set(parents.values())
    by_bus: dict[tuple[int, int], list[Merged]] = {}
    for where, each in functions.items():
        if where not in unplaced:
            by_bus.setdefault(where[:2], []).append(each)
    below: dict[Where, tuple[int, ...]] = {}
    for (_, bus), above in sorted(parents.items()):
        below[above] = (*below.get(above, ()), bus)
    lost = {where[0] for where, why in unplaced.items() if why.startswith(_NO_PARENT)}
    return PastedMachine(
        files=tuple(paste.file for paste in pastes),
        forms=frozenset(form for paste in pastes for form in paste.forms),
        functions=functions,
        roots=tuple(sorted(root for root in roots if root[0] < _SEGMENTS)),
        bridges=parents,
        unplaced=unplaced,
        open_bridges=frozenset(
            each.where
            for each in functions.values()
            if each.buses is None
            and each.where not in secondary
            and (each.bridge or (each.bridge is None and each.where[0] in lost))
        ),
        told_roots=told,
        groups=tuple(group for paste in pastes for group in paste.groups),
        log=log,
        by_bus=by_bus,
        below=below,
    )


def _merged(pastes: Sequence[Paste]) -> dict[Where, Merged]:
    """Each function by what tells most of it, completed by the others."""
    extended = any(len(each.config) > _CONVENTIONAL for paste in pastes for each in paste.functions)
    by_where: dict[Where, list[PastedFunction]] = {}
    for paste in pastes:
        for each in paste.functions:
            by_where.setdefault(each.where, []).append(_by_registers(each, extended=extended))
    if len(by_where) > FUNCTIONS:
        raise unreadable(pastes[0].file, f"more than {FUNCTIONS:,} functions")
    found = {}
    for where, told in sorted(by_where.items()):
        told.sort(key=lambda each: -RANK[each.shown])
        keys: dict[str, object] = {}
        for each in reversed(told):
            keys |= each.keys
        virtual = any(each.virtual for each in told)
        bridge = next((each.bridge for each in told if each.bridge is not None), None)
        buses = [each.buses for each in told if each.buses is not None]
        found[where] = Merged(
            where=where,
            place=told[0].place,
            shown=told[0].shown,
            keys=keys,
            bridge=True if buses else bridge,
            buses=buses[0] if buses else None,
            virtual=virtual,
            amd=any(each.amd for each in told),
            acs_off=next((each.acs_off for each in told if each.acs_off), ()),
        )
    return _without_virtual(found)


def _by_registers(told: PastedFunction, *, extended: bool) -> PastedFunction:
    """The function with what its configuration space says, as far as that was printed."""
    data = told.config
    if len(data) < _HEADER or data[:4] in (b"\xff" * 4, b"\0" * 4):
        return told
    config = read_config(data)
    keys = {key: value for key, value in register_keys(config).items() if value is not None}
    shown = _shown(config, extended=extended)
    if shown in ("nothing", "cut"):
        keys.pop("type", None)
    return replace(
        told,
        keys={**told.keys, **keys},
        shown=shown,
        bridge=config.header == 1,
        buses=config.buses,
        acs_off=_switched_off(config),
    )


def _switched_off(config: Config) -> tuple[str, ...]:
    at = config.extended.get(ExtendedCapability.ACS)
    if at is None or at + 8 > len(config.data):
        return ()
    off = config.number(at + 4, 2) & ~config.number(at + 6, 2)
    return tuple(word.upper() for word in ("sv", "rr", "cr", "uf") if off & ACS_BITS[word])


def _shown(config: Config, *, extended: bool) -> Shown:
    length = len(config.data)
    if not config.number(0x06, 2) & 0x10:
        return "whole"
    if length < _CONVENTIONAL:
        return "nothing"
    if config.type in ("pci-bridge", "host-bridge-function", "pci"):
        return "whole"
    if length == _CONVENTIONAL:
        # Where the text shows more of others, this is all that the kernel can read of this one.
        return "whole" if extended else "type"
    return "whole" if length >= _EXTENDED or config.ends else "type"


def _without_virtual(found: dict[Where, Merged]) -> dict[Where, Merged]:
    """Virtual functions marked with the physical function that tells of them: they are in its description."""
    budget = _VFS
    for where, each in list(found.items()):
        vfs = each.keys.get("sriov")
        if not isinstance(vfs, Mapping):
            continue
        first = (where[1] << 8 | where[2]) + int(vfs["offset"])
        for index in range(min(int(vfs.get("enabled", 0)), budget)):
            budget -= 1
            rid = first + index * int(vfs["stride"])
            at = where[0], rid >> 8, rid & 0xFF
            if at in found and at != where:
                found[at] = replace(found[at], virtual=True, owned=True, shown="whole")
    return found


def _roots(
    functions: Mapping[Where, Merged], parents: Mapping[tuple[int, int], Where], told: Iterable[PastedRoot]
) -> set[tuple[int, int]]:
    """The root buses: those that a text calls so, bus 0, and where every bridge of a segment tells its buses
    those that are below none and have what only a root bus has. Below a bridge that the text leaves out is
    device 0 alone as a rule."""
    buses = {where[:2] for where in functions}
    named = {(root.segment, root.bus) for root in told}
    roots = {bus for bus in buses if bus in named or bus[1] == 0}
    silent = {
        each.where[0] for each in functions.values() if each.bridge is not False and each.buses is None
    } - {root.segment for root in told if root.by in ("tree", "groups")}
    roots |= {
        where[:2]
        for where, each in functions.items()
        if where[:2] not in parents and where[0] not in silent and _is_of_root_bus(each)
    }
    return {bus for bus in roots if bus not in parents}


def _is_of_root_bus(each: Merged) -> bool:
    kinds = ("root-port", "integrated-endpoint", "event-collector")
    return (
        each.keys.get("type") in kinds
        or _class(each) == _HOST
        or (each.where[2] >> 3 > 0 and not each.virtual)
    )


def _reached(
    functions: Mapping[Where, Merged],
    parents: Mapping[tuple[int, int], Where],
    roots: Iterable[tuple[int, int]],
) -> Iterator[Where]:
    on: dict[tuple[int, int], list[Where]] = {}
    for where in functions:
        on.setdefault(where[:2], []).append(where)
    below: dict[Where, list[tuple[int, int]]] = {}
    for bus, above in parents.items():
        below.setdefault(above, []).append(bus)
    todo, seen = [(root, 0) for root in roots], set(roots)
    while todo:
        at, depth = todo.pop()
        for where in on.get(at, ()):
            yield where
            for bus in below.get(where, ()) if depth < _DEEPEST else ():
                if bus not in seen:
                    seen.add(bus)
                    todo.append((bus, depth + 1))


def _unplaced(functions: Mapping[Where, Merged], reached: set[Where]) -> Iterator[tuple[Where, str]]:
    cardbus = {
        (each.where[0], each.buses[0])
        for each in functions.values()
        if each.buses is not None and _class(each) == _CARDBUS
    }
    for where, each in functions.items():
        if where[0] >= _SEGMENTS:
            yield where, "its domain is one that only a driver makes (Intel VMD)"
        elif _class(each) == _CARDBUS or where[:2] in cardbus:
            yield where, "it has to do with a CardBus bridge, which the language has not"
        elif where not in reached:
            yield where, f"{_NO_PARENT} {where[1]:02x} is below"
        elif where[2] & 7 and (where[0], where[1], where[2] & 0xF8) not in functions and not each.virtual:
            yield where, "function 0 of its device is not in the text"
        elif each.virtual and not each.owned:
            yield where, "it is a virtual function, and no text tells whose"


def _class(each: Merged) -> int:
    code = each.keys.get("class")
    return code >> 8 if isinstance(code, int) else 0


# -- to a description ------------------------------------------------------------------------------------


def import_pastes(machine: PastedMachine, case: Case = "worst") -> Imported:
    """The description of a machine of which there are pastes alone."""
    place = machine.place
    missing: list[Missing] = []
    keys = [f"{segment:04x}:{bus:02x}" for segment, bus in machine.roots]
    names = Names()
    arch, told = _arch(machine)
    head = {
        "name": leaf(names.take(machine.files[0].rpartition("/")[2].partition(".")[0], "machine"), place),
        "arch": leaf(arch, place, told),
        "firmware": tree([firmware_of(machine, arch)], place),
    }
    if told:
        missing.append(Missing("platform.arch", f"{arch} is put down", place))
    units, unit_of = _units(machine, arch, missing)
    bridges = [
        _bridge(machine, segment, bus, unit_of[segment, bus], names, missing, case)
        for segment, bus in machine.roots
    ]
    missing += missing_of(machine)
    document = {
        "rootplex": leaf(1, place),
        "platform": record(place, dict(head)),
        "iommus": listing(units, place) if units else None,
        "host_bridges": listing(bridges, place),
        "xen": _kernel(machine, place),
    }
    source = " and ".join(dict.fromkeys(file.rpartition("/")[2] for file in machine.files))
    return imported(machine.files[0], record(place, document), keys, missing, f"what was pasted in {source}")


def missing_of(machine: PastedMachine) -> Iterator[Missing]:
    """What no text tells of functions, and what is put down in its place."""
    for where, why in machine.unplaced.items():
        yield Missing(called(where), f"{why}; it is left out", machine.functions[where].place)
    for each in machine.functions.values():
        if each.where in machine.unplaced or each.virtual:
            continue
        if "id" not in each.keys:
            yield Missing(
                f"{each.name}: its ids", "the text has names alone (lspci -nn shows them)", each.place
            )
        if each.isolation_known:
            continue
        what = "its ACS" if each.shown == "type" else "its type and ACS"
        yield Missing(
            f"{each.name}: {what}",
            f"{WHY[each.shown]}; it is put down as one that does not isolate",
            each.place,
        )


def _arch(machine: PastedMachine) -> tuple[str, str | None]:
    told = machine.log.arch
    if told in ("x86_64", "arm64"):
        return told, None
    return "x86_64", "assumed: no text tells it"


def firmware_of(machine: PastedMachine, arch: str) -> Literal["dt", "acpi"]:
    """By what the kernel booted: on Arm the log tells, a PC has ACPI."""
    return "dt" if arch == "arm64" and machine.log.firmware == "dt" else "acpi"


def iommu_kind(machine: PastedMachine) -> tuple[str, str | None]:
    """The kind of IOMMU, and what is assumed of it; None where the log tells."""
    told = machine.log.iommu
    if told == "amd-iommu" and _amd_functions(machine) is None:
        return "intel-vtd", "an IOMMU that translates every bridge (AMD's own function is not in the text)"
    if told in ("intel-vtd", "amd-iommu", "arm-smmu-v3", "arm-smmu-v2"):
        return told, None
    if machine.log.arch == "arm64":
        return "arm-smmu-v3", "an SMMUv3 that translates every bridge, with requester ids for StreamIDs"
    amd = any(_is_amd(each) for each in machine.functions.values() if _class(each) in (_HOST, _IOMMU))
    if not amd:
        return "intel-vtd", "a VT-d unit that translates every bridge"
    if _amd_functions(machine) is None:
        # Linux uses AMD's only with its own function; what differs are functions of southbridges.
        return "intel-vtd", "an IOMMU that translates every bridge (AMD's own function is not in the text)"
    return "amd-iommu", "an AMD IOMMU that translates every bridge"


def _amd_functions(machine: PastedMachine) -> dict[tuple[int, int], int] | None:
    """The devfn of each root bus's own AMD IOMMU; None where one has none."""
    found = {
        root: each.where[2]
        for root in machine.roots
        for each in machine.on(*root)
        if _class(each) == _IOMMU and _is_amd(each)
    }
    return found if len(found) == len(machine.roots) else None


def _is_amd(each: Merged) -> bool:
    return each.amd or str(each.keys.get("id", ""))[:4] in ("1022", "1002")


def assumptions(machine: PastedMachine) -> Iterator[str]:
    """What is assumed for want of a text that tells it, in words."""
    _, assumed = iommu_kind(machine)
    if assumed is not None:
        yield assumed
    if machine.log.release is None:
        yield "the newest kernel that is known here"
    off = [each.name for each in machine.functions.values() if each.acs_off]
    if off and not machine.groups:
        shown = ", ".join(off[:6])
        yield f"ACS switched on, as a kernel with an IOMMU does it; the text shows it off at {shown}"


def _units(
    machine: PastedMachine, arch: str, missing: list[Missing]
) -> tuple[list[Node], dict[tuple[int, int], str]]:
    """The IOMMU of each segment, AMD's of each root bus, and the name of each root bus's."""
    place = machine.place
    kind, assumed = iommu_kind(machine)
    if (arch == "arm64") != kind.startswith("arm"):
        kind, assumed = (
            ("arm-smmu-v3" if arch == "arm64" else "intel-vtd"),
            "an IOMMU that translates every bridge",
        )
    remark = None if assumed is None else f"assumed: {assumed}"
    if assumed is not None:
        missing.append(Missing("the IOMMU", f"no text tells it; assumed is {assumed}", place))
    own = _amd_functions(machine) if kind == "amd-iommu" else None
    behind: dict[object, list[tuple[int, int]]] = {}
    for root in machine.roots:
        behind.setdefault(root[0] if own is None else root, []).append(root)
    units: list[Node] = []
    names: dict[tuple[int, int], str] = {}
    for number, roots in enumerate(behind.values()):
        name = "iommu" if len(behind) == 1 else f"iommu{number}"
        names |= dict.fromkeys(roots, name)
        fields: dict[str, object] = {
            "name": name,
            "kind": kind,
            "base": address(_UNIT + number * (0x2_0000 if arch == "arm64" else 0x1000)),
        }
        if own is not None:
            fields |= {"dev": own[roots[0]] >> 3, "fn": own[roots[0]] & 7}
        if kind == "intel-vtd" and roots[0][0]:
            fields["segment"] = roots[0][0]
        units.append(tree(fields, place, remark))
    return units, names


def _bridge(
    machine: PastedMachine,
    segment: int,
    bus: int,
    unit: str,
    names: Names,
    missing: list[Missing],
    case: Case,
) -> Node:
    place = next((each.place for each in machine.on(segment, bus)), machine.place)
    told = _told_root(machine, segment, bus)
    last = max(_last(machine, segment, bus), bus)
    if told is not None and told.buses is not None and told.buses.first == bus:
        last = max(last, told.buses.last)
    elif (
        following := [each for at, each in machine.roots if at == segment and each > bus]
    ) and last >= following[0]:
        last = following[0] - 1
    base = next(
        (found for at, first, end, found in machine.log.ecam if at == segment and first <= bus <= end), None
    )
    ecam = _ECAM if segment == 0 else _ECAM_ABOVE + (segment << 28)
    config = address((ecam if base is None else base) + bus * ECAM_BUS)
    if base is None:
        missing.append(
            Missing("config.base", "no text tells where configuration space is; one is assumed", place)
        )
    windows = () if told is None else told.windows
    if not windows:
        missing.append(Missing("windows", "no text tells them, so BARs are left out", place))
    fields: dict[str, Node | None] = {
        "name": leaf(names.take(f"pci{segment:04x}-{bus:02x}", "pci"), place),
        "segment": leaf(segment, place),
        "bus_range": tree([Hex(bus), Hex(last)], place, "root bus and the last one below"),
        "config": tree({"base": config}, place, None if base is not None else "assumed: no text tells it"),
        "windows": listing((_window(window, at) for window, at in windows), place) if windows else None,
        "iommu": tree({"unit": unit}, place),
        "devices": device_nodes(machine, segment, bus, case),
    }
    return record(place, fields, f"{segment:04x}:{bus:02x}")


def _told_root(machine: PastedMachine, segment: int, bus: int) -> PastedRoot | None:
    return next(
        (
            root
            for root in machine.told_roots
            if (root.segment, root.bus) == (segment, bus) and root.by == "log"
        ),
        None,
    )


def _window(window: KernelWindow, place: Span) -> Node:
    space = (
        "io" if window.space == "io" else "mem64" if window.pci + window.end - window.start >> 32 else "mem32"
    )
    fields = {
        "space": leaf(space, place),
        "pci": leaf(address(window.pci), place),
        "cpu": leaf(address(window.start), place) if window.start != window.pci else None,
        "size": leaf(size(window.end - window.start + 1), place),
        "prefetchable": leaf(True, place) if window.prefetchable and space != "io" else None,
    }
    return record(place, fields)


def _kernel(machine: PastedMachine, place: Place) -> Node | None:
    kernel = machine.kernel
    if kernel in (None, DEFAULT):
        return None
    remark = f"Linux {machine.log.release}"
    return record(place, {"dom0": record(place, {"kernel": leaf(kernel, place, remark)})})


def _last(machine: PastedMachine, segment: int, bus: int) -> int:
    """The last bus number at or below a bus."""
    found, todo = bus, [bus]
    while todo:
        for each in machine.on(segment, todo.pop()):
            buses = _buses(machine, each)
            if buses is not None and buses[0] > each.where[1]:
                if machine.bridges.get((segment, buses[0])) == each.where:
                    todo.append(buses[0])
                found = max(found, *(number for number in buses if number is not None))
            vfs = each.keys.get("sriov")
            if isinstance(vfs, Mapping) and vfs.get("enabled"):
                last = int(vfs["offset"]) + (int(vfs["enabled"]) - 1) * int(vfs["stride"])
                found = max(found, ((each.where[1] << 8 | each.where[2]) + last) >> 8)
    return min(found, 0xFF)


def _buses(machine: PastedMachine, each: Merged) -> tuple[int, int | None] | None:
    if each.buses is not None:
        return each.buses if each.buses[0] else None
    below = machine.below.get(each.where)
    return (below[0], None) if below else None


def device_nodes(machine: PastedMachine, segment: int, bus: int, case: Case) -> Node | None:
    """The `devices` of a root bus; None without functions."""
    nodes = _nodes(machine, segment, bus, None, case)
    return listing(nodes, nodes[0].place) if nodes else None


def _nodes(machine: PastedMachine, segment: int, bus: int, above: str | None, case: Case) -> list[Node]:
    return [_device(machine, each, above, case) for each in machine.on(segment, bus) if not each.virtual]


def _device(machine: PastedMachine, each: Merged, above: str | None, case: Case) -> Node:
    segment, bus, devfn = each.where
    place = each.place
    buses = _buses(machine, each)
    secondary = buses[0] if buses is not None and buses[0] > bus else None
    if secondary is not None and machine.bridges.get((segment, secondary)) != each.where:
        secondary = None  # another one has that bus, too, and was told first
    children = [] if secondary is None else [one for one in machine.on(segment, secondary) if not one.virtual]
    kind, acs = _kind(machine, each, children, above, case)
    keys = {key: each.keys[key] for key in _KEPT if key in each.keys}
    keys["type"] = kind
    if acs is not None:
        keys["acs"] = acs
    if above in _CONVENTIONAL_BUSES:
        keys.pop("ari", None)
    fields: dict[str, Node | None] = {
        "dev": leaf(devfn >> 3, place),
        "fn": leaf(devfn & 7, place) if devfn & 7 else None,
    }
    remark = None if each.isolation_known else WHY[each.shown]
    for key in _KEPT:
        if key in keys:
            value = keys[key]
            shown = Hex(value) if key in ("class", "revision") and isinstance(value, int) else value
            fields[key] = tree(shown, place, remark if key == "type" else None)
    if buses is not None and (each.bridge or children):
        last = buses[1] if buses[1] is not None else max(_last(machine, segment, buses[0]), buses[0])
        fields["bus"] = tree([Hex(buses[0]), Hex(max(last, buses[0]))], place)
        below = [_device(machine, one, kind, case) for one in children]
        if below:
            fields["devices"] = listing(below, place)
    return record(place, fields, each.name)


def _kind(
    machine: PastedMachine, each: Merged, children: Sequence[Merged], above: str | None, case: Case
) -> tuple[str, object | None]:
    """The type, and ACS where the text does not tell it."""
    told = each.keys.get("type")
    if each.isolation_known and isinstance(told, str):
        return told, None
    best = case == "best"
    is_bridge = bool(each.bridge or children)
    if each.shown == "type" and isinstance(told, str):
        return told, True if best and told not in _CONVENTIONAL_BUSES else None
    host = _class(each) == _HOST
    if above in _CONVENTIONAL_BUSES or not best:
        return ("pci-bridge" if is_bridge else "host-bridge-function" if host else "pci"), None
    if not is_bridge:
        if above is None:
            return (
                ("host-bridge-function", None)
                if host and not each.where[2] & 7
                else ("integrated-endpoint", True)
            )
        return "endpoint", True
    plain = all(not one.where[2] >> 3 for one in children)
    if above is None:
        return ("root-port", True) if plain else ("pci-bridge", None)
    if above == "upstream-port":
        return ("downstream-port", True) if plain else ("pcie-to-pci-bridge", None)
    if children and all(one.bridge is not False for one in children):
        return "upstream-port", None
    return "pcie-to-pci-bridge", None
