"""acpi-interrupt-trigger

What it finds: INTx lines with a trigger that `_PRT` cannot say.
Why it matters: a `_PRT` entry with a plain interrupt number is level, active high on a GIC and active low on
an I/O APIC.
Example: `intx: {controller: gic, irqs: [3, 4, 5, 6], trigger: edge-rising}` on a platform with ACPI.
What to do: write the trigger that the note gives, or leave acpi out of `firmware`.
Source: ACPI 6.5 §6.2.13; Linux drivers/acpi/pci_irq.c, acpi_pci_irq_enable.
"""

from rootplex.source.rules import INTERRUPT_TRIGGER

RULE = INTERRUPT_TRIGGER
