"""What holds after each step, whatever was asked: a table of small functions.

Each is given the moment after a step and tells, in a sentence, what does not hold. Where the real Xen does
not hold to it either, the exception stands beside the invariant with the reference's section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from rootplex.formats.errno import Errno
from rootplex.fuzz.stage import Answer, Stage
from rootplex.fuzz.state import State, changes, differing
from rootplex.fuzz.steps import Access, Hypercall, Port, Register, Step
from rootplex.simulator.hardware.image import MASK_CELLS
from rootplex.simulator.xen.hypercalls import BY_NAME, DOMCTL
from rootplex.simulator.xen.iommu import ArmIommu
from rootplex.simulator.xen.records import DOM0, DOMID_IO, Record
from rootplex.simulator.xen.vpci.header import LAYOUTS, PAGE

COMMAND, STATUS, BUS_NUMBERS = 0x04, 0x06, 0x18


class Moment(Struct, frozen=True):
    """A step that was taken, its answer, and the states around it."""

    stage: Stage
    step: Step
    answer: Answer
    before: State
    after: State

    @property
    def owners_changed(self) -> bool:
        return self.before["owners"] != self.after["owners"]

    @property
    def is_refused(self) -> bool:
        return isinstance(self.answer, int) and self.answer < 0


Check = Callable[[Moment], Iterator[str]]


class Invariant(Struct, frozen=True):
    """`text` is what holds, in words; `check` yields what does not."""

    name: str
    text: str
    check: Check


def _memory_is_reused(moment: Moment) -> bool:
    """Whether a record was freed while somebody had it (a VF reported again without its PF, §2.3): what a
    real Xen answers from then on is chance."""
    return any(notice.kind == "freed-while-listed" for notice in moment.stage.xen.notices)


def one_owner(moment: Moment) -> Iterator[str]:
    """Lists, records and slots tell of one owner; a guest's device goes to another by way of Dom0 alone."""
    xen = moment.stage.xen
    if _memory_is_reused(moment):
        return
    where: dict[str, list[int]] = {}
    for domain, members in moment.after["lists"].items():
        for sbdf in members:
            where.setdefault(sbdf, []).append(domain)
    for record in xen.core.records:
        lists = where.pop(record.sbdf, [])
        if lists != ([] if record.owner is None else [record.owner]):
            yield f"{record.sbdf} belongs to domain {record.owner} and is in the lists of {lists}"
        if record.owner is not None and record.owner not in xen.core.domains:
            yield f"{record.sbdf} belongs to domain {record.owner}, which there is not"
    for sbdf in where:
        yield f"{sbdf} is listed and not known"
    for (domain, slot), sbdf in moment.after.get("slots", {}).items():
        owner = next((one.owner for one in xen.core.records if one.sbdf == sbdf), None)
        if owner != domain:
            yield f"domain {domain} has {sbdf} in slot {slot}, whose owner is {owner}"
    if moment.owners_changed:
        for key, owner in moment.before["owners"].items():
            now = moment.after["owners"].get(key)
            if (
                xen.core.is_guest(owner)
                and xen.core.is_guest(now if now is not None else DOM0)
                and now != owner
            ):
                yield f"{key} went from domain {owner} to domain {now} without coming back"


def own_registers(moment: Moment) -> Iterator[str]:
    """A guest's accesses reach its own functions, and write only what vPCI passes on: command and status."""
    step = moment.step
    if not isinstance(step, Access) or step.domain == DOM0 or _memory_is_reused(moment):
        return
    owned = {
        moment.stage.page_of(record)
        for record in moment.stage.xen.core.records
        if record.owner == step.domain
    }
    for touch in moment.stage.touches:
        if touch.page is not None and touch.page not in owned:
            yield f"domain {step.domain} reaches register {touch.register:#x} of {touch.page}, not its own"
        elif touch.write and touch.register not in (COMMAND, STATUS):
            yield f"domain {step.domain} writes register {touch.register:#x} of {touch.page}"


