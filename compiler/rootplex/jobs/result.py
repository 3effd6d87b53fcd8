"""What the jobs find out, as values: every report, page and server renders these and makes all text of them.

`Machine` and what it holds are the keys of the JSON form, name by name (`msgspec` writes them as they
stand). Addresses and sizes are bytes, requester and stream ids numbers, SBDFs strings `ssss:bb:dd.f`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from rootplex.source.finding import Finding, Level, in_order
from rootplex.source.place import Place

Verdict: TypeAlias = Literal["consistent", "inconsistent", "unknown"]
Firmware: TypeAlias = Literal["dt", "acpi"]


class Ecam(Struct, frozen=True, kw_only=True):
    """Memory-mapped configuration space: of the bridge's first bus on."""

    base: int
    size: int


class WindowResult(Struct, frozen=True, kw_only=True):
    """A range of bus addresses (`pci`) that the bridge decodes, and where the processor sees it (`cpu`; None
    where a device tree's bus above does not pass it on)."""

    space: str
    prefetchable: bool
    pci: int
    cpu: int | None
    size: int


class Numbers(Struct, frozen=True, kw_only=True):
    """Which segment each source gives a bridge; None: that source does not know it."""

    dt: int | None = None
    mcfg: int | None = None
    seg: int | None = None
    iort: int | None = None
    xen: int | None = None
    dom0: int | None = None


class DmaStretch(Struct, frozen=True, kw_only=True):
    """Addresses on the bus by which requests of devices come in, and the processor's for the same."""

    pci: int
    cpu: int
    size: int


class Dma(Struct, frozen=True, kw_only=True):
    """What DMA of a bridge's devices reaches. `limited_by`: `dma-ranges`, `_DMA` or `IORT`, which name
    `ranges`; None: nothing limits it. `translated`: an IOMMU is between, and the kernel chooses addresses on
    the bus. `memory`: where it is for devices, None where none is described; `beyond`: what of it they do
    not reach."""

    limited_by: str | None
    translated: bool
    ranges: tuple[DmaStretch, ...]
    memory: tuple[DmaStretch, ...] | None
    beyond: tuple[Stretch, ...]


class BridgeResult(Struct, frozen=True, kw_only=True):
    """A host bridge as it came out. `registered`: Dom0 brought it up. `dma`: None where it is off, or not
    known."""

    name: str
    enabled: bool
    segment: int | None
    bus_range: tuple[int, int] | None
    ecam: Ecam | None
    windows: tuple[WindowResult, ...]
    numbers: Numbers
    in_mcfg: bool
    registered: bool
    dma: Dma | None = None


class Acs(Struct, frozen=True, kw_only=True):
    """ACS capability and control registers (PCIe 6.0 §7.7.11)."""

    cap: int
    ctl: int


class Stream(Struct, frozen=True, kw_only=True):
    """The StreamID (VT-d: source id) at an IOMMU."""

    unit: str
    id: int


class Message(Struct, frozen=True, kw_only=True):
    """The DeviceID at an MSI controller."""

    controller: str
    id: int


class Line(Struct, frozen=True, kw_only=True):
    """Where a pin's interrupt ends."""

    pin: str
    controller: str | None
    irq: int | None


class Bar(Struct, frozen=True, kw_only=True):
    """A BAR: `base` as the processor sees it, `pci` on the bus, None where unassigned."""

    index: int
    space: str
    base: int | None
    pci: int | None
    size: int


class Device(Struct, frozen=True, kw_only=True, rename={"class_code": "class"}):
    """A function that Dom0 sees. `bus` is `(secondary, subordinate)` of a bridge; `group` what holds once
    every function has been offered a driver, `group_at_boot` whether it was there before."""

    sbdf: str
    name: str | None
    parent: str | None
    vendor: int
    device: int
    subsystem: tuple[int, int] | None
    revision: int
    class_code: int
    header: int
    bus: tuple[int, int] | None
    type: str
    physfn: str | None
    acs: Acs | None
    group: int | None
    group_at_boot: bool
    stream: Stream | None
    msi: Message | None
    intx: Line | None
    aliases: tuple[str, ...]
    bars: tuple[Bar, ...]
    guest: str | None


class Why(Struct, frozen=True, kw_only=True):
    """One fact about one function, that makes a group what it is; `kind` is its kind in a word
    (`simulator.groups.reason`)."""

    sbdf: str
    text: str
    kind: str


class Group(Struct, frozen=True, kw_only=True):
    """A passthrough group. Numbers tell groups apart and mean nothing else."""

    id: int
    members: tuple[str, ...]
    guest: str | None
    why: tuple[Why, ...]


class Hypercall(Struct, frozen=True, kw_only=True):
    """A call of Dom0's and Xen's answer (0 or a negative errno; None: Xen went down in it)."""

    op: str
    args: dict[str, object]
    result: int | None


