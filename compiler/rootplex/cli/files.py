"""Reading what a user named, and writing results so that nothing is ever half written."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rootplex.cli.frame import UsageError
from rootplex.jobs.manifest import MANIFEST
from rootplex.readers.files import LIMIT, beginning_of
from rootplex.tools import leaving, orphans
from rootplex.tools.replacing import beside, exchange, lock, replacing


def read_input(name: str) -> tuple[str, bytes]:
    """The name for messages, and the bytes, of a file or of standard input (`-`)."""
    if name == "-":
        if sys.stdin is None:  # the shell's `<&-`
            raise UsageError("standard input is closed")
        data = sys.stdin.buffer.read(LIMIT + 1)
        label = "<stdin>"
    else:
        path = Path(name)
        if path.is_dir():
            raise UsageError(f"{name} is a folder, not a file")
        data = beginning_of(path, LIMIT + 1)
        label = name
    if len(data) > LIMIT:
        raise UsageError(f"{label} is larger than {LIMIT >> 20} MiB")
    return label, data


def read_inputs(names: Sequence[str]) -> tuple[list[str], dict[str, bytes]]:
    """The names for messages, and the bytes of those that can be read once only (`-`)."""
    given = dict(read_input(name) for name in dict.fromkeys(names) if name == "-")
    return [next(iter(given)) if name == "-" else name for name in names], given


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors without a file's name, as of a full disk, get this one."""
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
    with replacing(path) as file:
        file.write(data)


def _strangers(folder: Path, ours: Collection[str]) -> list[str]:
    """What would be lost in a folder that has no manifest, so that somebody else made it."""
    if not folder.exists() or (folder / MANIFEST).exists():
        return []
    return sorted(each.name for each in folder.iterdir() if each.name not in ours)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """A folder with exactly these files in place of what was there, all of them or none.

    The new folder is made beside the old one, and the two change places in one step. Where the file
    system cannot do that, file takes the place of file, the manifest's the last: until then it tells that
    the files are not its own. `UsageError` where the old one is not ours and something else is in it, a
    description perhaps.
    """
    folder = Path(os.path.realpath(folder))
    if others := _strangers(folder, files):
        raise UsageError(
            f"{folder} has {others[0]} in it, which would be lost: take it away, or name another folder by -o"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    orphans.take_fresh(folder)
    fresh = beside(folder)
    with leaving.passing(fresh):
        with leaving.step():
            fresh.mkdir()
        for name, data in files.items():
            with _named(folder / name):
                (fresh / name).write_bytes(data)
        if not _placed(fresh, folder):
            _placed_by_file(fresh, folder, files)


def _placed(fresh: Path, folder: Path) -> bool:
    """Whether the new folder stands in the old one's place; another process may make and take away folders
    of the same name meanwhile."""
    while True:
        try:
            return exchange(fresh, folder)
        except FileNotFoundError:
            with suppress(FileExistsError):
                return _renamed(fresh, folder)


def _renamed(fresh: Path, folder: Path) -> bool:
    try:
        fresh.rename(folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError from None
        raise
    return True


def _placed_by_file(fresh: Path, folder: Path, files: Mapping[str, bytes]) -> None:
    """One after the other, while no other process of ours does the same below this parent."""
    parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        lock(parent)
        folder.mkdir(exist_ok=True)
        for name in sorted(files, key=lambda name: name == MANIFEST):
            (fresh / name).replace(folder / name)
        for entry in folder.iterdir():
            if entry.name not in files:
                leaving.remove(entry)
    finally:
        os.close(parent)
