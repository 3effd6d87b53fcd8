"""What a process that was killed (SIGKILL, a power cut) left lying about: the next one that comes there takes
it away, a day later, when nobody can be at work in it any more."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from rootplex.tools import leaving

OLD = 24 * 3600.0
"""Seconds since a folder was last changed."""
_TEMPORARY = re.compile(r"rootplex-[0-9a-f]{16}")
_FRESH = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}", re.DOTALL)


@cache
def take_temporary(folder: Path) -> None:
    """Old private folders (`runner.private_folder`) in the folder of temporary files; once a process."""
    for path in _old(folder, _TEMPORARY):
        leaving.remove(path)


def take_fresh(folder: Path) -> None:
    """Old folders that were to take the place of this one (`replacing.beside`)."""
    for path in _fresh(folder.parent).get(folder.name, ()):
        leaving.remove(path)


@cache
def _fresh(parent: Path) -> Mapping[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in _old(parent, _FRESH):
        match = _FRESH.fullmatch(path.name)
        assert match is not None
        found.setdefault(match["name"], []).append(path)
    return found


def _old(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Folders of the user's own, so called, that nobody has changed for long; none where one cannot look."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if pattern.fullmatch(entry.name)
                and entry.is_dir(follow_symlinks=False)
                and (told := entry.stat(follow_symlinks=False)).st_uid == os.getuid()
                and time.time() - told.st_mtime > OLD
            ]
    except OSError:
        return []
