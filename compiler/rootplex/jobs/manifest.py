"""`manifest.json`: what the files of a folder were made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

MANIFEST = "manifest.json"
"""A folder that has it is ours, with all that is in it."""


class Manifest(Struct, frozen=True, kw_only=True):
    """What a manifest says, read back."""

    description: str
    tools: dict[str, str]
    files: dict[str, str]
    xen: bool = False
    despite_errors: tuple[str, ...] = ()

    def is_of(self, description: bytes, *, xen: bool) -> bool:
        """Whether it is of a folder that was made of this description, and with or without Xen's files."""
        return self.description == hashlib.sha256(description).hexdigest() and self.xen == xen


def whole(folder: Path) -> Manifest | None:
    """The manifest of a folder that holds just what it says; None of any other."""
    try:
        tells = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        if {each.name for each in folder.iterdir()} != {*tells.files, MANIFEST}:
            return None
        for name, digest in tells.files.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                return None
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    return tells


def manifest(
    description: bytes,
    files: Mapping[str, bytes],
    versions: Mapping[str, str],
    despite: Iterable[str] = (),
    *,
    xen: bool = False,
) -> bytes:
    """`manifest.json`: the description's SHA-256, every file's, and the versions of the tools; the codes
    of the errors that the files were written despite, where there are any; whether Xen's files are there."""
    content: dict[str, object] = {
        "rootplex_manifest": 1,
        "description": hashlib.sha256(description).hexdigest(),
        "tools": dict(sorted(versions.items())),
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }
    if xen:
        content["xen"] = True
    if codes := sorted(set(despite)):
        content["despite_errors"] = codes
    return (json.dumps(content, indent=1) + "\n").encode()
