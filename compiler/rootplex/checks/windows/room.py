"""Windows, and whether what is behind a bridge finds room in them."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.areas import part_of
from rootplex.checks.bridges import device_of, enabled_bridges
from rootplex.checks.causes import MCFG_UNUSABLE, WRONG_WINDOW, property_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.checks.simulated import booted
from rootplex.model.device import Device
from rootplex.readers.address import DtWindow
from rootplex.readers.hostbridge import DtHostBridge
from rootplex.report import causes
from rootplex.simulator.function import Function
from rootplex.source.finding import Finding, Level
from rootplex.source.place import FilePlace, Place

GRAIN, GIB_4 = 1 << 20, 1 << 32


@check(
    "RPX0112",
    Level.WARNING,
    requires=("RPX0113", "RPX0601", "RPX0603", "RPX0711", *MCFG_UNUSABLE, "RPX0754"),
    covers=("LNX-16",),
)
def no_plain_window(facts: Facts) -> Iterator[Finding]:
    """What it finds: an enabled host bridge without a memory window that is not prefetchable and lies below 4
    GiB on the PCI side; also one without any window where a device of the description has memory (an error),
    or where the kernel drops all that `_CRS` lists: on Arm what is not marked as passed on
    (ResourceProducer), too.
    Why it matters: 32-bit BARs, and those that must not be prefetched, find no place; most devices have one.
    Example: `windows: [{space: mem64, pci: 0x80_0000_0000, size: 64GiB}]` alone.
    What to do: add a `mem32` window.
    Source: Linux drivers/pci/of.c, pci_parse_request_of_pci_ranges, and drivers/pci/setup-res.c,
    __pci_assign_resource.
    Sources that prove it: device tree; DSDT and SSDT where all of `_CRS` is known.
    """
    # Bridges without a window for their devices' memory; then those that list some, but no plain one.
    told = set()
    for described in facts.described_bridges:
        device = next((each for each in described.walk() if _has_memory(each)), None)
        if described.enabled and not described.windows and device is not None:
            told.add(described.name)
            yield no_plain_window.rule.finding(
                described.at("windows"),
                f"'{described.name}' has no window, and '{device.label}' has memory",
                level=Level.ERROR,
                related=[(device.at("bars" if device.bars else "rom"), "it is to be placed")],
                help="add a mem32 window",
                subject=described.name,
                about=(described.name, property_of(described.name, "ranges")),
            )
    for bridge in enabled_bridges(facts):
        if bridge.ranges != "entries" or any(each.translation == "mbus" for each in bridge.windows):
            continue
        plain = any(
            window.space in ("mem32", "mem64") and not window.prefetchable and window.pci < GIB_4
            for window in bridge.windows
        )
        if not plain and bridge.windows:
            told.add(facts.name_of(bridge.path))
            yield _not_plain(bridge.place("ranges"), facts.name_of(bridge.path))
    for host in facts.acpi_bridges:
        template = host.crs.known
        if template is None or not host.is_on or facts.name_of(host.path) in told:
            continue
        windows = [each for each in template.resources if each.type == "memory" and each.length]
        usable = [
            each
            for each in windows
            if each.span and not each.prefetchable and (facts.arch == "x86_64" or each.producer)
        ]
        if facts.arch != "x86_64" and not template.windows and facts.described is None:
            yield _no_window(host.crs.place, facts.name_of(host.path), is_listed=bool(windows))
        elif windows and not any(each.minimum < GIB_4 for each in usable):
            yield _not_plain(host.crs.place, facts.name_of(host.path))


def _has_memory(device: Device) -> bool:
    return device.rom is not None or any(bar.space != "io" for bar in device.bars)


def _no_window(at: Place, name: str, *, is_listed: bool) -> Finding:
    """Linux on x86 takes all addresses then; elsewhere there are none (`pci_acpi_root_prepare_resources`)."""
    left_out = "Linux leaves out what is not marked as passed on, and a fixed descriptor never is"
    return no_plain_window.rule.finding(
        at,
        f"_CRS of '{name}' has no window",
        notes=["no BAR below can be placed", *([left_out] if is_listed else ())],
        help="list each window as a ResourceProducer",
        subject=name,
        rests_on=(name, property_of(name, "ranges")),
    )


def _not_plain(at: Place, name: str) -> Finding:
    return no_plain_window.rule.finding(
        at,
        f"'{name}' has no window below 4 GiB that is not prefetchable",
        notes=["32-bit BARs cannot be placed"],
        help="add a mem32 window",
        subject=name,
        rests_on=(name, property_of(name, "ranges")),
    )


@check("RPX0114", Level.WARNING, covers=("LNX-18",))
def several_io_windows(facts: Facts) -> Iterator[Finding]:
    """What it finds: more than one I/O window on one host bridge.
    Why it matters: Linux remembers one CPU address for I/O; the last one wins, and the ports of the others
    lead elsewhere.
    Example: two windows with `space: io`.
    What to do: keep one; 64 KiB is all that the I/O space has.
    Source: Linux drivers/pci/of.c, devm_of_pci_get_host_bridge_resources.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        # pci-mvebu reads its windows itself: one a port
        if bridge.controller is not None and bridge.controller.driver == "pci-mvebu":
            continue
        yield from _bridge(facts, bridge)


