"""What was pasted of a machine to a description: its functions below the root buses that the texts tell of.

What no text tells is not made up. Where a description must say something all the same (an address of
configuration space, an IOMMU), a remark says that it is assumed; a function whose capabilities are not shown
is described twice: as one that does not isolate (the worst, which `import` writes), and as one that does (the
best). Groups that come out the same both ways are known, the others are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from rootplex.capture.facts import KernelWindow
from rootplex.capture.pasted.facts import (
    PastedRoot,
    called,
)
from rootplex.formats.pci import ECAM_BUS
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
from rootplex.frontends.pasted.devices import WHY, Case, device_nodes
from rootplex.frontends.pasted.machine import (
    HOST_BRIDGE,
    Merged,
    PastedMachine,
    class_code,
    last_bus,
)
from rootplex.frontends.pasted.windows import HostWindows, host_windows
from rootplex.known.kernels import DEFAULT
from rootplex.source.node import Node
from rootplex.source.place import Place, Span

_IOMMU = 0x0806
_BUSES = 256
_ECAMS = (0xE000_0000, 0xB000_0000, 0x8000_0000)
_ABOVE = (0x40_0000_0000, 0x400_0000_0000, 0x4000_0000_0000)
"""Where a PC has configuration space, or could."""
_UNITS = (0xFED9_0000, 0x3F_FFF0_0000, 0x3FF_FFF0_0000)
_PORTS, _PORTS_SIZE = (0x3EFF_0000, 0xEFFF_0000, 0x3F_FFE0_0000), 1 << 16
"""Where Arm's I/O windows are assumed: the kernel's log has its own port numbers for them."""


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
    known = host_windows(machine)
    units, unit_of = _units(machine, arch, known, missing)
    bridges = [
        _bridge(machine, segment, bus, unit_of[segment, bus], known, names, missing, case)
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
    amd = any(
        _is_amd(each) for each in machine.functions.values() if class_code(each) in (HOST_BRIDGE, _IOMMU)
    )
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
        if class_code(each) == _IOMMU and _is_amd(each)
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
    machine: PastedMachine,
    arch: str,
    known: Mapping[tuple[int, int], HostWindows],
    missing: list[Missing],
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
    step = 0x2_0000 if arch == "arm64" else 0x1000
    first = _free(_UNITS, len(behind) * step, known)
    units: list[Node] = []
    names: dict[tuple[int, int], str] = {}
    for number, roots in enumerate(behind.values()):
        name = "iommu" if len(behind) == 1 else f"iommu{number}"
        names |= dict.fromkeys(roots, name)
        fields: dict[str, object] = {
            "name": name,
            "kind": kind,
            "base": address(first + number * step),
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
    known: Mapping[tuple[int, int], HostWindows],
    names: Names,
    missing: list[Missing],
    case: Case,
) -> Node:
    place = next((each.place for each in machine.on(segment, bus)), machine.place)
    told = _told_root(machine, segment, bus)
    last = max(last_bus(machine, segment, bus), bus)
    if told is not None and told.buses is not None and told.buses.first == bus:
        last = max(last, told.buses.last)
    else:
        ahead = next((each for at, each in machine.roots if at == segment and each > bus), _BUSES) - 1
        # A bridge of which no text tells the bus below needs one all the same.
        untold = any(where[0] == segment for where in machine.open_bridges)
        last = ahead if untold else min(last, ahead)
    base = next(
        (found for at, first, end, found in machine.log.ecam if at == segment and first <= bus <= end), None
    )
    config = address((_ecam(segment, known) if base is None else base) + bus * ECAM_BUS)
    if base is None:
        missing.append(
            Missing("config.base", "no text tells where configuration space is; one is assumed", place)
        )
    windows = known.get((segment, bus))
    if windows is None:
        missing.append(Missing("windows", "no text tells them, so BARs are left out", place))
    elif not windows.told:
        why = "no text tells them; assumed is what encloses the addresses that are shown"
        missing.append(Missing("windows", why, place))
    ports = _ports(machine, told, known)
    fields: dict[str, Node | None] = {
        "name": leaf(names.take(f"pci{segment:04x}-{bus:02x}", "pci"), place),
        "segment": leaf(segment, place),
        "bus_range": tree([Hex(bus), Hex(last)], place, "root bus and the last one below"),
        "config": tree({"base": config}, place, None if base is not None else "assumed: no text tells it"),
        "windows": None if windows is None else _windows(windows, place, ports),
        "iommu": tree({"unit": unit}, place),
        "devices": device_nodes(machine, segment, bus, case, bars=windows is not None),
    }
    return record(place, fields, f"{segment:04x}:{bus:02x}")


def _ecam(segment: int, known: Mapping[tuple[int, int], HostWindows]) -> int:
    """A segment's configuration space, assumed where no window is."""
    places: tuple[int, ...] = (
        *(_ECAMS if segment == 0 else ()),
        *(each + (segment << 28) for each in _ABOVE),
    )
    return _free(places, _BUSES * ECAM_BUS, known)


def _free(places: Sequence[int], size: int, known: Mapping[tuple[int, int], HostWindows]) -> int:
    """The first place that no window takes; the last one where all are."""
    windows = [window for each in known.values() for window, _ in each.windows if window.space == "mem"]
    for place in places:
        if not any(each.start < place + size and place <= each.end for each in windows):
            return place
    return places[-1]


def _told_root(machine: PastedMachine, segment: int, bus: int) -> PastedRoot | None:
    return next(
        (
            root
            for root in machine.told_roots
            if (root.segment, root.bus) == (segment, bus) and root.by == "log"
        ),
        None,
    )


def _ports(
    machine: PastedMachine, told: PastedRoot | None, known: Mapping[tuple[int, int], HostWindows]
) -> tuple[int, str | None] | None:
    """Where the processor has a bridge's I/O, with a remark; None where that is the port number."""
    if told is not None and told.ports is not None:
        return told.ports, None
    if told is None or machine.log.arch != "arm64":
        return None
    first = _free(_PORTS, _PORTS_SIZE * len(machine.roots), known)
    return first + machine.roots.index((told.segment, told.bus)) * _PORTS_SIZE, "assumed"


def _windows(known: HostWindows, place: Place, ports: tuple[int, str | None] | None) -> Node:
    remark = None if known.told else "assumed: they enclose the addresses that are shown"
    return listing((_window(window, at, ports) for window, at in known.windows), place, remark)


def _window(window: KernelWindow, place: Span, ports: tuple[int, str | None] | None) -> Node:
    space = (
        "io" if window.space == "io" else "mem64" if window.pci + window.end - window.start >> 32 else "mem32"
    )
    cpu, remark = (window.start, None) if ports is None or space != "io" else ports
    fields = {
        "space": leaf(space, place),
        "pci": leaf(address(window.pci), place),
        "cpu": leaf(address(cpu), place, remark) if cpu != window.pci else None,
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
