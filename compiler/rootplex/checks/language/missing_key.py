"""missing-key

What it finds: a required key that is not there.
Why it matters: there is no default that would be right for it.
Example: `host_bridges: [{segment: 1}]` (no name).
What to do: add the key.
Source: the platform language, version 1 (`rootplex schema`).
"""

from rootplex.source.rules import MISSING_KEY

RULE = MISSING_KEY
