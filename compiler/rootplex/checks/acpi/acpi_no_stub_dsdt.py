"""acpi-no-stub-dsdt

What it finds: ACPI for a QEMU machine of an architecture without a stub DSDT.
Why it matters: without a DSDT no kernel boots by ACPI.
Example: `arch: riscv64` with `firmware: [acpi]` and a QEMU base.
What to do: leave acpi out of `firmware`, or write `base: none`.
Source: ACPI 6.5 §5.2.11.1.
"""

from rootplex.source.rules import NO_STUB_DSDT

RULE = NO_STUB_DSDT
