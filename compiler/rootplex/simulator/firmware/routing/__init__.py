"""Where a function's requests, messages and interrupt pins go, by device tree or by ACPI.

| module | gives |
|---|---|
| `routes` | the results: `StreamRoute`, `DeviceStreams`, `MsiRoute`, `IntxRoute`, `IntxLine` |
| `aliases` | `dma_aliases(function)`: the requester ids a function uses |
| `lookup` | one id through `iommu-map`, `msi-map`, or IORT |
| `stream` | `StreamRouter`: requester id to (IOMMU, StreamID) |
| `msi` | `MsiRouter`: requester id to (MSI controller, DeviceID) |
| `intx` | `IntxRouter`: pin to interrupt controller and line; `shared_lines` |
| `explain` | `Explainer`: one requester's way by device tree and by ACPI, side by side |
"""
