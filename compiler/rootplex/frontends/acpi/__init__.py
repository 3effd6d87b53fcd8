"""ACPI tables to a description: `import_acpi(source_of(tables))`.

| module | what it makes |
|---|---|
| `source` | the tables read: namespace, MCFGs, IORT, MADT, DMAR, IVRS, VIOT, RIMT |
| `platform` | the whole document |
| `controllers` | GICs, ITSs, I/O APICs, and IOMMUs of every kind |
| `bridge` | a host bridge: `_SEG`, `_CRS`, its ECAM |
| `ids` | RID maps composed out of IORT, of VIOT's ranges, or of RIMT's mappings |
| `intx` | `_PRT` |
"""

from rootplex.frontends.acpi.platform import heading, import_acpi
from rootplex.frontends.acpi.source import AcpiSource, source_of

__all__ = ["AcpiSource", "heading", "import_acpi", "source_of"]
