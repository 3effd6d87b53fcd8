"""Xen and Dom0 over the compiled bytes: what the real ones would see, do, and agree on.

The simulator gets artifact bytes (a device tree blob, ACPI tables) and hardware (configuration
space pages behind host bridges), never the model. Results name artifact places and page ids only.
"""
