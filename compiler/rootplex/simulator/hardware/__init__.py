"""The hardware: a PCI fabric made of configuration space images, behind host bridges."""
