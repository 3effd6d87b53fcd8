"""Writing a cpio archive in the `newc` form, the only one that Linux unpacks as an initramfs.

Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst: a header of the
magic `070701` and thirteen fields of eight hexadecimal digits, the name with its NUL, the data;
name and data each padded to four bytes; `TRAILER!!!` ends the archive. Owner, times and link counts
are fixed and inodes count from 1, so that the same files give the same bytes everywhere.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

_TRAILER = "TRAILER!!!"
_BLOCK = 512  # what cpio itself pads an archive to; the kernel needs 4 before what follows


class Entry(Struct, frozen=True):
    """One member: its name without a leading slash, its bytes, its mode with the file type."""

    name: str
    data: bytes = b""
    mode: int = stat.S_IFREG | 0o644


def archive(files: Sequence[tuple[str, bytes]]) -> bytes:
    """The files as an archive, in the order given, each behind the folders that it lies in."""
    return pack([Entry(name, data) for name, data in files])


def pack(entries: Iterable[Entry]) -> bytes:
    """The members as an archive; a folder that no member names is put in where it is first needed.

    ValueError for a name that is absolute, empty, has `..`, or comes twice.
    """
    out = bytearray()
    inode = 0
    for inode, entry in enumerate(_with_folders(entries), start=1):
        _append(out, entry, inode)
    _append(out, Entry(_TRAILER, mode=0), 0)
    return bytes(out) + bytes(-len(out) % _BLOCK)


def _with_folders(entries: Iterable[Entry]) -> Iterator[Entry]:
    seen: set[str] = set()
    for entry in entries:
        path = PurePosixPath(entry.name)
        if (
            path.is_absolute()
            or ".." in path.parts
            or str(path) != entry.name
            or entry.name in (".", _TRAILER)
        ):
            raise ValueError(f"not a name for an archive member: {entry.name!r}")
        if entry.name in seen:
            raise ValueError(f"the archive has two members {entry.name!r}")
        for folder in [str(parent) for parent in reversed(path.parents)][1:]:
            if folder not in seen:
                seen.add(folder)
                yield Entry(folder, mode=stat.S_IFDIR | 0o755)
        seen.add(entry.name)
        yield entry


def _append(out: bytearray, entry: Entry, inode: int) -> None:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
    out += b"070701" + b"".join(b"%08X" % field for field in fields)
    for part in (name, entry.data):
        out += part
        out += bytes(-len(out) % 4)
