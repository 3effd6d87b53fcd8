"""The exit statuses of every command beside a result's own (0: no errors, 1: findings)."""

from __future__ import annotations

HANDLED = 2
"""The command could not do its work, and said why."""
INTERRUPTED = 130
