"""A description on a real kernel under QEMU, and what that kernel saw beside the simulation.

| module | what it knows |
|---|---|
| `preparation` | everything a boot needs: artifacts, arguments, disks, what is expected to be seen |
| `synthetic` | any platform as one of QEMU's, its configuration space in guest memory; every change listed |
| `streams` | StreamIDs of many units in the 16 bits of QEMU's one |
| `memory` | configuration space as bytes of guest memory, by the simulated bus numbers |
| `files` | the folder that QEMU runs in: disks, argument file, script |
| `boot` | one boot: which kernel, the command line, the snapshot |
| `seen` | a simulation and a snapshot in the same words |
| `comparison` | the two side by side, line by line |
| `listing` | the comparison as text and as JSON |
"""
