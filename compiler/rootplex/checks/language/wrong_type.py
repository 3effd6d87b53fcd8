"""wrong-type

What it finds: a value of the wrong kind: text for a list, a list for a number.
Why it matters: the value cannot be used.
Example: `bus_range: 0-63`.
What to do: write what the message expects; numbers are integers or text such as `0x40_1000_0000`, `256MiB`.
Source: the platform language, version 1 (`rootplex schema`).
"""

from rootplex.source.rules import WRONG_TYPE

RULE = WRONG_TYPE
