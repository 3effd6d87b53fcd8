"""acpi-window-beyond-64-bits

What it finds: a window that ends beyond the 64-bit address space.
Why it matters: a resource descriptor has 64 bits for its maximum.
Example: `{space: mem64, pci: 0xffff_ffff_0000_0000, size: 8GiB}`.
What to do: make the window smaller, or put it lower.
Source: ACPI 6.5 §6.4.3.5.1.
"""

from rootplex.source.rules import WINDOW_BEYOND_64_BITS

RULE = WINDOW_BEYOND_64_BITS
