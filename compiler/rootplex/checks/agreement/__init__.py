"""Block 08: whether the device tree and ACPI say the same of one host bridge."""
