"""qemu-slot

What it finds: a function where QEMU plugs none, or has another of its own.
Why it matters: QEMU refuses to start, or the function appears elsewhere.
Example: a `pxb-pcie` missing on bus 0 for a second root bus.
What to do: follow the note, or run it with `rootplex qemu --synthetic`.
Source: QEMU 7.2 hw/pci/pci.c, hw/pci/pcie_port.c.
"""

from rootplex.source.rules import QEMU_SLOT

RULE = QEMU_SLOT
