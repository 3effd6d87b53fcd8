"""What the firmware says: facts of a device tree and of ACPI, and where requests, messages and pins go."""
