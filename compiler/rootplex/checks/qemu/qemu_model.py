"""qemu-model

What it finds: a device that this QEMU does not have, or a function without a model.
Why it matters: QEMU makes whole devices, not configuration space; what it has no model for cannot be there.
Example: `{dev: 1, id: "8086:1533"}` without `model`.
What to do: name a `qemu:` model of the catalogue, or run it with `rootplex qemu --synthetic`.
Source: `qemu-system-aarch64 -device help` (or the machine's own architecture).
"""

from rootplex.source.rules import QEMU_MODEL

RULE = QEMU_MODEL
