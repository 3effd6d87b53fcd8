"""What QEMU cannot be told: a rule for each kind of reason."""

from __future__ import annotations

from rootplex.source.finding import Finding, Rule
from rootplex.source.place import Place

SYNTHETIC = "with --synthetic the topology goes in as configuration space in guest memory"


def refusal(
    rule: Rule, at: Place, message: str, *, note: str, subject: str, help: str = SYNTHETIC
) -> Finding:
    """An error: QEMU would show something else. `note` says what QEMU does."""
    return rule.finding(at, message, notes=(note,), help=help, subject=subject)
