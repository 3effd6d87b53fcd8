"""What is wrong with `_PRT`."""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.check import check
from rootplex.checks.facts import Facts
from rootplex.readers.acpi.aml_facts import PrtEntry
from rootplex.source.finding import Finding, Level

LAST_PIN = 3
SPIS, EXTENDED_SPIS = range(32, 1020), range(4096, 5120)
"""Interrupt ids of a GIC that a pin can have (Arm IHI 0069 §2.2.1)."""


@check("RPX0637", Level.ERROR, requires=("RPX0618",))
def prt_entry(facts: Facts) -> Iterator[Finding]:
    """What it finds: an entry of a host bridge's `_PRT` that is no package of four elements; on Arm one with
    an interrupt that no pin can have (a processor's own, or a number that no GIC has); and one that no pin
    comes to, since an earlier one has its device and pin, or its pin is none of 0 to 3 (a warning).
    Why it matters: over the first the interpreter refuses the whole package: no device of the bridge has
    INTx. Of the second the device has none. Of two for a pin the first counts, and the pin that was meant
    has none.
    Example: `Package () { 0x0002FFFF, 0, 0, 3 }` for SPI 3, whose interrupt id is 35.
    What to do: write address, pin, source and index; on Arm the interrupt id, an SPI's number and 32.
    Source: ACPI 6.5 §6.2.13; ACPICA components/resources/rscreate.c, acpi_rs_create_pci_routing_table; Linux
    drivers/acpi/pci_irq.c, acpi_pci_irq_check_entry; drivers/irqchip/irq-gic-v3.c, gic_irq_domain_translate.
    Sources that prove it: DSDT and SSDT.
    """
    # The first such entry of each bridge.
    for bridge in facts.acpi_bridges:
        name = facts.name_of(bridge.path)
        broken = next((each for each in bridge.problems if each.kind == "count"), None)
        if broken is not None:
            yield prt_entry.rule.finding(
                broken.place,
                f"_PRT of '{name}' cannot be read: {broken.text}",
                notes=["no device below has INTx"],
                help="write address, pin, source and index of each entry",
                subject=name,
            )
            continue
        entries = bridge.prt.known or ()
        alien = next((each for each in entries if facts.arch == "arm64" and _is_alien(each)), None)
        if alien is not None:
            spi = f", SPI {alien.index} is {alien.index + 32}" if alien.index < SPIS.start else ""
            yield prt_entry.rule.finding(
                bridge.prt.place,
                f"_PRT of '{name}' has interrupt {alien.index} for {_pin(alien)}, which is no SPI",
                notes=["the kernel gives the device no INTx"],
                help=f"write the interrupt id{spi}",
                subject=name,
            )
        unreached = next(iter(_unreached(entries)), None)
        if unreached is not None:
            yield prt_entry.rule.finding(
                bridge.prt.place,
                f"_PRT of '{name}' has an entry that no function comes to: {_pin(unreached)}",
                level=Level.WARNING,
                notes=["pins are 0 to 3"] if unreached.pin > LAST_PIN else ["an earlier one is for the same"],
                help="give each device and pin one entry",
                subject=name,
            )


def _is_alien(entry: PrtEntry) -> bool:
    return entry.source is None and entry.index not in SPIS and entry.index not in EXTENDED_SPIS


def _unreached(entries: tuple[PrtEntry, ...]) -> Iterator[PrtEntry]:
    seen: dict[tuple[int, int], PrtEntry] = {}
    for entry in entries:
        earlier = seen.setdefault((entry.device, entry.pin), entry)
        said = (entry.source, entry.index) == (earlier.source, earlier.index)
        if entry.pin > LAST_PIN or not said:
            yield entry


def _pin(entry: PrtEntry) -> str:
    return f"device {entry.device:#04x}, pin {entry.pin}"
