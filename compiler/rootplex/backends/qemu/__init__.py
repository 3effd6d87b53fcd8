"""QEMU's command line for a platform: its machine, its devices, and what QEMU cannot be told.

| module | what it knows |
|---|---|
| `arguments` | the whole command line, one argument a line |
| `machines` | QEMU's machines: where their configuration space, windows and interrupts are |
| `bridges` | whether a host bridge of the description can be a root bus of that machine |
| `devices` | `-device` arguments; which device can stand where |
| `registers` | whether a function is what QEMU's device shows |
| `refusals` | the findings, one code a kind of reason |

A finding of level error is something that QEMU's machine would show differently from the description.
"""

from rootplex.backends.qemu.arguments import arguments, disks
from rootplex.backends.qemu.machines import Abilities

__all__ = ["Abilities", "arguments", "disks"]
