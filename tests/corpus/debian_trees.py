"""The device trees of Debian's arm64 kernel package, fetched through apt into the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from rootplex.tools import apt

SUITE, ARCH, PACKAGE = "bookworm", "arm64", "linux-image-arm64"


def debian_trees() -> list[Path]:
    """The blobs, unpacked once; ToolError with apt's reason where they cannot be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "rootplex" / "device-trees"
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = sorted((place / "whole").rglob("*.dtb"))
        return found or _fetched(place)


def _fetched(place: Path) -> list[Path]:
    source = apt.Apt(place / f".apt-{SUITE}", SUITE, ARCH, apt.mirror())
    source.update()
    package = next(name for name in source.dependencies(PACKAGE) if name.startswith("linux-image-"))
    (deb,) = source.download([package])
    with tempfile.TemporaryDirectory(dir=place, prefix=".new-") as name:
        tree, whole = Path(name, "tree"), Path(name, "whole")
        apt.unpack(deb, tree)
        for blob in sorted(tree.rglob("*.dtb")):
            target = whole / blob.relative_to(tree / "usr" / "lib")
            target.parent.mkdir(parents=True, exist_ok=True)
            blob.rename(target)
        shutil.rmtree(place / "whole", ignore_errors=True)
        whole.rename(place / "whole")
    source.forget()
    return sorted((place / "whole").rglob("*.dtb"))
