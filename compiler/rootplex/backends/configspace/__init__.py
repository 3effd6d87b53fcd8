"""The hardware as bytes: configuration space pages of every function, and where each one sits.

| module | what it makes |
|---|---|
| `image` | config.bin and config.json of a platform, and which of its devices each function is |
| `shape` | what the registers of one function depend on, and nothing else |
| `page` | a pair of pages, written register by register from tables |
| `function` | all registers of one function: header and capability lists |
| `header`, `capabilities`, `express`, `extended`, `virtual` | the structures, a table each |

The contract with whoever reads it is `schemas/config.schema.json`.
"""

from rootplex.backends.configspace.image import HardwareImage, config_space, virtual_key

__all__ = ["HardwareImage", "config_space", "virtual_key"]
