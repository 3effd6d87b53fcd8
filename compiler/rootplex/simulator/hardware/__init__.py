"""The hardware: a PCI fabric made of configuration space images, behind host bridges, at CPU addresses."""

from rootplex.simulator.hardware.image import read_image
from rootplex.simulator.hardware.machine import BusError, Hardware

__all__ = ["BusError", "Hardware", "read_image"]
