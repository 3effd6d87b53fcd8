"""The capture script as text: what the initramfs of a boot runs, and a user on a real board."""

from __future__ import annotations

from importlib.resources import files


def text() -> str:
    """The POSIX shell script; it tells its own use in its first lines."""
    return (files("rootplex.capture") / "snapshot.sh").read_text(encoding="utf-8")
