"""invalid-value

What it finds: a value of the right kind that cannot be: out of range, not one of those allowed, malformed.
Why it matters: the hardware or the firmware has no room for it.
Example: `segment: 0x10000` (a segment has 16 bits).
What to do: take a value within what the message says.
Source: the platform language, version 1 (`rootplex schema`); PCI Firmware 3.3 §4.1.2 for segments and buses.
"""

from rootplex.source.rules import INVALID_VALUE

RULE = INVALID_VALUE
