"""The entries of MCFG by themselves: what the table says twice, or cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import entries, entry_text, field, owners_of
from rootplex.checks.causes import base_of
from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.formats.pci import ECAM_BUS
from rootplex.readers.acpi.mcfg import McfgEntry, read_mcfg
from rootplex.source.finding import Finding, Level


@check("RPX0713", Level.ERROR, requires=("RPX0757",), covers=("LNX-34", "XP-45"))
def mcfg_length(facts: Facts) -> Iterator[Finding]:
    """What it finds: an MCFG whose length is not 44 + 16 n, or which has no entry (a note with every bridge
    off).
    Why it matters: what is left after the last whole entry is ignored without a word; with no entry there
    is no ECAM.
    Example: a table of 50 bytes.
    What to do: make the length that of the header and whole entries.
    Source: PCI Firmware 3.3 §4.1.2; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_parse, and
    arch/x86/pci/mmconfig-shared.c, pci_parse_mcfg; Xen xen/arch/x86/x86_64/acpi_mmcfg.c, acpi_parse_mcfg.
    Sources that prove it: MCFG.
    """
    mcfg = facts.tables.mcfg
    if mcfg is None:
        return
    table = mcfg.table
    if not mcfg.entries:
        text = f"MCFG has {table.length} bytes and no entry"
    elif mcfg.remainder:
        text = f"MCFG has {mcfg.remainder} bytes after its last whole entry"
    else:
        return
    every = facts.acpi_bridges
    off = bool(every) and all(bridge.is_on is False for bridge in every)
    yield mcfg_length.rule.finding(
        table.place(4, 4),
        text,
        level=Level.NOTE if off and not mcfg.entries else None,
        notes=(f"44 + 16 n bytes are n entries; this is 44 + {table.length - 44}",),
        help="make the table's length that of its entries",
        about=("MCFG", *(each.name for each in facts.bridges)),
    )


@check("RPX0714", Level.ERROR, requires=("RPX0202", "RPX0733"), covers=("LNX-34", "XP-48"))
def mcfg_entries_overlap(facts: Facts) -> Iterator[Finding]:
    """What it finds: two MCFG entries of one segment that share buses.
    Why it matters: which entry holds for the shared buses depends on who reads: Linux on arm64 and Xen take
    the first of the table; Linux on x86 the one with the lower first bus, and of two that begin with one
    bus the later.
    Example: buses 0-0x3f and 0x20-0x7f, both segment 0.
    What to do: give every (segment, bus) one entry.
    Source: Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, and arch/x86/pci/mmconfig-shared.c,
    list_add_sorted and pci_mmconfig_lookup; Xen xen/arch/x86/x86_64/mmconfig_64.c, get_virt. Sources that
    prove it: MCFG.
    """
    owners: dict[tuple[int, int], McfgEntry] = {}
    for other in entries(facts):
        buses = [(other.segment, bus) for bus in range(other.start_bus, other.end_bus + 1)]
        earlier = [owners[bus] for bus in buses if bus in owners]
        for bus in buses:
            owners.setdefault(bus, other)
        if not earlier:
            continue
        first = min(earlier, key=lambda each: each.index)
        low, high = max(first.start_bus, other.start_bus), min(first.end_bus, other.end_bus)
        yield mcfg_entries_overlap.rule.finding(
            field(other, "start_bus"),
            f"MCFG has buses {low:#04x}-{high:#04x} of segment {other.segment} twice",
            related=[(field(first, "start_bus"), entry_text(first))],
            notes=(f"this entry: {entry_text(other)}",),
            help="give every segment and bus one entry",
            about=("MCFG", *owners_of(facts, first, other)),
        )


@check("RPX0715", Level.WARNING, covers=("LNX-34",))
def mcfg_bases_differ(facts: Facts) -> Iterator[Finding]:
    """What it finds: entries of one segment with different bases.
    Why it matters: systems that look an entry up by its segment alone take the first base for all buses of
    the segment.
    Example: segment 0 at 0x4010000000 for buses 0-0x3f and at 0x5000000000 for buses 0x40-0x7f.
    What to do: let all entries of a segment have the base of its bus 0, or give the bridges segments of
    their own.
    Source: PCI Firmware 3.3 §4.1.2; https://github.com/microsoft/mu_msvm/pull/87, firmware that looked up
    the segment alone. Sources that prove it: MCFG.
    """
    seen: dict[int, McfgEntry] = {}
    for entry in entries(facts):
        first = seen.setdefault(entry.segment, entry)
        overlap = first.start_bus <= entry.end_bus and entry.start_bus <= first.end_bus
        if first.base == entry.base or overlap:
            continue
        yield mcfg_bases_differ.rule.finding(
            field(entry, "base"),
            f"MCFG gives segment {entry.segment} two bases, {first.base:#x} and {entry.base:#x}",
            related=[(field(first, "base"), entry_text(first))],
            help="give the bridges segments of their own, or one stretch of configuration space",
            about=(base_of(entry.segment, entry.base),),
        )


@check("RPX0716", Level.ERROR)
def several_mcfgs(facts: Facts) -> Iterator[Finding]:
    """What it finds: more than one MCFG.
    Why it matters: which one holds depends on the operating system: Linux takes the first. Where they say
    the same it is a note.
    Example: buses 0-0xff in one and 0-0xe0 in the other.
    What to do: leave one.
    Source: ACPI 6.5 §5.2.6; Linux drivers/acpi/tables.c, acpi_table_parse.
    Sources that prove it: MCFG, in a dump that kept all tables.
    """
    tables = facts.tables.all("MCFG")
    for table in tables[1:]:
        first, other = read_mcfg(tables[0]), read_mcfg(table)
        same = [_content(each) for each in first.entries] == [_content(each) for each in other.entries]
        yield several_mcfgs.rule.finding(
            table.place(),
            f"there are {len(tables)} MCFGs" + ("" if same else ", which contradict each other"),
            level=Level.NOTE if same else several_mcfgs.rule.level,
            related=[(tables[0].place(), "; ".join(map(entry_text, first.entries)) or "no entry")],
            notes=(f"this one: {'; '.join(map(entry_text, other.entries)) or 'no entry'}",),
            help="leave one MCFG",
            about=("MCFG", *(each.name for each in facts.bridges)),
        )


def _content(entry: McfgEntry) -> tuple[int, int, int, int]:
    return entry.base, entry.segment, entry.start_bus, entry.end_bus


@check("RPX0717", Level.ERROR, covers=("LNX-30", "XP-43"))
def mcfg_base_zero(facts: Facts) -> Iterator[Finding]:
    """What it finds: an MCFG entry with base 0.
    Why it matters: Linux on arm64 takes it for no entry; Linux on x86 drops the whole table; Xen does the
    same where it is the first entry.
    Example: an entry that nobody filled in.
    What to do: write the address, or leave the entry out.
    Source: Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup, and arch/x86/pci/mmconfig-shared.c,
    pci_mmconfig_alloc; Xen xen/arch/x86/x86_64/mmconfig-shared.c, acpi_mmcfg_init.
    Sources that prove it: MCFG.
    """
    for entry in entries(facts):
        if entry.base == 0:
            yield mcfg_base_zero.rule.finding(
                field(entry, "base"),
                f"MCFG has base 0 for {entry_text(entry).partition(' at ')[0]}",
                help="write the address of bus 0, or leave the entry out",
                about=(*owners_of(facts, entry), base_of(entry.segment, entry.base)),
            )


@check("RPX0718", Level.ERROR, only="x86", covers=("LNX-35", "XP-46"))
def mcfg_above_4g(facts: Facts) -> Iterator[Finding]:
    """What it finds: on x86, a base above 4 GiB in an MCFG of revision 0.
    Why it matters: Linux and Xen believe such an entry only from revision 1 on (and a BIOS of 2010 or
    later); one that they do not believe discards the whole table.
    Example: base 0x4010000000 in a table of revision 0.
    What to do: make the table's revision 1, or put ECAM below 4 GiB.
    Source: Linux arch/x86/pci/mmconfig-shared.c, acpi_mcfg_valid_entry (acpi_mcfg_check_entry in 6.1); Xen
    xen/arch/x86/x86_64/acpi_mmcfg.c, acpi_mcfg_check_entry.
    Sources that prove it: MCFG.
    """
    mcfg = facts.tables.mcfg
    if mcfg is None or mcfg.table.revision >= 1:
        return
    if mcfg.table.oem_id.startswith(b"SGI"):
        return
    for entry in mcfg.entries:
        if entry.base >= 0xFFFFFFFF:
            yield mcfg_above_4g.rule.finding(
                field(entry, "base"),
                f"MCFG of revision 0 has {entry_text(entry)}, above 4 GiB",
                related=[(mcfg.table.place(8, 1), "the table's revision")],
                notes=("Linux and Xen discard the whole table",),
                help="make the table's revision 1, or put ECAM below 4 GiB",
                about=("MCFG", *(each.name for each in facts.bridges)),
            )


FLASH, GIB_4 = 0xFF000000, 1 << 32


@check("RPX0719", Level.ERROR, only="x86", requires=("RPX0106",))
def mcfg_past_4g(facts: Facts) -> Iterator[Finding]:
    """What it finds: on x86, ECAM that begins below 4 GiB and ends above the flash at its top.
    Why it matters: the last buses lie on I/O APIC, local APIC and firmware flash: a configuration access
    there writes to them.
    Example: base 0xf8000000 for buses 0-0xff.
    What to do: cut the bus range to what fits below 0xfec0_0000.
    Source: Intel 64 SDM vol. 3A §11.4.1 (the local APIC's address); PCI Firmware 3.3 §4.1.2.
    Sources that prove it: MCFG.
    """
    for entry in entries(facts):
        first = entry.base + entry.start_bus * ECAM_BUS
        end = entry.base + (entry.end_bus + 1) * ECAM_BUS
        if first < GIB_4 and end > FLASH:
            yield mcfg_past_4g.rule.finding(
                field(entry, "end_bus"),
                f"ECAM of {entry_text(entry)} ends at {end - 1:#x}, over the firmware's flash",
                related=[(field(entry, "base"), "its base")],
                help="cut the bus range to what fits below I/O APIC, local APIC and flash",
                about=owners_of(facts, entry),
            )


@check("RPX0725", Level.ERROR, only="x86", covers=("LNX-36", "XP-43"))
def segment_zero_missing(facts: Facts) -> Iterator[Finding]:
    """What it finds: on x86, an MCFG without segment 0.
    Why it matters: the ports 0xcf8 and 0xcfc reach segment 0 only; a PC needs it in MCFG.
    Example: one bridge, `segment: 1`, on x86_64.
    What to do: give the bridge with the legacy devices segment 0.
    Source: PCI Firmware 3.3 §4.1.2; Linux arch/x86/pci/common.c, raw_pci_read.
    Sources that prove it: MCFG.
    """
    found = entries(facts)
    if found and all(entry.segment for entry in found):
        yield segment_zero_missing.rule.finding(
            field(found[0], "segment"),
            "MCFG has no entry of segment 0",
            notes=("the legacy ports reach segment 0 only",),
            help="give the bridge of the legacy devices segment 0",
            about=owners_of(facts, *found),
        )


SLOT = 512 << 30


@check("RPX0730", Level.ERROR, only="x86-xen", covers=("XP-49",))
def mcfg_beyond_xen_slot(facts: Facts) -> Iterator[Finding]:
    """What it finds: on x86, more ECAM than Xen has addresses for.
    Why it matters: Xen maps entry n at n × the size of the largest bus range, all in 512 GiB; what lies
    beyond is not mapped.
    Example: 2049 entries of 256 buses.
    What to do: describe fewer entries, or shorter ones.
    Source: Xen xen/arch/x86/x86_64/mmconfig_64.c, mcfg_ioremap.
    Sources that prove it: MCFG.
    """
    found = entries(facts)
    if not found:
        return
    window = 1 << (20 + max(entry.end_bus for entry in found).bit_length())
    room = SLOT // window
    if len(found) > room:
        yield mcfg_beyond_xen_slot.rule.finding(
            found[room].place,
            f"MCFG has {len(found)} entries, Xen has room for {room} of this size",
            notes=(f"each takes {window >> 20} MiB of 512 GiB",),
            help="describe fewer entries, or shorter bus ranges",
        )


@check("RPX0735", Level.ERROR, covers=("LNX-15", "XP-12"))
def mcfg_buses_reversed(facts: Facts) -> Iterator[Finding]:
    """What it finds: an MCFG entry whose start bus is behind its end bus.
    Why it matters: it holds no bus: the bridge that it was meant for has no ECAM.
    Example: start 0x40, end 0x3f.
    What to do: write the smaller bus first.
    Source: PCI Firmware 3.3 §4.1.2; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup; Xen
    xen/arch/x86/x86_64/mmconfig_64.c, get_virt.
    Sources that prove it: MCFG.
    """
    for entry in entries(facts):
        if entry.start_bus > entry.end_bus:
            yield mcfg_buses_reversed.rule.finding(
                field(entry, "end_bus"),
                f"an MCFG entry of segment {entry.segment} ends at bus {entry.end_bus:#04x}, "
                f"before its start {entry.start_bus:#04x}",
                related=[(field(entry, "start_bus"), "its start")],
                help="write the first bus as the start",
                about=owners_of(facts, entry),
            )
