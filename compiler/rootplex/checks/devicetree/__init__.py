"""Block 06: what is wrong within a device tree's host bridge nodes."""
