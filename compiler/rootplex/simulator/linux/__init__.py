"""Dom0: Linux, by profile, finding host bridges in its firmware and devices behind them.

| module | what |
|---|---|
| `boot` | `boot(firmware, settings, hardware, hypervisor) -> Dom0State` |
| `profiles` | what differs between kernel versions, as data |
| `hypervisor` | the seam to Xen: the calls that Dom0 makes, and `BareMetal` |
| `rootbridges_dt` `rootbridges_acpi` | host bridges from the firmware; `rootbridge` is one |
| `domains` `resources` `mcfg_x86` `mcfg_quirks` | segment numbers, address claims, ECAM by MCFG |
| `access` | configuration accesses as host bridge drivers make them |
| `scan` `probe` `capabilities` `acs` `sriov` `virtual` | buses, functions, capabilities, ACS, VFs |
| `bars` `placement` `pools` `windows` | sizing and placement of BARs and bridge windows |
| `registration` | what Xen is told, and when |
"""
