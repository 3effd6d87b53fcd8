"""A file's bytes, read up to a limit: what is named may be a device, or grow."""

from __future__ import annotations

from pathlib import Path

from rootplex.source.finding import unreadable

LIMIT = 32 << 20
"""Of anything that is read: far above what firmware has, and read whole within 300 MB of memory."""


def bytes_of(path: Path, file: str, limit: int = LIMIT) -> bytes:
    """The file's bytes; `file` names it in places. Unreadable where there are more than `limit`, OSError
    where it cannot be opened or read."""
    data = beginning_of(path, limit + 1)
    if len(data) > limit:
        raise unreadable(file, f"the file is larger than {limit >> 20} MiB")
    return data


def beginning_of(path: Path, size: int) -> bytes:
    """The first bytes, or all where there are fewer; an OSError names the file."""
    try:
        with path.open("rb") as stream:
            return stream.read(size)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
