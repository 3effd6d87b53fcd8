"""qemu-window

What it finds: a window that QEMU does not pass down to its PCI buses.
Why it matters: BARs placed there would not answer.
Example: a mem32 window at 0x6000_0000 with `base: qemu-virt`.
What to do: keep windows inside QEMU's own, or run it with `rootplex qemu --synthetic`.
Source: QEMU 7.2 hw/arm/virt.c, base_memmap and extended_memmap.
"""

from rootplex.source.rules import QEMU_WINDOW

RULE = QEMU_WINDOW
