"""missing-key

What it finds: a required key that is not there.
Why it matters: there is no default that would be right for it.
Example: `host_bridges: [{segment: 1}]` (no name).
What to do: add the key.
Source: the platform language, version 1 (`rootplex schema`).
"""

from rootplex.checks.rule import Rule
from rootplex.source.finding import Level

RULE = Rule(code="RPX0004", name="missing-key", level=Level.ERROR)
