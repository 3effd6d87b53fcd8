"""Bytes of firmware artifacts to typed facts: device tree blobs, ACPI tables and their AML.

Facts say what is in the bytes and where (`Place`), never what a kernel makes of it. What is
malformed inside a readable artifact is a `Problem` beside the facts; an artifact that cannot be
read at all is one `Unreadable`.

| module | gives |
|---|---|
| `dtb` | `read_dtb(blob, file) -> Tree` |
| `dts` | `compile_dts(text, file) -> bytes` |
| `tree` | `Tree`, `DtNode`: nodes, properties as bytes, phandles, aliases |
| `address` | `regs(node)`, `ranges(node)`, `to_cpu(node, address)` |
| `hostbridge` | `pci_host_bridges(tree, map_cells) -> tuple[DtHostBridge, ...]` |
| `controllers` | the compatible strings of PCI host controllers and their kind of configuration space |
| `ridmap` | `RidMap`; `map_rid(map, rid) -> MapResult` |
| `intx` | `InterruptMap`; `InterruptMaps(tree)`; `route_intx(maps, bridge_node, hops, pin) -> IntxRoute` |
| `platform_dt` | `read_platform(tree) -> DtPlatform`: memory, reservations, controllers, chosen, areas |
| `acpi` | tables, MCFG, IORT, DMAR, MADT, resource templates, and the AML namespace |
"""
