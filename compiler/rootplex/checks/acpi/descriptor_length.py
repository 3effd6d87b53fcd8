"""descriptor-length

What it finds: an address descriptor of `_CRS` whose length is not that from its minimum to its maximum, and a
window that runs backwards (an error: the kernel drops it).
Why it matters: with both ends fixed the three numbers say one thing twice. Linux takes minimum and maximum of
a window, drops it where the length is 0, and takes minimum and length of a bus range; other systems read
other two of the three.
Example: minimum 0xf7000000, maximum 0xf8000000, length 0x1000000.
What to do: let the maximum be the last address, and the length maximum - minimum + 1.
Source: ACPI 6.5 §6.4.3.5.1, table 6.44; Linux drivers/acpi/resource.c, acpi_decode_space, and
drivers/acpi/pci_root.c, get_root_bridge_busnr_callback.
Sources that prove it: AML, where the value does not depend on memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootplex.checks.acpi_tables import bridges
from rootplex.checks.areas import part_of
from rootplex.checks.bridges import name_of
from rootplex.checks.causes import property_of
from rootplex.checks.facts import Facts
from rootplex.checks.rule import Rule
from rootplex.readers.acpi.aml_facts import AcpiDevice, AcpiHostBridge
from rootplex.readers.acpi.resources import Resource
from rootplex.source.finding import Finding, Level

RULE = Rule(
    code="RPX0754",
    name="descriptor-length",
    level=Level.WARNING,
    needs="artifacts",
    requires=("RPX0756",),
)


MIN_AND_MAX_FIXED = 0x0C


def check(facts: Facts) -> Iterator[Finding]:
    """Each descriptor that contradicts itself; those of length 0 are for firmware to fill in."""
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
            name = name_of(facts, device.path)
            if item.minimum > item.maximum and item.type in ("memory", "io"):
                yield _backwards(device, item, name)
                continue
            if item.general_flags & MIN_AND_MAX_FIXED != MIN_AND_MAX_FIXED or item.length == spanned:
                continue
            taken = "minimum and length" if item.type == "bus" else "minimum and maximum"
            spans = f"spans {spanned:#x}"
            if spanned <= 0:
                spans = f"runs backwards, from {item.minimum:#x} to {item.maximum:#x},"
            yield RULE.finding(
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
    return RULE.finding(
        device.descriptor(item),
        f"a {item.type} descriptor of {name} runs backwards, from {item.minimum:#x} to {item.maximum:#x}",
        level=Level.ERROR if is_window else Level.WARNING,
        notes=[f"Linux drops it, whatever its length ({item.length:#x})"],
        help="let the maximum be the last address of the range",
        subject=name,
        about=(name, property_of(name, "ranges")) if is_window else (),
    )
