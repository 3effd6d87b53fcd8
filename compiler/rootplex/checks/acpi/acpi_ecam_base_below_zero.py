"""acpi-ecam-base-below-zero

What it finds: a configuration space so low that that of bus 0 would lie below address 0.
Why it matters: MCFG and `_CBA` hold the base of bus 0, also where the bus range starts higher; a device tree
holds that of the first bus.
Example: `bus_range: [0x80, 0xff]` with `config: {base: 0x0400_0000}`.
What to do: put the configuration space higher, or begin the bus range lower.
Source: PCI Firmware 3.3 §4.1.2; Linux drivers/acpi/pci_mcfg.c, pci_mcfg_lookup.
"""

from rootplex.source.rules import ECAM_BASE_BELOW_ZERO

RULE = ECAM_BASE_BELOW_ZERO
