"""qemu-intx

What it finds: INTx lines other than those that QEMU wires.
Why it matters: the interrupt would arrive on a line that no driver listens on.
Example: `intx: {controller: gic, irqs: [7, 8, 9, 10]}` with `base: qemu-virt`.
What to do: write the lines that the note gives, or run it with `rootplex qemu --synthetic`.
Source: QEMU 7.2 hw/pci-host/gpex.c, hw/pci-bridge/pci_expander_bridge.c.
"""

from rootplex.source.rules import QEMU_INTX

RULE = QEMU_INTX
