"""qemu-machine

What it finds: a base, memory, a controller or an IOMMU that the QEMU machine does not have where it is
described.
Why it matters: QEMU's machine is built in: the guest would see other hardware than the description says.
Example: a second ITS at 0x9000_0000 with `base: qemu-virt`.
What to do: describe what QEMU has, or run it with `rootplex qemu --synthetic`.
Source: QEMU 7.2 hw/arm/virt.c, hw/i386/pc_q35.c.
"""

from rootplex.source.rules import QEMU_MACHINE

RULE = QEMU_MACHINE
