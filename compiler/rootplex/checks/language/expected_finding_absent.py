"""expected-finding-absent

What it finds: a code in `expect.findings` that no finding has.
Why it matters: a fault that the author knows of is gone, or hidden; both are worth knowing.
Example: `expect: {findings: [RPX0801]}` after the segment was corrected.
What to do: take the code out where the fault was mended; else find out what hides it.
Source: the platform language, version 1 (`rootplex schema`), key `expect`.
"""

from rootplex.checks.rule import Rule
from rootplex.source.finding import Level

RULE = Rule(code="RPX0040", name="expected-finding-absent", level=Level.ERROR)