class XenResult(Struct, frozen=True, kw_only=True):
    """What Xen made of the machine: its partition, how its boot ended, what it was asked; and which Xen
    it is, None where none ran."""

    groups: tuple[tuple[str, ...], ...] = ()
    outcome: str = "not run"
    hypercalls: tuple[Hypercall, ...] = ()
    version: str | None = None


class BootResult(Struct, frozen=True, kw_only=True):
    """The boot device, and by what it can be reached before AML runs: `mcfg`, `cba`, `dt`, `ports`."""

    device: str
    sbdf: str | None
    reachable_by: tuple[str, ...]


class Machine(Struct, frozen=True, kw_only=True):
    """The simulated or given machine, as far as it is known."""

    bridges: tuple[BridgeResult, ...] = ()
    devices: tuple[Device, ...] = ()
    groups: tuple[Group, ...] = ()
    safe: tuple[tuple[str, ...], ...] = ()
    xen: XenResult | None = XenResult()
    boot: BootResult | None = None


class Stretch(Struct, frozen=True, kw_only=True):
    """A stretch of addresses."""

    base: int
    size: int


class Named(Struct, frozen=True, kw_only=True):
    """A function and what the description calls it."""

    sbdf: str
    name: str | None


Wish: TypeAlias = Literal[
    "devices-missing", "untranslated", "groups-not-whole", "groups-whole", "groups-whole-not-apart"
]
"""What a guest's list of devices comes to. `groups-whole-not-apart`: whole by Linux's partition, not by the
safe one."""


class Guest(Struct, frozen=True, kw_only=True):
    """A guest: what its wish comes to, and its devices as far as Dom0 sees them."""

    name: str
    comes_to: Wish
    devices: tuple[Named, ...]


class Sides(Struct, frozen=True, kw_only=True):
    """The inputs of one board that were taken together, how many bridges stand in both firmwares, and which
    maps each bridge has in its device tree: property and entries (None: the property is no map)."""

    files: tuple[str, ...]
    in_both: int
    maps: dict[str, tuple[tuple[str, int | None], ...]]


class Told(Struct, frozen=True):
    """One call: its operation, what it is about, Xen's answer (`0`, `-ENODEV`; None: it was the
    end of Xen). `known`: whether Xen knew by then on which host bridge that is."""

    operation: str
    subject: str
    answer: str | None
    known: bool


