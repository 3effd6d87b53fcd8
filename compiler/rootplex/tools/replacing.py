"""A file or folder that is there whole, or as it was; and a lock for what two processes write."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rootplex.tools import leaving

try:
    import fcntl
except ImportError:  # Windows has none: there two processes of ours may meet
    fcntl = None  # type: ignore[assignment]

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE
_UNABLE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)


def beside(path: Path) -> Path:
    """A name that nothing has, in the same folder: what is renamed may not move to another file system."""
    return path.parent / f".{path.name}.{os.urandom(8).hex()}"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """What is written in the block takes the file's place at its end. Errors without a file's name, as of a
    full disk, get this one."""
    fresh = beside(path)
    try:
        with leaving.passing(fresh):
            with leaving.step():
                file = fresh.open("xb")
            with file:
                yield file
            fresh.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def exchange(one: Path, other: Path) -> bool:
    """Whether two folders have changed places in one step, so that there is always one whole (Linux
    rename(2)); False where this system or file system has no such step.

    OSError for everything else, FileNotFoundError where one is not there.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def lock(descriptor: int) -> None:
    """Wait until no other process has this open file or folder locked, then have it for good (flock(2))."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