def own_memory(moment: Moment) -> Iterator[str]:
    """What is mapped into a guest lies in what bridges pass down, is no RAM, no configuration space, and
    no BAR of another's, unless the hardware's BARs themselves share pages."""
    mappings, before = moment.after.get("mappings", {}), moment.before.get("mappings", {})
    if not mappings or (mappings == before and not moment.owners_changed):
        return
    stage = moment.stage
    owners = {record.sbdf: record.owner for record in stage.xen.core.records}
    for domain, sbdf in mappings:
        if domain != DOM0 and owners.get(sbdf) != domain and not _memory_is_reused(moment):
            yield f"domain {domain} has {sbdf} mapped, which it does not own"
    # What Dom0 writes into BARs afterwards moves them, and not what is mapped.
    mapped = [
        (domain, area)
        for (domain, sbdf), areas in mappings.items()
        if domain != DOM0 and areas != before.get((domain, sbdf))
        for area in areas
    ]
    if not mapped:
        return
    bars = {record: bars_of(stage, record) for record in stage.xen.core.records}
    for domain, (start, end) in mapped:
        for region in (*stage.ground.memory, *stage.ground.configuration):
            if region.base < end and start < region.base + region.size:
                yield f"domain {domain} has {start:#x}-{end:#x} mapped, which is no BAR's"
        if not any(one.base <= start and end <= one.base + one.size for one in stage.ground.decoded):
            yield f"domain {domain} has {start:#x}-{end:#x} mapped, which no host bridge passes down"
        for record, areas in bars.items():
            own = [area for one, its in bars.items() if one.owner == domain for area in its]
            for other in areas if record.owner != domain else ():
                if _overlap((start, end), other) and not any(_overlap(area, other) for area in own):
                    yield f"domain {domain} has {start:#x}-{end:#x} mapped, a BAR of {record.sbdf}"


def bars_of(stage: Stage, record: Record) -> list[tuple[int, int]]:
    """The pages of a function's memory BARs as the hardware has them: by its write masks, without asking."""
    page = stage.page_of(record)
    if page is None:
        return []
    image = stage.hardware.functions[page]
    cells = stage.hardware.image.cells
    base = image.page * 2 * MASK_CELLS
    written = stage.hardware.written.get(page, {})
    value = [written.get(at, cells[base + at]) for at in range(16)]
    mask = [cells[base + MASK_CELLS + at] for at in range(16)]
    count, _ = LAYOUTS.get(value[3] >> 16 & 0x7F, (0, 0))
    found: list[tuple[int, int]] = []
    at = 4
    while at < 4 + count:
        low, wide = value[at], value[at] & 7 == 4
        bits = mask[at] & ~0xF | (mask[at + 1] << 32 if wide and at < 4 + count - 1 else 0)
        if not low & 1 and bits:
            start = (low & ~0xF) | (value[at + 1] << 32 if wide else 0)
            found.append((start & -PAGE, start + (bits & -bits) + PAGE - 1 & -PAGE))
        at += 2 if wide else 1
    return found


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def sharing_is_told(moment: Moment) -> Iterator[str]:
    """Where a guest's function has a StreamID or an interrupt line in common with another owner's, the views
    that `check` judges by tell of it."""
    if not moment.owners_changed:
        return
    stage = moment.stage
    owners = {
        page: record.owner
        for record in stage.xen.core.records
        if record.owner is not None and (page := stage.page_of(record)) is not None
    }
    owned: dict[str, list[str]] = {}
    for page, owner in owners.items():
        if stage.xen.core.is_guest(owner):
            owned.setdefault(f"domain {owner}", []).append(page)
    if not owned:
        return
    views = stage.ground.views(owned)
    lines = {one.function.page for view in views for one in view.shared_lines}
    beside = {
        (page.page, other.function.page)
        for view in views
        for page in view.functions
        for other in (*view.neighbours, *view.safe_neighbours)
    }
    for shared in stage.ground.shared:
        for page in shared.pages & owners.keys():
            if not stage.xen.core.is_guest(owners[page] or DOM0):
                continue
            others = {other for other in shared.pages if owners.get(other, DOM0) != owners[page]}
            if shared.kind == "line" and others and page not in lines:
                yield f"{page} of domain {owners[page]} shares interrupt {shared.what} untold"
            elif shared.kind == "stream" and any((page, other) not in beside for other in others):
                yield f"{page} of domain {owners[page]} shares stream {shared.what} untold"