class Protocols(Struct, frozen=True, kw_only=True):
    """Both, aligned: a pair has None where one of the two has no such call. `bridges`: where today's Xen has
    its host bridges from, and how many it has; `new`: operations of 2017 that no Xen has."""

    xen: str
    pairs: tuple[tuple[Told | None, Told | None], ...]
    source: Literal["device tree", "MCFG", "nothing"]
    bridges: int
    new: tuple[str, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The functions that are reported to today's Xen while it does not know their host bridge."""
        return tuple(now.subject for _, now in self.pairs if now is not None and not now.known)


class Booted(Struct, frozen=True, kw_only=True):
    """A boot beside the simulation: the kernel, how much of each was compared and how much differs; where
    something does, the smallest description found (YAML) that still shows it."""

    kernel: str
    figures: dict[str, int]
    smallest: str | None


class Result(Struct, frozen=True, kw_only=True):
    """One platform's findings, and the machine behind them.

    `not_known`: what could not be looked at (`devices`: there was no hardware to simulate), though the rest
    was judged. `memory`: RAM as the description or the tree has it. `unreadable`: the input could not be read
    at all. `simulated`: the machine is a simulated one; `unsure`: functions of it whose groups are not known.
    `booted`: of a description that a real kernel was booted on; there is no machine then.
    `sides`: of a board that was validated; `against` the description that it was held against, `matches`
    whether nothing differs.
    """

    file: str
    platform: str | None = None
    dom0: str | None = None
    firmware: str | None = None
    hypervisor: Literal["xen"] | None = "xen"
    verdict: Verdict
    findings: tuple[Finding, ...]
    not_known: tuple[str, ...] = ()
    machine: Machine = Machine()
    guests: tuple[Guest, ...] = ()
    memory: tuple[Stretch, ...] = ()
    simulated: bool = False
    sides: Sides | None = None
    against: str | None = None
    matches: bool | None = None
    unreadable: bool = False
    unsure: int = 0
    trace: tuple[str, ...] = ()
    protocols: Protocols | None = None
    booted: Booted | None = None

    def count(self, level: Level) -> int:
        """Findings of a level that the author did not expect."""
        return sum(1 for each in self.findings if each.level is level and not each.expected)

    @property
    def expected(self) -> int:
        """How many findings the author expects."""
        return sum(1 for each in self.findings if each.expected)


class Made(Struct, frozen=True, kw_only=True):
    """What compiling came to: files by name, the manifest among them; None where errors keep them back."""

    result: Result
    files: Mapping[str, bytes] | None


def refused(file: str, findings: tuple[Finding, ...], *, platform: str | None = None) -> Result:
    """An input that could be read and is too faulty to go on with; no machine comes of it."""
    ordered = in_order(findings)
    return Result(file=file, platform=platform, verdict="inconsistent", findings=ordered)


def unreadable(file: str, findings: tuple[Finding, ...]) -> Result:
    """An input that could not be read at all."""
    return Result(file=file, verdict="unknown", findings=findings, unreadable=True)


def exit_status(results: Iterable[Result], *, strict: bool) -> int:
    """2 where an input could not be read or judged, 1 for errors (warnings with `strict`), else 0."""
    return Tally(glance(result, strict=strict) for result in results).status


class Glance(Struct, frozen=True, kw_only=True):
    """A result in a row of a table: what remains of one where thousands are looked at. `status` is the exit
    status that it alone gives."""

    file: str
    verdict: Verdict
    unreadable: bool
    errors: int
    warnings: int
    notes: int
    expected: int
    status: int


class Tally:
    """Any number of boards: verdicts (`unreadable` among them), findings by level and expected ones, and the
    exit status of all."""

    def __init__(self, seen: Iterable[Glance] = ()) -> None:
        self.verdicts: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        self.status = 0
        for each in seen:
            self.add(each)

    def add(self, seen: Glance) -> None:
        """One more."""
        self.verdicts["unreadable" if seen.unreadable else seen.verdict] += 1
        self.findings["error"] += seen.errors
        self.findings["warning"] += seen.warnings
        self.findings["note"] += seen.notes
        self.findings["expected finding"] += seen.expected
        self.status = max(self.status, seen.status)


def glance(result: Result, *, strict: bool = False) -> Glance:
    """A result's row."""
    errors, warnings, notes = map(result.count, (Level.ERROR, Level.WARNING, Level.NOTE))
    unjudged = result.unreadable or result.verdict == "unknown"
    return Glance(
        file=result.file,
        verdict=result.verdict,
        unreadable=result.unreadable,
        errors=errors,
        warnings=warnings,
        notes=notes,
        expected=result.expected,
        status=2 if unjudged else int(bool(errors or (strict and warnings))),
    )


class Together(Struct, frozen=True, kw_only=True):
    """Functions that go together, with the reasons; `guests` are those who are to have one of them."""

    members: tuple[Named, ...]
    why: tuple[str, ...]
    id: int | None = None
    guests: tuple[str, ...] = ()


class Groups(Struct, frozen=True, kw_only=True):
    """The three partitions: Linux's whole; of the safe one and Xen's the groups that Linux has not so.

    `at_boot`: groups stand before drivers are offered. `without`: functions in no group, each with why.
    `xen_alone`: to this Xen every function is alone; `xen` is None where there is no Xen.
    Of a machine of which there is only what was pasted: `assumed` is what no text tells, `unknown` are
    functions whose groups are not known, with why, `differing` is what its kernel's own list says otherwise.
    """

    kernel: str
    firmware: str
    at_boot: bool
    linux: tuple[Together, ...]
    without: tuple[Together, ...]
    hazards: tuple[str, ...]
    safe: tuple[Together, ...]
    xen: tuple[Together, ...] | None
    xen_alone: bool
    guests: tuple[Guest, ...]
    assumed: tuple[str, ...] = ()
    unknown: tuple[Together, ...] = ()
    differing: tuple[str, ...] = ()


class Step(Struct, frozen=True, kw_only=True):
    """A firmware entry on an id's way, and its line in the description where it has one."""

    text: str
    at: Place | None


class Route(Struct, frozen=True, kw_only=True):
    """An id's or pin's way: where it ends (`unit`, `id`), or why nowhere (`reason`).

    `stream` and `message` begin at requester id `rid`; `pin` at `pin`. A pin's `id` is the number of the
    interrupt, None where the firmware's `line` (its cells) is not one number.
    """

    what: Literal["stream", "message", "pin"]
    rid: int | None = None
    pin: str | None = None
    unit: str | None = None
    id: int | None = None
    line: str | None = None
    ends: bool
    steps: tuple[Step, ...] = ()
    reason: str | None = None


class Way(Struct, frozen=True, kw_only=True):
    """A requester's routes by one firmware."""

    firmware: str
    routes: tuple[Route, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """What the two firmwares say differently."""

    what: str
    by_dt: str
    by_acpi: str


class Requester(Struct, frozen=True, kw_only=True):
    """A function as a requester: its ids (its own first, each with the owner), its ways, and who is beside it
    in its group."""

    function: Named
    segment: int
    rids: tuple[tuple[Named, int], ...]
    ways: tuple[Way, ...]
    differences: tuple[Difference, ...]
    grouped: bool
    beside: tuple[Named, ...]
    dma: Dma | None = None
    dma_bits: int = 64
