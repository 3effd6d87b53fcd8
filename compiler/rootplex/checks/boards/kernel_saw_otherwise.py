"""kernel-saw-otherwise

What it finds: a function, its parent or a group that a running kernel showed, and that the simulation of the
same firmware and configuration space does not come to; or the other way round.
Why it matters: either the simulator is wrong about this machine, or something that firmware and configuration
space do not tell (a driver, a boot argument, hot plug) decided it; what else is said of it is to be doubted.
Example: the kernel shows 0000:02:00.0, which the simulated scan does not reach.
What to do: look at the kernel's messages about the device; report it where the simulator is wrong.
Source: the snapshot.
Sources that prove it: a snapshot.
"""

from __future__ import annotations

from rootplex.checks.rule import Rule
from rootplex.source.finding import Level

RULE = Rule(code="RPX0891", name="kernel-saw-otherwise", level=Level.WARNING)