def translated_for_its_owner(moment: Moment) -> Iterator[str]:
    """A stream's entry is that of the function that has it, and at an SMMUv3 of no second one.

    A record that was freed while its streams were live (a VF without its PF, §2.3) keeps them in a real Xen.
    """
    core = moment.stage.xen.core
    iommu = core.iommu
    if not isinstance(iommu, ArmIommu) or not (moment.owners_changed or isinstance(moment.step, Hypercall)):
        return
    known = set(core.records)
    for (unit, stream), record in iommu.live.items():
        if record not in known and not record.freed:
            yield f"stream {stream:#x} of {unit} is that of a record that is not known"
    if not iommu.driver.exclusive:
        return
    for record in known:
        streams = record.streams
        if record.owner is None or record.owner == DOMID_IO or streams is None or streams.iommu is None:
            continue
        for stream in streams.ids:
            holder = iommu.live.get((streams.iommu, stream & iommu.driver.id_mask))
            if holder is not record:
                whose = "nobody's" if holder is None else f"{holder.sbdf}'s"
                yield f"stream {stream:#x} of {record.sbdf} is {whose}"


class Left(Struct, frozen=True, kw_only=True):
    """What a real Xen leaves changed after refusing an operation with one of these errors. `clause` is the
    reference's section; `notice` is what it must have noticed at some time, `lacks` what its version must be
    without (`XenVersion`); `others` tells that more than the devices that the call names may be changed."""

    operations: tuple[str, ...]
    errors: frozenset[Errno]
    parts: frozenset[str]
    clause: str
    notice: str | None = None
    lacks: str | None = None
    others: bool = False


