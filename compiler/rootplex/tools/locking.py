"""A lock that one process has at a time, and that ends with it (flock(2))."""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows has none: there two processes of ours may meet
    fcntl = None  # type: ignore[assignment]


def lock(descriptor: int) -> None:
    """Wait until no other process has this open file or folder locked, then have it."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
