"""idle-suppression

What it finds: an entry of `suppress` that takes out no finding.
Why it matters: it would silence a later fault that nobody meant.
Example: `suppress: [{code: RPX0505, at: nic, reason: …}]` where `nic` has no such finding.
What to do: take the entry out. What would bring Xen down cannot be suppressed at all.
Source: the platform language, version 1 (`rootplex schema`), key `suppress`.
"""

from rootplex.checks.rule import Rule
from rootplex.source.finding import Level

RULE = Rule(code="RPX0041", name="idle-suppression", level=Level.WARNING)