ADD = ("pci_device_add", "manage_pci_add", "manage_pci_add_ext")
REMOVE = ("pci_device_remove", "manage_pci_remove")
E = Errno
LEFT_BEHIND = (
    Left(  # a segment and a record that are made stay, ownerless
        operations=ADD,
        errors=frozenset({E.ENODEV, E.ENXIO, E.EINVAL, E.EOPNOTSUPP, E.EEXIST, E.EFAULT, E.ERANGE, E.EPERM}),
        parts=frozenset({"segments", "records", "upstream", "virtual"}),
        clause="§2.3",
    ),
    Left(  # a VF that is reported without its PF: its record is freed, whoever lists it; memory is reused
        operations=ADD,
        errors=frozenset({E.ENODEV, E.ENXIO, E.EINVAL, E.EOPNOTSUPP, E.EEXIST, E.EFAULT, E.ERANGE, E.EPERM}),
        parts=frozenset({"owners", "lists", "translation"}),
        clause="§2.3",
        notice="freed-while-listed",
    ),
    Left(  # 4.17 adds a PF that is missing, which switches its ACS on (§4.2)
        operations=ADD,
        errors=frozenset({E.ENODEV, E.ENXIO, E.EINVAL, E.EOPNOTSUPP, E.EEXIST, E.EFAULT, E.ERANGE, E.EPERM}),
        parts=frozenset({"owners", "lists", "emulation", "mappings", "translation", "hardware"}),
        clause="§2.3",
        lacks="vf_list",
    ),
    Left(  # a PF with VFs: it and they are marked broken
        operations=REMOVE,
        errors=frozenset({E.EBUSY}),
        parts=frozenset({"records"}),
        clause="§2.5",
        others=True,
    ),
    Left(  # freed whatever the IOMMU says
        operations=REMOVE,
        errors=frozenset({E.EINVAL, E.ENODEV, E.ENXIO, E.EPERM}),
        parts=frozenset(
            {"records", "owners", "lists", "upstream", "virtual", "emulation", "mappings", "translation"}
        ),
        clause="§2.5",
    ),
    Left(  # vPCI is taken down and set up again; where the function does not answer any more, it is not
        operations=("pci_device_reset",),
        errors=frozenset({E.EOPNOTSUPP, E.ENOSPC}),
        parts=frozenset({"emulation", "mappings", "slots"}),
        clause="§2.6",
    ),
    Left(  # likewise when it has come back to Dom0
        operations=("deassign_device",),
        errors=frozenset({E.EOPNOTSUPP}),
        parts=frozenset({"owners", "lists", "records", "emulation", "mappings", "slots", "translation"}),
        clause="§2.8",
    ),
    Left(  # it has no emulation while the IOMMU refuses
        operations=("deassign_device",),
        errors=frozenset({E.ENODEV, E.EPERM, E.EINVAL, E.ENXIO, E.ESRCH}),
        parts=frozenset({"emulation", "mappings", "slots", "records"}),
        clause="§2.8",
    ),
    Left(  # MSI-X is off after a failure, whatever it was before
        operations=("prepare_msix",),
        errors=frozenset({E.ENXIO}),
        parts=frozenset({"hardware"}),
        clause="§2.7",
    ),
    Left(  # Dom0's emulation is taken down before the IOMMU is asked
        operations=("assign_device",),
        errors=frozenset({E.EPERM, E.EBUSY, E.ENODEV, E.EINVAL, E.ENXIO, E.EOPNOTSUPP, E.ENOSPC}),
        parts=frozenset({"emulation", "mappings"}),
        clause="§2.8",
    ),
    Left(  # an SMMUv2 gives away what it then refuses to attach (`arm_smmu_assign_dev`), on the way back, too
        operations=("assign_device", "deassign_device"),
        errors=frozenset({E.EEXIST}),
        parts=frozenset({"owners", "lists", "records", "translation", "emulation", "mappings"}),
        clause="§2.8",
    ),
    Left(  # what vPCI alone refuses is the new domain's all the same
        operations=("assign_device",),
        errors=frozenset({E.EOPNOTSUPP, E.ENOSPC}),
        parts=frozenset({"owners", "lists", "records", "translation"}),
        clause="§2.8",
    ),
)
BY_DEVICE = frozenset({"records", "owners", "emulation"})
"""Parts that are kept by (segment, rid)."""


def refused_changes_nothing(moment: Moment) -> Iterator[str]:
    """A call that was refused left everything as it was, but for what a real Xen leaves behind."""
    if not moment.is_refused or not isinstance(moment.step, Hypercall | Register):
        return
    op = moment.step.op if isinstance(moment.step, Hypercall) else "pci_host_bridge_add"
    assert isinstance(moment.answer, int)
    error = Errno(-moment.answer)
    rows = [row for row in LEFT_BEHIND if op in row.operations and error in row.errors]
    if isinstance(moment.step, Register) or _refused_at_once(moment, moment.step):
        rows = []
    said = {notice.kind for notice in moment.stage.xen.notices} if rows else set()
    version = moment.stage.xen.core.version
    rows = [row for row in rows if row.notice is None or row.notice in said]
    rows = [row for row in rows if row.lacks is None or not getattr(version, row.lacks)]
    devices = _devices(moment.step)
    for part, key in sorted(changes(moment.before, moment.after), key=str):
        allowed = [row for row in rows if part in row.parts]
        if not allowed:
            yield f"{op} was refused with -{error.name} and changed {part}"
        elif part in BY_DEVICE and key not in devices and not any(row.others for row in allowed):
            yield f"{op} was refused with -{error.name} and changed {part} of another device"


