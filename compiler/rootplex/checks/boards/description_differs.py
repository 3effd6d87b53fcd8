"""description-differs

What it finds: a host bridge that a board's firmware and a description (`validate --against`) do not say
alike: segment, buses, configuration space, windows, requester-id maps, whether it is enabled or there at all.
Why it matters: what is compiled from the description is then not what the board has.
Example: the board's `bus-range` is 0-0x7f where the description has `bus_range: [0, 0xff]`.
What to do: correct the one that is wrong; `import` shows what the board says in the description's words.
Source: the two inputs.
Sources that prove it: a device tree or ACPI tables, and a description.
"""

from __future__ import annotations

from rootplex.checks.rule import Rule
from rootplex.source.finding import Level

RULE = Rule(code="RPX0890", name="description-differs", level=Level.ERROR)
