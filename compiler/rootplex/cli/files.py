"""Reading what a user named, and writing results so that nothing is ever half written."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rootplex.cli.frame import UsageError

MAX_INPUT = 64 << 20

MANIFEST = "manifest.json"
"""A folder that has it is ours, with all that is in it."""


def read_input(name: str) -> tuple[str, bytes]:
    """The name for messages, and the bytes, of a file or of standard input (`-`)."""
    if name == "-":
        data = sys.stdin.buffer.read(MAX_INPUT + 1)
        label = "<stdin>"
    else:
        path = Path(name)
        if path.is_dir():
            raise UsageError(f"{name} is a folder, not a file")
        with path.open("rb") as file:
            data = file.read(MAX_INPUT + 1)
        label = name
    if len(data) > MAX_INPUT:
        raise UsageError(f"{label} is larger than {MAX_INPUT >> 20} MiB")
    return label, data


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of writing without a file's name, as of a full disk, get this one."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def refuse_loss(path: Path, mark: bytes, *, force: bool) -> None:
    """UsageError where a file would be lost that does not begin as ours do (`mark`), but for `force`."""
    if force or not path.exists():
        return
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a file")
    with path.open("rb") as file:
        if file.read(len(mark)) == mark:
            return
    raise UsageError(f"{path} is there and is not ours: name another file by -o, or replace it by --force")


def write_file(path: Path, data: bytes) -> None:
    """The file whole, or as it was."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with _named(path), os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _strangers(folder: Path, ours: Collection[str]) -> list[str]:
    """What would be lost in a folder that has no manifest, so that somebody else made it."""
    if not folder.exists() or (folder / MANIFEST).exists():
        return []
    return sorted(each.name for each in folder.iterdir() if each.name not in ours)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """A folder with exactly these files in place of what was there, all of them or none.

    The new folder is made beside the old one and takes its place by two renames. `UsageError` where
    the old one is not ours and something else is in it, a description perhaps.
    """
    if others := _strangers(folder, files):
        raise UsageError(
            f"{folder} has {others[0]} in it, which would be lost: take it away, or name another folder by -o"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fresh.chmod(0o755)
        for name, data in files.items():
            with _named(folder / name):
                (fresh / name).write_bytes(data)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            folder.replace(old / folder.name)
            try:
                fresh.replace(folder)
            except OSError:
                (old / folder.name).replace(folder)
                raise
            finally:
                shutil.rmtree(old, ignore_errors=True)
        else:
            fresh.replace(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