def _refused_at_once(moment: Moment, step: Hypercall) -> bool:
    """Whether nobody looked further (§2.2, §2.8): no such operation, not Dom0, no argument, switched off; no
    such domain or device, or another's; under the 2017 protocol an unowned bus."""
    core = moment.stage.xen.core
    off = not core.x86 and not core.passthrough and core.iommu is None
    if step.op not in BY_NAME or step.caller != DOM0 or step.args is None:
        return True
    operation = BY_NAME[step.op]
    if operation.switch and off:
        return True
    if operation.hypercall == DOMCTL:
        domain = core.domain(step.args.get("domain", 0) & 0xFFFF)
        owners = [moment.before["owners"].get(key) for key in _devices(step)]
        return core.iommu is None or domain is None or not domain.iommu or owners == [None]
    if step.op not in ADD:
        return not moment.before["records"].keys() & _devices(step)
    if core.settings.discovery == "dom0":
        segment = step.args.get("seg", 0) & 0xFFFF if step.op == ADD[0] else 0
        return core.routes.find(segment, step.args.get("bus", 0) & 0xFF) is None
    return step.op == ADD[2] and max(step.args.get(name, 0) for name in ("is_extfn", "is_virtfn")) > 1


def _devices(step: Step) -> frozenset[tuple[int, int]]:
    """(segment, rid) of whom a call is about: the device, and its PF."""
    args = (step.args or {}) if isinstance(step, Hypercall) else {}

    def byte(name: str) -> int:
        return args.get(name, 0) & 0xFF

    if "machine_sbdf" in args:
        return frozenset({(args["machine_sbdf"] >> 16 & 0xFFFF, args["machine_sbdf"] & 0xFFFF)})
    has_segment = isinstance(step, Hypercall) and not step.op.startswith("manage_pci")
    segment = args.get("seg", 0) & 0xFFFF if has_segment else 0
    return frozenset(
        {
            (segment, byte("bus") << 8 | byte("devfn")),
            (segment, byte("physfn_bus") << 8 | byte("physfn_devfn")),
        }
    )


def reads_change_nothing(moment: Moment) -> Iterator[str]:
    """A read, and an access that aborted, left everything as it was."""
    step = moment.step
    if not isinstance(step, Access | Port) or (step.value is not None and moment.answer != "abort"):
        return
    for part in sorted(differing(moment.before, moment.after)):
        yield f"{'a read' if step.value is None else 'a write that aborted'} changed {part}"


def one_function_written(moment: Moment) -> Iterator[str]:
    """A write to configuration space changes the registers of one function."""
    if not isinstance(moment.step, Access | Port) or moment.step.value is None:
        return
    before, after = moment.before["hardware"], moment.after["hardware"]
    if before == after:
        return
    changed = [page for page in before.keys() | after.keys() if before.get(page) != after.get(page)]
    if len(changed) > 1:
        yield f"one write changed the registers of {', '.join(sorted(map(str, changed)))}"


INVARIANTS = (
    Invariant("one-owner", "a device has one owner", one_owner),
    Invariant("own-registers", "a guest reaches the registers of its own functions alone", own_registers),
    Invariant("own-memory", "no guest has another's memory mapped", own_memory),
    Invariant("sharing-is-told", "a stream or an interrupt line of two owners is told of", sharing_is_told),
    Invariant("translated", "a stream is translated for the function that has it", translated_for_its_owner),
    Invariant(
        "refused", "a refused call changes nothing, but where the real Xen does", refused_changes_nothing
    ),
    Invariant("reads", "a read changes nothing", reads_change_nothing),
    Invariant("one-function", "a write changes the registers of one function", one_function_written),
)
"""Checked after each step. That a replay comes to the same state is asked once, at the end (`playing`)."""


def broken(moment: Moment) -> Iterator[tuple[str, str]]:
    """(name, sentence) of all that does not hold."""
    for invariant in INVARIANTS:
        for sentence in invariant.check(moment):
            yield invariant.name, sentence
