"""The ACPI tables: MCFG, SSDT, IORT, DMAR, the stub DSDT, and the archive that Linux overrides with."""
