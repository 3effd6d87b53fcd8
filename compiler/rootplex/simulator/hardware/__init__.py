"""The hardware: a PCI fabric made of configuration space images, behind host bridges.

| module | gives |
|---|---|
| `image` | `read_image(config, pages) -> Image`: config.json and config.bin, checked |
| `function` | `HardwareFunction`: one function's registers, with write masks and byte lanes |
| `fabric` | `Fabric`: one host bridge's buses; routes by the bus number registers as they stand |
| `bridges` | address decoders of a host bridge: ECAM, CAM, register window, registers elsewhere |
| `machine` | `Hardware`: all of it at CPU addresses and x86 ports; `BusError` where nothing decodes |
"""

from rootplex.simulator.hardware.image import read_image
from rootplex.simulator.hardware.machine import BusError, Hardware

__all__ = ["BusError", "Hardware", "read_image"]
