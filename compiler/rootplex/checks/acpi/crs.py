"""The buses that `_CRS` and `_BBN` give a bridge, and descriptors that contradict themselves."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.areas import part_of
from rootplex.checks.causes import property_of
from rootplex.checks.check import check
from rootplex.checks.disjoint import buses_apart
from rootplex.checks.facts import Facts
from rootplex.readers.acpi.aml_facts import AcpiDevice, AcpiHostBridge
from rootplex.readers.acpi.resources import Resource
from rootplex.readers.buses import Buses
from rootplex.source.finding import Finding, Level
from rootplex.source.place import Place


@check("RPX0711", Level.ERROR, covers=("LNX-29",))
def crs_without_buses(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge without a bus range in its `_CRS`.
    Why it matters: Linux then takes `_BBN` (or 0) to 0xff, whatever the bridge decodes, and on arm64 no
    shorter MCFG entry matches.
    Example: a `_CRS` of windows alone.
    What to do: add a bus number descriptor (`WordBusNumber`) to `_CRS`.
    Source: Linux drivers/acpi/pci_root.c, acpi_pci_root_add and try_get_root_bridge_busnr.
    Sources that prove it: AML, where the value does not depend on memory.
    """
    for bridge in bridges(facts):
        template = bridge.crs.value
        if bridge.crs.state == "unknown" and (template is None or template.certain != template.resources):
            continue
        if template is not None and any(item.type == "bus" and item.length for item in template.resources):
            continue
        name = facts.name_of(bridge.path)
        reason = "has no _CRS" if bridge.crs.state == "absent" else "has no bus range in its _CRS"
        if bridge.crs.state == "failed":
            reason = "has a _CRS that cannot be evaluated"
        yield crs_without_buses.rule.finding(
            bridge.crs.place,
            f"{name} {reason}",
            notes=("Linux takes the buses from _BBN to 0xff then",),
            help="add a bus number descriptor to _CRS",
            subject=name,
        )


LAST_BUS = 0xFF


@check("RPX0756", Level.ERROR, covers=("LNX-29",))
def crs_bus_beyond(facts: Facts) -> Iterator[Finding]:
    """What it finds: a host bridge whose `_CRS` gives it a bus beyond 0xff.
    Why it matters: a bus number has 8 bits. Firmware that fills the numbers in as it starts was not run, or
    did not find its place; Linux cuts the number where it makes the bus, and finds no MCFG entry for it.
    Example: buses 0xabcd to 0xabdc, as in the source of the firmware.
    What to do: patch the descriptor as firmware does, or take the tables from a machine that runs.
    Source: PCI Express Base 6.0 §2.2.4.2 (bus numbers); Linux drivers/acpi/pci_root.c, acpi_pci_root_add, and
    drivers/pci/probe.c, pci_create_root_bus.
    Sources that prove it: AML, where the value does not depend on memory.
    """
    for bridge in bridges(facts):
        buses = bridge.buses
        if buses is None or buses.last <= LAST_BUS:
            continue
        name = facts.name_of(bridge.path)
        yield crs_bus_beyond.rule.finding(
            bridge.buses_at,
            f"{name} has buses {buses}, and a bus number has 8 bits",
            help="give it buses from 0x00 to 0xff",
            subject=name,
            about=(name, f"buses of {name}", "MCFG"),
        )


@check("RPX0733", Level.ERROR, requires=("RPX0202",), covers=("LNX-40", "XP-05"))
def acpi_buses_overlap(facts: Facts) -> Iterator[Finding]:
    """What it finds: two host bridges of one segment whose `_CRS` bus ranges overlap.
    Why it matters: one sBDF means two devices: the second bridge is refused (-EEXIST), or buses that both
    have are the first's.
    Example: two bridges without `_SEG`, both with buses 0-0xff.
    What to do: give them disjoint buses, or segments of their own.
    Source: Linux drivers/pci/probe.c, pci_register_host_bridge, and arch/x86/pci/acpi.c, pci_acpi_scan_root.
    Sources that prove it: AML, where the value does not depend on memory.
    """
    seen: dict[int, list[tuple[Buses, AcpiHostBridge]]] = {}
    for bridge in bridges(facts):
        segment, buses = bridge.segment, bridge.buses
        if segment is None or buses is None:
            continue
        earlier = seen.setdefault(segment, [])
        for theirs, other in earlier:
            low, high = max(buses.first, theirs.first), min(buses.last, theirs.last)
            if low > high:
                continue
            name, first = facts.name_of(bridge.path), facts.name_of(other.path)
            apart = buses_apart(facts, name, "acpi")
            yield acpi_buses_overlap.rule.finding(
                bridge.buses_at,
                f"{name} and {first} both have buses {low:#04x}-{high:#04x} of segment {segment}",
                related=[
                    (other.buses_at, f"the buses of {first}"),
                    *_segments(facts, bridge, other),
                ],
                help="give them disjoint buses, or segments of their own"
                + ("" if apart is None else f": buses {apart[0].first:#04x}-{apart[0].last:#04x} are free"),
                rewrite=None if apart is None else apart[1],
                subject=name,
                about=(name, first),
            )
            break
        earlier.append((buses, bridge))


