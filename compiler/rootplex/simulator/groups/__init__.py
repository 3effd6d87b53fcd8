"""Which functions must go together: Linux's IOMMU groups, what Xen says, and what is safe.

| module | gives |
|---|---|
| `reason` | `Reason`: one fact about one function that a group rests on |
| `grouping` | `Group`, `Grouping`: a partition of functions, with reasons |
| `acs` | `Acs`: whether a function isolates (`pci_acs_enabled`), a whole path does, and what it lacks |
| `timing` | `timing(settings)`: when and in which order this kernel groups |
| `iommu_probe` | `probe_functions(order, streams)`: which functions an IOMMU takes, and merges |
| `neighbours` | functions beside each other: one slot, fixed aliases |
| `linux` | `linux_groups(…)`: Linux up to 7.2 |
| `top_down` | `top_down_groups(…)`: the proposed algorithm (profile `jgg-v3`) |
| `xen` | `xen_groups(…)`: what Xen answers |
| `safe` | `safe_groups(…)`: what must stay together whatever Linux and Xen say |
| `dom0` | `group(scan, firmware, settings)`: Dom0's groups, written into the functions |
| `guests` | `guest_view(…)`: what a guest's wish meets |
"""
