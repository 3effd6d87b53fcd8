"""What a check is: its code, name, level, what it needs, and the rules of the references it covers."""

from __future__ import annotations

from typing import Literal, TypeAlias

from rootplex.source import finding

BYTES = "bytes"
"""In `requires`: every error that the description and the artifacts show before anything is simulated."""

ANY = "any"
"""In `requires`: every error of another check."""

EVERYTHING = "everything"
"""What a finding bears on after which nothing else can be relied on."""

Needs: TypeAlias = Literal["reading", "description", "artifacts", "simulation"]
"""`description`: the model. `artifacts`: the compiled or given bytes, read back. `simulation`: what Xen and
Dom0 did. `reading`: no check finds it (`pages`)."""

Platforms: TypeAlias = Literal[
    "x86", "x86-xen", "arm-32", "arm-32-xen", "xen", "xen-probes", "undescribed", "numbered-here", "aml"
]
"""Of an architecture, or of one whose Linux numbers bridges as it is simulated; with Xen below Linux, and not
on bare metal; both; a description that asks for today's Arm port of Xen, which probes bridges itself; or a
board without a description; or, of what AML alone can tell, one whose tables do not stand alone."""


class Rule(finding.Rule, frozen=True, kw_only=True):
    """The rule of a check. `only`: for which platforms it holds; None: all."""

    needs: Needs
    only: Platforms | None = None
