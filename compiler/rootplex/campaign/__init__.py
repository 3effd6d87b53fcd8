"""Random topologies, booted on real kernels beside the simulation.

| module | gives |
|---|---|
| `topologies` | descriptions by chance, and the same with one thing less |
| `themes` | descriptions by chance around a theme each |
| `machines` | descriptions by chance of QEMU's own devices behind an IOMMU that is one of them |
| `drawn` | the topologies of a seed by their numbers, as boards |
| `booted` | one of them booted: what the kernel saw otherwise, and the smallest that still shows it |
"""