def _bridge(facts: Facts, bridge: DtHostBridge) -> Iterator[Finding]:
    windows = [window for window in bridge.windows if window.space == "io" and window.size]
    for window, before in zip(windows[1:], windows, strict=False):
        joined = (before.pci + before.size, before.cpu_local + before.size)
        if joined == (window.pci, window.cpu_local):
            continue
        name = facts.name_of(bridge.path)
        yield several_io_windows.rule.finding(
            window.place,
            f"'{name}' has more than one I/O window",
            related=[(before.place, "another one is here")],
            help="keep one",
            subject=name,
        )
        return


@check("RPX0121", Level.ERROR, needs="description")
def too_small_for_ports(facts: Facts) -> Iterator[Finding]:
    """What it finds: a described host bridge whose memory windows below 4 GiB are all smaller than 1 MiB,
    with a port or bridge that has a device with memory below it.
    Why it matters: what a port passes on begins and ends at 1 MiB: nothing below one has a place in such a
    window.
    Example: `{space: mem32, pci: 0x2000_0000, size: 256}` for 256 MiB.
    What to do: write the size that the machine decodes to PCI; `size` counts bytes.
    Source: PCI-to-PCI Bridge Architecture 1.2 §3.2.5.6; Linux drivers/pci/setup-bus.c, pbus_size_mem.
    """
    # Each bridge, at its first memory window.
    for bridge in facts.platform.host_bridges:
        windows = [each for each in bridge.windows if each.space != "io" and each.pci < GIB_4]
        below = next(
            (device for port in bridge.walk() for device in port.devices if _has_memory(device)), None
        )
        if (
            not bridge.enabled
            or not windows
            or below is None
            or any(not 0 < each.size < GRAIN for each in windows)
        ):
            continue
        yield too_small_for_ports.rule.finding(
            windows[0].at("size"),
            f"the {windows[0].space} window of '{bridge.name}' has {windows[0].size:#x} bytes, "
            "too few for a port",
            related=[(below.at(), "it is below a port, and has memory")],
            notes=["a port passes on whole MiBs of memory"],
            help="write the window's size, as in 256MiB",
            subject=bridge.name,
            about=(bridge.name, property_of(bridge.name, "ranges")),
        )