def _segments(facts: Facts, *of: AcpiHostBridge) -> Iterator[tuple[Place, str]]:
    for bridge in of:
        said = "is absent: segment 0" if bridge.seg.state == "absent" else f"is {bridge.seg.value}"
        yield bridge.seg.place, f"_SEG of {facts.name_of(bridge.path)} {said}"


@check("RPX0712", Level.WARNING)
def bbn_differs(facts: Facts) -> Iterator[Finding]:
    """What it finds: a `_BBN` that is not the first bus of `_CRS`.
    Why it matters: Linux goes by `_CRS`; others, and AML that reads configuration space before `_CRS` is
    known, go by `_BBN`.
    Example: `_BBN` 0x80 beside a `_CRS` from bus 0x20.
    What to do: let both say the same.
    Source: ACPI 6.5 §6.5.5; Linux drivers/acpi/pci_root.c, acpi_pci_root_add.
    Sources that prove it: AML, where the value does not depend on memory.
    """
    for bridge in bridges(facts):
        buses, first = bridge.buses, bridge.bbn.known
        if buses is None or first is None or first == buses.first:
            continue
        name = facts.name_of(bridge.path)
        yield bbn_differs.rule.finding(
            bridge.bbn.place,
            f"_BBN of {name} is {first:#04x}, its _CRS begins at bus {buses.first:#04x}",
            related=[(bridge.buses_at, "the bus range of _CRS")],
            help="let _BBN be the first bus of _CRS",
            subject=name,
        )


MIN_AND_MAX_FIXED = 0x0C


@check("RPX0754", Level.WARNING, requires=("RPX0756",))
def descriptor_length(facts: Facts) -> Iterator[Finding]:
    """What it finds: an address descriptor of `_CRS` whose length is not that from its minimum to its
    maximum, and a window that runs backwards (an error: the kernel drops it).
    Why it matters: with both ends fixed the three numbers say one thing twice. Linux takes minimum and
    maximum of a window, drops it where the length is 0, and takes minimum and length of a bus range; other
    systems read other two of the three.
    Example: minimum 0xf7000000, maximum 0xf8000000, length 0x1000000.
    What to do: let the maximum be the last address, and the length maximum - minimum + 1.
    Source: ACPI 6.5 §6.4.3.5.1, table 6.44; Linux drivers/acpi/resource.c, acpi_decode_space, and
    drivers/acpi/pci_root.c, get_root_bridge_busnr_callback.
    Sources that prove it: AML, where the value does not depend on memory.
    """
    # Descriptors of length 0 are for firmware to fill in.
    if facts.acpi is None:
        return
    every: tuple[AcpiHostBridge | AcpiDevice, ...]
    every = (*bridges(facts), *facts.acpi.namespace.motherboard)
    for device in every:
        template = device.crs.value
        for item in () if template is None else template.certain:
            spanned = item.maximum - item.minimum + 1
            if item.kind not in ("Word", "DWord", "QWord", "Extended") or not item.length:
                continue
            name = facts.name_of(device.path)
            if item.minimum > item.maximum and item.type in ("memory", "io"):
                yield _backwards(device, item, name)
                continue
            if item.general_flags & MIN_AND_MAX_FIXED != MIN_AND_MAX_FIXED or item.length == spanned:
                continue
            taken = "minimum and length" if item.type == "bus" else "minimum and maximum"
            spans = f"spans {spanned:#x}"
            if spanned <= 0:
                spans = f"runs backwards, from {item.minimum:#x} to {item.maximum:#x},"
            yield descriptor_length.rule.finding(
                device.descriptor(item),
                f"a {item.type} descriptor of {name} {spans} and has length {item.length:#x}",
                notes=(f"it holds {item.minimum:#x}-{item.maximum:#x}", f"Linux takes {taken}"),
                help="let the length be maximum - minimum + 1",
                subject=name,
                about=(name, part_of("window", name, item.cpu_minimum)),
                rests_on=(f"buses of {name}",)
                if item.type == "bus"
                else (part_of("window", name, item.cpu_minimum),),
            )


def _backwards(device: AcpiHostBridge | AcpiDevice, item: Resource, name: str) -> Finding:
    """A window from its end to its beginning (`acpi_dev_resource_len_valid`)."""
    is_window = isinstance(device, AcpiHostBridge)
    return descriptor_length.rule.finding(
        device.descriptor(item),
        f"a {item.type} descriptor of {name} runs backwards, from {item.minimum:#x} to {item.maximum:#x}",
        level=Level.ERROR if is_window else Level.WARNING,
        notes=[f"Linux drops it, whatever its length ({item.length:#x})"],
        help="let the maximum be the last address of the range",
        subject=name,
        about=(name, property_of(name, "ranges")) if is_window else (),
    )
