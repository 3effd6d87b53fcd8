"""A description on a real Xen with a Linux Dom0 under QEMU, beside the simulation of both.

| module | what it knows |
|---|---|
| `loading` | how Xen, Dom0 and both command lines come into the machine: `/chosen`, or multiboot modules |
| `console` | what is typed on Xen's console, and what it says |
| `setup` | the files that start Xen without us: the tree with `/chosen`, a script |
| `firmware` | our ACPI tables as those of the machine's own firmware (x86) |
| `boot` | one boot |
| `comparison` | what Xen and its Dom0 made of the machine, beside the simulation, line by line |
"""
