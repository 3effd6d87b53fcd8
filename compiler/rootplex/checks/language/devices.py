"""Numbers and places that no PCI function can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.pci import devfn_text
from rootplex.known.devices import rows_of
from rootplex.model.device import Bar, Device, DeviceType, Sriov
from rootplex.source.finding import Finding, Level


@check("RPX0021", Level.ERROR, needs="description")
def function_number(facts: Facts) -> Iterator[Finding]:
    """What it finds: a function number above 7 without ARI, or ARI functions on a device number other than 0.
    Why it matters: a requester id has three bits for the function; only ARI gives it all eight, and then
    there is no device number.
    Example: `{dev: 0, fn: 9}` without `ari: true`.
    What to do: set `ari: true` on the endpoint (its port forwards ARI unless told otherwise), with `dev: 0`.
    Source: PCI Express Base 6.0 §2.2.4.2, §6.13.
    """
    for _, device in facts.platform.walk():
        if device.fn > 7 and not device.ari:
            yield function_number.rule.finding(
                device.at("fn"),
                f"{device.label} has function number {device.fn}, and without ARI there are 0 to 7",
                help="set 'ari: true', or choose a function number from 0 to 7",
                subject=device.name,
            )
        elif device.fn > 7 and device.dev != 0:
            yield function_number.rule.finding(
                device.at("dev"),
                f"{device.label} has function number {device.fn} on device {device.dev}, "
                "and with ARI there is only device 0",
                help="set 'dev: 0'",
                rewrite=device.written("dev", "0"),
                subject=device.name,
            )


# (smallest, largest) size of a BAR by space.
SIZES = {"io": (4, 256), "mem32": (16, 1 << 31), "mem64": (16, 1 << 63)}
ROM = (2048, 16 << 20)


@check("RPX0022", Level.ERROR, needs="description")
def register_sizes(facts: Facts) -> Iterator[Finding]:
    """What it finds: BARs that cannot be: a size that is no power of two or too small, an index twice or out
    of range for the header, a 64-bit BAR in the last slot, an expansion ROM of an impossible size.
    Why it matters: the lowest bit of a BAR that can be set tells its size, so that no other size can be told.
    Example: `bars: [{index: 0, space: mem32, size: 3000}]`.
    What to do: round the size up to a power of two; give each BAR its own index (a mem64 takes two).
    Source: PCI Express Base 6.0 §7.5.1.2.1 (BARs), §7.5.1.2.4 (ROM).
    """
    for _, device in facts.platform.walk():
        taken: dict[int, Bar] = {}
        for bar in device.bars:
            yield from _size(device, bar)
            yield from _index(device, bar, taken)
        if device.rom is not None and not _fits(device.rom, ROM):
            yield register_sizes.rule.finding(
                device.at("rom"),
                f"the ROM of {device.label} has {device.rom:#x} bytes",
                notes=["an expansion ROM has a power of two from 2 KiB to 16 MiB"],
                subject=device.name,
            )


def _fits(size: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= size <= bounds[1] and size & (size - 1) == 0


def _size(device: Device, bar: Bar) -> Iterator[Finding]:
    if bar.wrote("size") and not _fits(bar.size, SIZES[bar.space]):
        low, high = SIZES[bar.space]
        rounded = max(low, 1 << (bar.size - 1).bit_length()) if bar.size else low
        fits = rounded <= high
        yield register_sizes.rule.finding(
            bar.at("size"),
            f"BAR {bar.index} of {device.label} has {bar.size:#x} bytes",
            notes=[f"a BAR of space {bar.space} has a power of two from {low:#x} to {high:#x}"],
            help=f"round it up to {rounded:#x}" if fits else "let it be no larger",
            rewrite=bar.written("size", f"{rounded:#x}") if fits else None,
            subject=device.name,
        )


def _index(device: Device, bar: Bar, taken: dict[int, Bar]) -> Iterator[Finding]:
    last = 1 if device.is_bridge else 5
    slots = (bar.index, bar.index + 1) if bar.space == "mem64" else (bar.index,)
    if slots[-1] > last:
        yield register_sizes.rule.finding(
            bar.at("index"),
            f"BAR {slots[-1]} of {device.label} would be behind the last one of its header, BAR {last}",
            help="a mem64 BAR takes two places; choose a lower index",
            subject=device.name,
        )
    for slot in slots:
        first = taken.setdefault(slot, bar)
        if first is not bar:
            yield register_sizes.rule.finding(
                bar.at("index"),
                f"BAR {bar.index} of {device.label} stands where BAR {first.index} does",
                related=[(first.at("index"), f"a {first.space} BAR is here")],
                help="a mem64 BAR takes two places; choose another index",
                subject=device.name,
            )
            return


@check("RPX0025", Level.ERROR, needs="description", requires=("RPX0020", "RPX0021"), covers=("LNX-56",))
def sriov_numbers(facts: Facts) -> Iterator[Finding]:
    """What it finds: SR-IOV numbers with which no virtual function can appear: first VF offset 0, stride 0
    with more than one VF, more VFs enabled than there are, a VF whose requester id is another function's.
    Why it matters: Linux switches SR-IOV off for the first three; for the last, two functions answer one id.
    Example: `sriov: {total: 8, offset: 0, stride: 1}`.
    What to do: take the numbers from the device's own capability; offset and stride step over its functions.
    Source: PCI Express Base 6.0 §9.2.1.2, §9.3.3.9; Linux drivers/pci/iov.c, sriov_init and sriov_enable.
    """
    for bridge in facts.platform.host_bridges:
        yield from _on_bus(bridge.devices)
        for device in bridge.walk():
            yield from _on_bus(device.devices)


def _on_bus(devices: tuple[Device, ...]) -> Iterator[Finding]:
    taken = {device.devfn: device for device in devices if device.present}
    for device in devices:
        if device.sriov is not None and device.present:
            yield from _numbers(device, device.sriov)
            yield from _collisions(device, device.sriov, taken)


def _numbers(device: Device, sriov: Sriov) -> Iterator[Finding]:
    if sriov.total and sriov.offset == 0:
        yield sriov_numbers.rule.finding(
            sriov.at("offset"),
            f"the first VF of {device.label} would have the PF's own requester id: its offset is 0",
            help="set 'offset' to the distance from the PF to its first VF",
            subject=device.name,
        )
    if sriov.total > 1 and sriov.stride == 0:
        yield sriov_numbers.rule.finding(
            sriov.at("stride"),
            f"the {sriov.total} VFs of {device.label} would all have one requester id: their stride is 0",
            help="set 'stride' to the distance between two VFs",
            subject=device.name,
        )
    if sriov.enabled > sriov.total:
        yield sriov_numbers.rule.finding(
            sriov.at("enabled"),
            f"{sriov.enabled} VFs of {device.label} are to be enabled, and it has {sriov.total}",
            related=[(sriov.at("total"), "the number of VFs")],
            help="enable at most as many as there are",
            subject=device.name,
        )


def _collisions(device: Device, sriov: Sriov, taken: Mapping[int, Device]) -> Iterator[Finding]:
    if sriov.offset == 0 or (sriov.total > 1 and sriov.stride == 0):
        return
    for i in range(min(sriov.total, 256)):
        devfn = device.devfn + sriov.offset + i * sriov.stride
        other = taken.get(devfn)
        if other is not None:
            yield sriov_numbers.rule.finding(
                sriov.at("offset"),
                f"VF {i} of {device.label} has the number {devfn_text(devfn)} of {other.label}",
                related=[(other.at("dev"), "taken here")],
                help="choose offset and stride that step over the functions of the bus",
                subject=device.name,
            )
            return


ROOT = "the host bridge's first bus"
_PCIE: frozenset[str] = frozenset({"root-port", "downstream-port", "pci-to-pcie-bridge"})
_PCI: frozenset[str] = frozenset({"pcie-to-pci-bridge", "pci-bridge", ROOT})

# What each type can sit on. An endpoint on the first bus is not to the letter of the
# specification (it would be integrated), but QEMU's machines and Linux take it.
PARENTS: dict[DeviceType, frozenset[str]] = {
    "root-port": frozenset({ROOT}),
    "integrated-endpoint": frozenset({ROOT}),
    "event-collector": frozenset({ROOT}),
    "host-bridge-function": frozenset({ROOT}),
    "upstream-port": frozenset(_PCIE | {ROOT}),
    "downstream-port": frozenset({"upstream-port"}),
    "endpoint": frozenset(_PCIE | {ROOT, "upstream-port"}),
    "legacy-endpoint": frozenset(_PCIE | {ROOT, "upstream-port"}),
    "pcie-to-pci-bridge": frozenset(_PCIE | {ROOT, "upstream-port"}),
    "pci-to-pcie-bridge": _PCI,
    "pci-bridge": _PCI,
    "pci": frozenset(_PCI | _PCIE),
}


@check("RPX0009", Level.ERROR, needs="description")
def impossible_tree(facts: Facts) -> Iterator[Finding]:
    """What it finds: a device below something that cannot have it there: a downstream port that is not below
    an upstream port, a root port that is not on the host bridge's first bus, anything below an endpoint.
    Why it matters: no hardware looks like this, and kernels guess when they meet it.
    Example: `{type: root-port, devices: [{type: downstream-port}]}`.
    What to do: put the device where the message says, or correct its type.
    Source: PCI Express Base 6.0 §1.3 (topology), §7.5.3.2 (Device/Port Type).
    """
    for bridge in facts.platform.host_bridges:
        for device in bridge.devices:
            yield from _below(ROOT, None, device)


def a(word: str) -> str:
    """The word with its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _hides_express(device: Device) -> bool:
    """A bridge that Linux knows to lead from PCIe to PCI without saying so
    (`quirk_use_pcie_bridge_dma_alias`)."""
    rows = rows_of(device.vendor, device.device)
    return device.type == "pci-bridge" and any(row.effect == "secondary" for row in rows)


def _below(kind: str, parent: Device | None, device: Device) -> Iterator[Finding]:
    if parent is not None and not parent.is_bridge:
        yield impossible_tree.rule.finding(
            device.at("type"),
            f"{device.label} stands below {parent.label}, {a(parent.type)}, which has no bus below it",
            related=[(parent.at("type"), f"this is {a(parent.type)}")],
            help="give the parent the type of a bridge or port, or move the device",
            subject=device.name,
        )
    elif kind not in PARENTS[device.type] and not (kind in _PCIE and _hides_express(device)):
        allowed = ", ".join(sorted(PARENTS[device.type], key=lambda each: (each == ROOT, each)))
        where = "stands on" if kind == ROOT else "stands below"
        yield impossible_tree.rule.finding(
            device.at("type"),
            f"{device.label}, {a(device.type)}, {where} {kind if kind == ROOT else a(kind)}",
            related=[] if parent is None else [(parent.at("type"), f"this is {a(parent.type)}")],
            notes=[f"{a(device.type)} can stand below: {allowed}"],
            help="move the device or correct its type",
            subject=device.name,
        )
    for child in device.devices:
        yield from _below(device.type, device, child)
