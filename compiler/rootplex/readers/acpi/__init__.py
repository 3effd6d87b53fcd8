"""ACPI tables and AML to facts.

| module | gives |
|---|---|
| `header` | `Table`; `read_table(data, file)`, `split_tables(data, file)` |
| `acpidump` | `read_tables(path)`: acpidump text, a folder, a zip or tar of tables; duplicates stay |
| `mcfg` `dmar` `madt` | `read_mcfg(table)`, `read_dmar(table)`, `read_madt(table)` |
| `iort` | `read_iort(table)`; `root_complex(iort, segment)`, `map_id(iort, node, id, SMMU_TYPES)` |
| `resources` | `read_resources(bytes)`: the descriptors of a `_CRS` buffer |
| `aml` | `evaluate(tables) -> Namespace`, through `acpiexec` (one session of it: `acpiexec`) |
"""
