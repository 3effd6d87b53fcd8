"""Snapshots of a running machine: the script that takes one, and its reader."""

from importlib.resources import files


def script() -> str:
    """The POSIX shell script, which the initramfs of a boot runs, and a user on a real board; it tells its
    own use in its first lines."""
    return (files("rootplex.capture") / "snapshot.sh").read_text(encoding="utf-8")
