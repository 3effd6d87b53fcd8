"""The kernel's messages, by `dmesg` or `journalctl -k`, with or without times, levels and callers: functions,
buses, windows of host bridges, groups, and resources that got no place.

Source, 3.x to 7.2: drivers/pci/probe.c (`pci_setup_device`, `pci_register_host_bridge`), setup-bus.c,
setup-res.c (`pci_assign_resource`, `pci_claim_resource`), pci.c (`pci_resource_name`, since 6.7; the words
changed in 6.11), drivers/acpi/pci_root.c, drivers/iommu/iommu.c, arch/x86/pci/mmconfig-shared.c.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec.structs import replace

from rootplex.capture.pasted.facts import (
    Complaint,
    Failure,
    Log,
    PastedFunction,
    PastedGroup,
    PastedRoot,
    Shown,
    Where,
)
from rootplex.capture.pasted.lspci import SBDF, where_of
from rootplex.capture.pasted.resources import kernels_bar, kernels_window
from rootplex.capture.pasted.text import Row
from rootplex.capture.snapshot import bus_window_of, window_of
from rootplex.formats.pci import ECAM_BUS, PcieType
from rootplex.source.place import Span

_DATE = r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} *\d{1,2} \d\d:\d\d[\d: ]{0,8}"
_TIME = rf"\[(?: *\+? *\d{{1,9}}\.\d{{1,9}}|{_DATE})\] ?(?:\[ *[CT]\d+\] ?)?"
_JOURNAL = (
    r"(?:[A-Z][a-z]{2} +\d{1,2} [\d:.]{5,15}|\d{4}-\d\d-\d\d[T ][\d:.]{5,15}(?:[+-]\d\d:?\d\d|Z)?) \S{1,80} "
    r"(?:kernel|klogd)(?:\[\d+\])?: "
)
PREFIX = re.compile(rf"\s*(?:kern +:\w+ *: ?)?(?:<\d+>)?(?:{_JOURNAL})?(?:{_TIME})?(?:\S{{1,80}} kernel: )?")
_MESSAGE = re.compile(
    r"(?:pci|pci_bus|pcieport|pci_root|iommu|ACPI|PCI|DMAR|DMAR-IR|AMD-Vi|arm-smmu(?:-v3)?|Linux version"
    r"|Command line"
    r"|Kernel command line|Booting Linux|PCI host bridge)(?:[ :]|$)|[\w.-]{1,40}"
    r" [0-9a-fA-F]{4}:[0-9a-fA-F]{2}:\S+: "
    r"|[\w.-]{1,40} \S{1,60}: (?:host bridge|PCI host bridge|ECAM at) "
)
_RELEASE = re.compile(r"Linux version (\S{1,80})")
_LINE = re.compile(r"(?:Kernel command|Command) line: (.*)")
_WORDS = re.compile(
    r"(?:pci|pcie_[\w.]+|iommu[\w.]*|intel_iommu|amd_iommu\w*|arm-smmu[\w.-]*|vfio[\w.-]*|acpi)=\S+"
)
_HOST = re.compile(r"(?:\S+ (\S+): )?PCI host bridge to bus ([0-9a-f]{4,8}):([0-9a-f]{2})")
_NODE = re.compile(r"\S+ (\S+): host bridge (\S+) ranges")
_ROOT = re.compile(
    r"ACPI: PCI Root Bridge \[(\w{1,4})\] \((?:domain"
    r" )?([0-9a-f]{4,8})[ :]\[?bus ([0-9a-f]{2})(?:-([0-9a-f]{2}))?\]?"
)
_AREA = re.compile(
    r"\S+ (\S+): ECAM at \[mem 0x([0-9a-f]+)-0x[0-9a-f]+\] for \[bus ([0-9a-f]{2})(?:-([0-9a-f]{2}))?\]"
)
_PORTS = re.compile(r"\S+ (\S+): +IO 0x([0-9a-f]+)\.\.0x[0-9a-f]+ -> 0x[0-9a-f]+")
_BUS = re.compile(r"pci_bus ([0-9a-f]{4,8}):([0-9a-f]{2}): (root bus resource .*)")
_AT = re.compile(rf"\S{{1,40}} {SBDF}: (.*)")
_FUNCTION = re.compile(r"\[([0-9a-f]{4}):([0-9a-f]{4})\] type ([0-9a-f]{2}) class (0x[0-9a-f]{6})(?: (.*))?")
_BELOW = re.compile(r"PCI bridge to \[bus ([0-9a-f]{2})(?:-([0-9a-f]{2}))?\]")
_ADDING = re.compile(r"Adding to iommu group (\d{1,9})")
_ADDED = re.compile(rf"iommu: Adding device {SBDF} to group (\d{{1,9}})")
_ECAM = re.compile(
    r"PCI: (?:MMCONFIG|ECAM)\b.*?\[mem 0x[0-9a-f]+-0x[0-9a-f]+\] \(base (0x[0-9a-f]+)\).*?domain"
    r" ([0-9a-f]{4})"
    r" \[bus ([0-9a-f]{2})-([0-9a-f]{2})\]"
    r"|PCI: (?:MMCONFIG|ECAM) for domain ([0-9a-f]{4}) \[bus ([0-9a-f]{2})-([0-9a-f]{2})\] at"
    r" \[mem 0x[0-9a-f]+-0x[0-9a-f]+\]"
    r" \(base (0x[0-9a-f]+)\)"
)
_RESOURCE = r"\[(mem|io) +(?:size )?0x([0-9a-f]+)(?:-0x([0-9a-f]+))?([^\]]{0,40})\]"
_NAME = r"(?:(VF BAR|BAR) (\d{1,2})|(ROM)|(bridge window))"
_WHY = (
    r"(?:can't assign; no space|failed to assign|can't claim; .*|not (?:assigned|claimed); .*"
    r"|no compatible bridge window|address conflict with .*|not assigned.*)"
)
_FAILED = (
    re.compile(rf"{_NAME} {_RESOURCE}: {_WHY}"),
    re.compile(
        rf"(?:can't claim )?{_NAME}:? (?:no space for |failed to assign |can't assign |can't allocate )?"
        rf"{_RESOURCE}(?:: {_WHY})?"
    ),
    re.compile(rf"can't enable device: {_NAME} {_RESOURCE} not (?:assigned|claimed)"),
)
_FAILING = re.compile(
    r"no space|failed to assign|can't (?:assign|claim|allocate|enable)|not (?:assigned|claimed);"
)
_OLD = re.compile(
    r"BAR (\d{1,2}): can't (?:assign|allocate) (mem|io)( pref)? (?:resource )?\(?(?:size"
    r" )?(?:0x)?([0-9a-f]+)?\)?"
)
_NO_WINDOW = re.compile(rf"no compatible bridge window for {_RESOURCE}")
_ASSIGNED = re.compile(rf"{_NAME}:? (?:{_RESOURCE}: )?assigned")
_ROM, _VF, _WINDOWS = 6, 7, 13
_A_NODE = re.compile(r"(?<=\s)/[\w,.+@/-]*[\w@]")
_MOST_COMPLAINTS = 256

_KINDS: dict[str, str] = {
    "PCIe Endpoint": PcieType.ENDPOINT.word,
    "PCIe Legacy Endpoint": PcieType.LEGACY_ENDPOINT.word,
    "PCIe Root Port": PcieType.ROOT_PORT.word,
    "PCIe Switch Upstream Port": PcieType.UPSTREAM_PORT.word,
    "PCIe Switch Downstream Port": PcieType.DOWNSTREAM_PORT.word,
    "PCIe to PCI/PCI-X bridge": PcieType.PCIE_TO_PCI_BRIDGE.word,
    "PCI/PCI-X to PCIe bridge": PcieType.PCI_TO_PCIE_BRIDGE.word,
    "PCIe Root Complex Integrated Endpoint": PcieType.INTEGRATED_ENDPOINT.word,
    "PCIe Root Complex Event Collector": PcieType.EVENT_COLLECTOR.word,
}
"""What `pci_type_str` says since 6.10."""

_SAYS = re.compile(r"(\S{1,40} (\S{1,60})): (\[Firmware (?:Bug|Info|Warn)\]: )? *(?:error -?\w{1,16}: )?(.*)")
_OF_PCI = re.compile("acpi |pci", re.IGNORECASE)
"""In the name of a driver or device: others complain of their `reg` and `ranges`, too."""
_COMPLAINTS: tuple[tuple[Literal["bus_range", "config", "windows"], bool, re.Pattern[str]], ...] = (
    ("bus_range", False, re.compile(r"No bus range found for ")),
    ("bus_range", True, re.compile(r"no secondary bus range in _CRS|can't evaluate _BBN")),
    ("config", False, re.compile(r"(?:MMCONFIG|ECAM) .* only partially covers this bridge")),
    (
        "config",
        True,
        re.compile(
            r"ECAM area \[.*\] (?:not reserved|can only accommodate)|can't claim ECAM area"
            r"|.* ECAM region not found"
            r"|fail to add MMCONFIG|[Mm]issing (?:or malformed )?\"?\*?(?:reg|config)\b"
        ),
    ),
    (
        "windows",
        True,
        re.compile(
            r"non-prefetchable memory resource required|[Ii]gnoring host bridge window|resource collision: "
            r"|[Mm]ore than one I/O resource|(?:[Mm]issing|[Bb]ad|[Ii]nvalid)\b.{0,24}\branges\b"
        ),
    ),
)
"""What drivers of host bridges say of firmware, of which part, and whether something is lost by it (pci/of.c,
pci/ecam.c, pci/controller/pci-host-common.c, acpi/pci_root.c, arch/arm64/kernel/pci.c)."""

_UNITS = (
    (
        "intel-vtd",
        re.compile(r"DMAR: (?:IOMMU enabled|Intel\(R\) Virtualization Technology for Directed I/O)"),
    ),
    ("amd-iommu", re.compile(r"(?:pci \S+: )?AMD-Vi: (?!.*(?:not |disabled|No ))")),
    ("arm-smmu-v3", re.compile(r"arm-smmu-v3 \S+: ")),
    ("arm-smmu-v2", re.compile(r"arm-smmu \S+: ")),
    ("virtio", re.compile(r"virtio_iommu ")),
)


class LogReader:
    """Rows in their order; what they tell. `take` answers whether a row was the kernel's."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.functions: dict[Where, PastedFunction] = {}
        self.groups: dict[Where, PastedGroup] = {}
        self.lines = 0
        self._roots: dict[tuple[int, int], PastedRoot] = {}
        self._nodes: dict[str, str] = {}
        self._ports: dict[str, int] = {}
        self._devices: dict[str, tuple[int, int]] = {}
        self._complaints: list[Complaint] = []
        self._areas: dict[str, tuple[int, int, int]] = {}
        self._acpi: dict[tuple[int, int], str] = {}
        self._failures: dict[tuple[Where, int | None, str, bool], Failure] = {}
        self._log = Log()

    @property
    def roots(self) -> tuple[PastedRoot, ...]:
        return tuple(replace(each, acpi=self._acpi.get(key)) for key, each in self._roots.items())

    @property
    def log(self) -> Log:
        return replace(
            self._log,
            failures=tuple(self._failures.values()),
            complaints=tuple(
                replace(
                    each,
                    root=each.root or self._devices.get(each.device),
                    node=each.node or self._nodes.get(each.device),
                )
                for each in self._complaints
            ),
        )

    def take(self, row: Row) -> bool:
        prefix = PREFIX.match(row.text)
        at = 0 if prefix is None else prefix.end()
        text = row.text[at:]
        if at == 0 and not _MESSAGE.match(text):
            return False
        if not text:
            return at > 0
        self.lines += 1
        place = Span(self._file, row.number, at + 1, row.number, len(row.text) + 1)
        if (match := _AT.fullmatch(text)) is not None:
            self._function(where_of(match), match[5], text, place)
        elif match := _BUS.fullmatch(text):
            self._window(int(match[1], 16), int(match[2], 16), match[3], place)
        elif match := _ADDED.match(text):
            self._group(where_of(match), int(match[5]), place)
        else:
            self._machine(text, place)
            self._complaint(text, place)
        for kind, pattern in _UNITS:
            if pattern.match(text):
                self._log = replace(self._log, iommu=kind)
        return True

    def _machine(self, text: str, place: Span) -> None:
        if match := _RELEASE.match(text):
            self._log = replace(self._log, release=match[1], arch=_arch(text), whole=True)
        elif match := _LINE.match(text):
            words = tuple(found[0] for found in _WORDS.finditer(match[1]))
            self._log = replace(self._log, arguments=words)
        elif text.startswith("Booting Linux on physical CPU"):
            self._log = replace(self._log, arch=self._log.arch or "arm64")
        elif text.startswith(("Machine model: ", "OF: fdt: Machine model:")):
            self._log = replace(self._log, firmware="dt")
        elif text.startswith("ACPI: RSDP "):
            self._log = replace(self._log, firmware=self._log.firmware or "acpi")
        elif text.startswith(("Booting paravirtualized kernel on Xen", "Xen version:")):
            self._log = replace(self._log, xen=True)
        elif match := _NODE.match(text):
            self._nodes[match[1]] = match[2]
            self._log = replace(self._log, firmware="dt")
        elif match := _HOST.fullmatch(text):
            key = int(match[2], 16), int(match[3], 16)
            device = match[1] or ""
            self._devices.setdefault(device, key)
            root = PastedRoot(
                segment=key[0],
                bus=key[1],
                place=place,
                node=self._nodes.get(device),
                ports=self._ports.get(device),
            )
            self._roots.setdefault(key, root)
            if area := self._areas.get(device):
                self._configuration(key[0], *area)
        elif match := _ROOT.match(text):
            self._acpi[int(match[2], 16), int(match[3], 16)] = match[1]
        elif match := _PORTS.match(text):
            self._ports.setdefault(match[1], int(match[2], 16))
        elif match := _AREA.match(text):
            first = int(match[3], 16)
            area = first, int(match[4] or match[3], 16), int(match[2], 16) - first * ECAM_BUS
            self._areas[match[1]] = area
            if text.startswith("acpi ") and self._acpi:
                # By ACPI the line is behind the one of its root bridge, and no device names the root bus.
                self._configuration(next(reversed(self._acpi))[0], *area)
        elif match := _ECAM.match(text):
            if match[1]:
                self._configuration(*(int(match[each], 16) for each in (2, 3, 4, 1)))
            else:
                self._configuration(*(int(match[each], 16) for each in (5, 6, 7, 8)))

    def _complaint(self, text: str, place: Span) -> None:
        match = _SAYS.fullmatch(text)
        if match is None or not _OF_PCI.search(match[1]) or len(self._complaints) >= _MOST_COMPLAINTS:
            return
        for part, bad, pattern in _COMPLAINTS:
            if pattern.match(match[4]):
                # By ACPI the line is behind the one of its root bridge.
                last = next(reversed(self._acpi)) if match[1].startswith("acpi ") and self._acpi else None
                node = _A_NODE.search(match[4])
                self._complaints.append(
                    Complaint(
                        part=part,
                        text=match[4],
                        device=match[2],
                        root=last,
                        node=None if node is None else node[0],
                        bad=bad,
                        place=place,
                    )
                )
                return

    def _configuration(self, segment: int, first: int, last: int, base: int) -> None:
        """Configuration space that the kernel uses; the base is that of bus 0."""
        self._log = replace(self._log, ecam=(*self._log.ecam[:255], (segment, first, last, base)))

    def _window(self, segment: int, bus: int, text: str, place: Span) -> None:
        key = segment, bus
        root = self._roots.get(key) or PastedRoot(segment=segment, bus=bus, place=place)
        if buses := bus_window_of(text):
            root = replace(root, buses=buses)
        elif window := window_of(text):
            root = replace(root, windows=(*root.windows[:255], (window, place)))
        self._roots[key] = root

    def _group(self, where: Where, number: int, place: Span) -> None:
        self.groups[where] = PastedGroup(where, number, "log", place)

    def _function(self, where: Where, text: str, whole: str, place: Span) -> None:
        if match := _FUNCTION.fullmatch(text):
            keys: dict[str, object] = {"id": f"{match[1]}:{match[2]}", "class": int(match[4], 16)}
            kind = _KINDS.get((match[5] or "").strip())
            shown: Shown = "nothing"
            bridge = match[3] == "01"
            if kind is not None:
                keys["type"], shown = kind, "type"
            elif (match[5] or "").startswith("conventional PCI"):
                host = int(match[4], 16) >> 8 == 0x0600
                keys["type"] = "pci-bridge" if bridge else "host-bridge-function" if host else "pci"
                shown = "whole"
            found = PastedFunction(
                where=where, place=place, form="log", keys=keys, bridge=bridge, shown=shown
            )
            self.functions.setdefault(where, found)
        elif match := _BELOW.match(text):
            buses = int(match[1], 16), int(match[2] or match[1], 16)
            known = self.functions.get(where)
            if known is None:
                known = PastedFunction(where=where, place=place, form="log", bridge=True)
            self.functions[where] = replace(known, buses=buses)
        elif where in self.functions and (bar := kernels_bar(text)) is not None:
            known = self.functions[where]
            if isinstance(bar, int):
                self.functions[where] = replace(known, rom=known.rom or bar)
            elif bar.index not in {each.index for each in known.bars}:
                self.functions[where] = replace(known, bars=(*known.bars, bar))
        elif where in self.functions and (window := kernels_window(text)) is not None:
            known = self.functions[where]
            if (window.space, window.prefetchable) not in {
                (each.space, each.prefetchable) for each in known.forwards
            }:
                self.functions[where] = replace(known, forwards=(*known.forwards, window))
        elif match := _ADDING.match(text):
            self._group(where, int(match[1]), place)
        elif match := _ASSIGNED.match(text):
            index = _index(match)
            flags = match[8] or ""
            kinds = (match[5],) if match[5] else ("mem", "io")
            for space in kinds:
                self._failures.pop((where, index, space, index is None and "pref" in flags), None)
        elif _FAILING.search(text) or _NO_WINDOW.match(text):
            failure = _failure(where, text, whole, place)
            if failure is not None:
                pref = failure.index is None and failure.prefetchable
                self._failures[where, failure.index, failure.space, pref] = failure


