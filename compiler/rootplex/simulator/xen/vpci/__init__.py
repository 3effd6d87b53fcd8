"""vPCI: configuration space as Dom0 or a guest is shown it (§5; Xen's `drivers/vpci/`).

| module | gives |
|---|---|
| `registers` | the register engine: handlers with masks, gaps, partial accesses |
| `header` | command register, BARs and ROM of a function |
| `capabilities` | the capability lists, filtered and unlinked |
| `interrupts` | MSI and MSI-X, where Xen manages them (x86) |
| `rebar` | resizable BARs of Dom0's devices |
| `slots` | the virtual SBDFs of a guest |
| `device` | all of it for the devices of a running Xen |
"""