@check("RPX0115", Level.WARNING, requires=("RPX0601", "RPX0604"))
def unusable_window(facts: Facts) -> Iterator[Finding]:
    """What it finds: a window of size 0, or one whose CPU address does not come through the `ranges` of the
    buses above (an error).
    Why it matters: the kernel leaves it out without a word, and BARs that would lie in it find no place.
    Example: a window of 256 MiB below a bus whose `ranges` hold 16 MiB.
    What to do: correct the size, or widen the `ranges` above.
    Source: Linux drivers/of/address.c, of_pci_range_parser_one, and drivers/pci/of.c,
    devm_of_pci_get_host_bridge_resources.
    Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        for window in bridge.windows:
            if not window.size:
                at, why, help = window.at_size, "has size 0", "write its size, or take it out"
            elif window.translation == "none":
                at, why = window.at_address, "is at no address of the CPU"
                help = "widen the ranges of the bus above, or correct the address"
            else:
                continue
            yield unusable_window.rule.finding(
                at,
                f"the {window.space} window of '{name}' at {window.cpu_local:#x} {why}",
                level=Level.ERROR if window.size else Level.WARNING,
                notes=["the kernel leaves it out, and what would lie in it has no place"],
                help=help,
                subject=name,
                rests_on=(property_of(name, "ranges"),),
            )


PAGE = 1 << 12


@check("RPX0130", Level.WARNING, requires=("RPX0601", "RPX0113", "RPX0115", "RPX0804"))
def window_off_page(facts: Facts) -> Iterator[Finding]:
    """What it finds: a window that begins or ends within a page of 4 KiB.
    Why it matters: no bridge decodes parts of a page: what the kernel places at the edge does not answer, or
    another device has it. It is a slip of a digit, or a last address in place of a size.
    Example: `{space: mem32, pci: 0x2000_0010, size: 256MiB}`.
    What to do: correct the address or the size.
    Source: PCI-to-PCI Bridge 1.2 §3.2.5 (I/O in 4 KiB, memory in 1 MiB). Sources that prove it: device tree.
    """
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        for window in bridge.windows:
            if window.space == "config":
                continue
            begin, end = window.pci % PAGE or window.cpu_local % PAGE, window.size % PAGE
            if not begin and not end:
                continue
            how = f"begins {begin:#x}" if begin else f"ends {end:#x}"
            yield window_off_page.rule.finding(
                window.at_address if begin else window.at_size,
                f"the {window.space} window of '{name}' at {window.cpu_local:#x} {how} bytes into a page",
                notes=() if begin else [f"its size is {window.size:#x}"],
                help="write an address that ends in 000" if begin else _whole(window.size),
                subject=name,
                rests_on=(property_of(name, "ranges"),),
            )


def _whole(size: int) -> str:
    """A size that was probably meant."""
    if size % PAGE == PAGE - 1:
        return f"write a number of bytes, {size + 1:#x}, and no last one"
    return "write a size that ends in 000"


NARROW = {"io": "an I/O window", "mem32": "a 32-bit memory window"}


@check("RPX0113", Level.ERROR, requires=("RPX0601", "RPX0804"), covers=("LNX-19",))
def window_space(facts: Facts) -> Iterator[Finding]:
    """What it finds: a window whose space type cannot be: 32-bit memory or I/O that reaches beyond 4 GiB on
    the PCI side, or the type of configuration space, where the driver reads no such entry.
    Why it matters: a reader that believes the type cuts the addresses to 32 bits. Of memory Linux drops the
    distinction (a warning), so a test with Linux alone does not show the fault; I/O has no more than 32 bits.
    An entry of configuration type is no window at all.
    Example: `{space: mem32, pci: 0x40_0000_0000, size: 4GiB, prefetchable: true}` (0x42000000 for
    0x43000000).
    What to do: make it `mem64`.
    Source: PCI Bus Binding to IEEE 1275 §2.2.1.1 (phys.hi); Linux drivers/of/address.c, of_bus_pci_get_flags.
    Sources that prove it: device tree.
    """
    # One finding for all windows that are too narrow.
    for bridge in enabled_bridges(facts):
        name = facts.name_of(bridge.path)
        narrow = [window for window in bridge.windows if _is_too_narrow(window)]
        if narrow:
            window, *more = narrow
            parts = [part_of("window", name, each.cpu) for each in narrow if each.cpu is not None]
            yield window_space.rule.finding(
                window.place,
                f"'{name}' has {NARROW[window.space]} at {_span(window)}, beyond 4 GiB",
                level=Level.ERROR if any(each.space == "io" for each in narrow) else Level.WARNING,
                notes=[
                    *[f"the first cell is {window.phys_hi:#010x}"] * (facts.described is None),
                    *["Linux takes memory of either width alike"] * (window.space == "mem32"),
                    *(f"so it is with {NARROW[each.space]} at {_span(each)}" for each in more),
                ],
                help="give it the 64-bit memory type (0x03000000 in the first cell)"
                if facts.described is None
                else "write 'space: mem64', or addresses that end below 4 GiB",
                subject=name,
                about=(name, *parts),
                rests_on=(property_of(name, "ranges"), *parts),
            )
        generic = bridge.controller is not None and bridge.controller.driver == "pci-host-generic"
        for window in bridge.windows if generic else ():
            if window.space == "config":
                yield window_space.rule.finding(
                    window.place,
                    f"'{name}' lists configuration space among its windows",
                    notes=[f"the first cell is {window.phys_hi:#010x}: space 0"],
                    help="take the entry out; configuration space stands in reg",
                    subject=name,
                    rests_on=(property_of(name, "ranges"),),
                )


def _is_too_narrow(window: DtWindow) -> bool:
    # mvebu's child addresses are (port, address) pairs, not PCI addresses of 64 bits
    beyond = window.pci + window.size > GIB_4
    return window.space in NARROW and window.translation != "mbus" and beyond


def _span(window: DtWindow) -> str:
    return f"{window.pci:#x}-{window.pci + window.size - 1:#x}"


@check("RPX0120", Level.ERROR, needs="simulation", requires=(*WRONG_WINDOW, "RPX0112", "RPX0601", "RPX0603"))
def bar_unplaced(facts: Facts) -> Iterator[Finding]:
    """What it finds: BARs that no window has room for. An I/O BAR behind a host bridge without any I/O window
    is a note: most Arm boards have none, and few drivers miss it.
    Why it matters: the device stays without that BAR, and its driver most often fails.
    Example: a BAR of 512 MiB behind windows of 256 MiB.
    What to do: widen a window of that kind, or make the BAR smaller.
    Source: Linux drivers/pci/setup-bus.c, pci_assign_unassigned_root_bus_resources, and
    drivers/pci/setup-res.c, __pci_assign_resource.
    """
    dom0 = booted(facts).dom0
    for unplaced in dom0.unplaced:
        function, bar = unplaced.function, unplaced.bar
        root = dom0.root_bridges[function.root]
        at = root.places.get("windows", root.places.get("node", FilePlace("")))
        name = facts.device_name(function)
        no_io = bar.space == "io" and not any(window.space == "io" for window in root.windows)
        yield bar_unplaced.rule.finding(
            _bar_place(facts, function, bar.index) or at,
            f"BAR {bar.index} of '{name}' has no place: {bar.size:#x} bytes of {bar.space}",
            level=Level.NOTE if no_io else Level.ERROR,
            notes=[causes.unplaced(unplaced)],
            help="widen a window of that kind",
            subject=name,
        )


def _bar_place(facts: Facts, function: Function, index: int) -> Place | None:
    """Where the description says how large the BAR is (6: the ROM, 7-12: the VFs')."""
    device = device_of(facts, function)
    if device is None:
        return None
    described = next((bar for bar in device.bars if bar.index == index), None)
    if described is not None:
        return described.at("size")
    return device.at("rom" if index == 6 else "")
