"""A file that is there whole, or as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rootplex.tools import leaving


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
