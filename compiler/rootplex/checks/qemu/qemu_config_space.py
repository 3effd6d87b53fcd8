"""qemu-config-space

What it finds: configuration space that QEMU's one ECAM window does not have: another base, kind or access
sizes, no bus 0, or buses that two bridges share.
Why it matters: all root buses of QEMU share one ECAM of 256 buses; anything else would be answered by nobody.
Example: `config: {base: 0x5000_0000}` with `base: qemu-virt`.
What to do: write the base that the note gives, keep bus ranges apart, or run it with
`rootplex qemu --synthetic`.
Source: QEMU 7.2 hw/arm/virt.c, hw/pci-bridge/pci_expander_bridge.c.
"""

from rootplex.source.rules import QEMU_CONFIG_SPACE

RULE = QEMU_CONFIG_SPACE
