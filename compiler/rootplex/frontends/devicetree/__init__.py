"""A device tree to a description: `import_tree(tree)`.

| module | what it makes |
|---|---|
| `platform` | the whole document: what the root, `/cpus` and the memory nodes say |
| `controllers` | the interrupt controllers, MSI controllers and IOMMUs that bridges refer to |
| `bridge` | a host bridge: numbers, configuration space, windows |
| `ids` | its `msi` and `iommu` maps |
| `intx` | its legacy interrupts |
| `properties` | the vendor's properties that compile would not write itself |
"""

from rootplex.frontends.devicetree.platform import import_tree

__all__ = ["import_tree"]
