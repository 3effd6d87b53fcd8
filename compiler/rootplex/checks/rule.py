"""What a check is: its code, name, level, and the rules of the references it covers."""

from __future__ import annotations

from rootplex.source.finding import Rule

__all__ = ["ANY", "BYTES", "EVERYTHING", "Rule"]

BYTES = "bytes"
"""In `requires`: every error that the description and the artifacts show before anything is simulated."""

ANY = "any"
"""In `requires`: every error of another check."""

EVERYTHING = "everything"
"""What a finding bears on after which nothing else can be relied on."""
