"""Rootplex: PCI host bridges described once, compiled to device tree and ACPI, checked by simulation."""

__version__ = "0.1.0"
