"""Block 07: what ACPI tables and AML say of host bridges."""
