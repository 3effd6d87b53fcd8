"""A description on a real kernel under QEMU, and what that kernel saw beside the simulation.

| module | what it knows |
|---|---|
| `preparation` | everything a boot needs: artifacts, arguments, disks, what is expected to be seen |
| `synthetic` | any platform as one of QEMU's, its configuration space in guest memory; every change listed |
| `standins` | the machines that stand in, and how their kernel is kept to the configuration space in memory |
| `streams` | StreamIDs of many units in the 16 bits of QEMU's one |
| `vtd` | which host bridges QEMU's one VT-d unit stands in for |
| `memory` | configuration space as bytes of guest memory, by the simulated bus numbers |
| `files` | the folder that QEMU runs in: disks, argument file, script |
| `boot` | one boot: which kernel, the command line, the snapshot |
| `seen` | a simulation and a snapshot in the same words |
| `comparison` | the two side by side, line by line |
| `listing` | the comparison as text and as JSON |
"""
