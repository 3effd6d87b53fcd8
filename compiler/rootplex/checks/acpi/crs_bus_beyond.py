"""crs-bus-beyond

What it finds: a host bridge whose `_CRS` gives it a bus beyond 0xff.
Why it matters: a bus number has 8 bits. Firmware that fills the numbers in as it starts was not run, or did
not find its place; Linux cuts the number where it makes the bus, and finds no MCFG entry for it.
Example: buses 0xabcd to 0xabdc, as in the source of the firmware.
What to do: patch the descriptor as firmware does, or take the tables from a machine that runs.
Source: PCI Express Base 6.0 §2.2.4.2 (bus numbers); Linux drivers/acpi/pci_root.c, acpi_pci_root_add, and
drivers/pci/probe.c, pci_create_root_bus.
Sources that prove it: AML, where the value does not depend on memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.bridges import name_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.source.finding import Finding, Level

RULE = Rule(code="RPX0756", name="crs-bus-beyond", level=Level.ERROR, needs="artifacts", covers=("LNX-29",))

LAST_BUS = 0xFF


def check(facts: Facts) -> Iterator[Finding]:
    """Each bridge that is there."""
    for bridge in bridges(facts):
        buses = bridge.buses
        if buses is None or buses.last <= LAST_BUS:
            continue
        name = name_of(facts, bridge.path)
        yield RULE.finding(
            bridge.buses_at,
            f"{name} has buses {buses}, and a bus number has 8 bits",
            help="give it buses from 0x00 to 0xff",
            subject=name,
            about=(name, f"buses of {name}", "MCFG"),
        )
