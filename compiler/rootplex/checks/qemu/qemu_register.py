"""qemu-register

What it finds: a register of a function that QEMU's model has with another value and that no option changes.
Why it matters: the real boot would show another device than the description.
Example: `{model: "qemu:nvme", msix: 3}`.
What to do: take the key out, so that the model's value holds, or run it with `rootplex qemu --synthetic`.
Source: the model's registers as QEMU 7.2 shows them to a guest.
"""

from rootplex.source.rules import QEMU_REGISTER

RULE = QEMU_REGISTER