def begins(text: str) -> bool:
    """Whether a line is one of the kernel's log."""
    prefix = PREFIX.match(text)
    return (prefix is not None and prefix.end() > 0 and bool(text[: prefix.end()].strip())) or bool(
        _MESSAGE.match(text)
    )


def _index(match: re.Match[str]) -> int | None:
    """The number that a resource has by its name; None for a bridge's window, whose number is not told."""
    if match[4]:
        return None
    return _ROM if match[3] else int(match[2]) + (_VF if match[1] == "VF BAR" else 0)


def _failure(where: Where, text: str, whole: str, place: Span) -> Failure | None:
    for pattern in _FAILED:
        if match := pattern.match(text):
            index = _index(match)
            space, first, last, flags = match[5], match[6], match[7], match[8]
            size = int(first, 16) if last is None else int(last, 16) - int(first, 16) + 1
            return _of(where, index, space, flags, size, whole, place)
    if match := _OLD.match(text):
        return _of(where, int(match[1]), match[2], match[3] or "", int(match[4] or "0", 16), whole, place)
    if match := _NO_WINDOW.match(text):
        last = match[3] or match[2]
        size = int(last, 16) - int(match[2], 16) + 1
        return _of(where, None, match[1], match[4], size, whole, place)
    return None


def _of(
    where: Where, index: int | None, space: str, flags: str, size: int, text: str, place: Span
) -> Failure:
    return Failure(
        where=where,
        index=index,
        window=index is None or index >= _WINDOWS,
        space="io" if space == "io" else "mem",
        prefetchable="pref" in flags,
        wide="64bit" in flags,
        size=max(size, 0),
        text=text,
        place=place,
    )


def _arch(text: str) -> str | None:
    for word, arch in (
        ("x86_64", "x86_64"),
        ("amd64", "x86_64"),
        ("arm64", "arm64"),
        ("aarch64", "arm64"),
        ("riscv64", "riscv64"),
    ):
        if word in text:
            return arch
    return None
