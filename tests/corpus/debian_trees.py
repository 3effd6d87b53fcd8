"""The device trees of Debian's kernel packages, fetched through apt into the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path, PurePath

from rootplex.tools import apt
from rootplex.tools.runner import ToolError


@cache
def debian_trees(suite: str = "bookworm", arch: str = "arm64") -> tuple[Path, ...]:
    """The blobs of a suite's newest kernel, unpacked once; ToolError with apt's reason where they cannot
    be had."""
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache_folder / "rootplex" / "device-trees" / f"{suite}-{arch}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "whole").is_dir():
            _fetch(place, suite, arch)
    return tuple(sorted((place / "whole").rglob("*.dtb")))


def debian_tree(name: str, suite: str, arch: str) -> Path:
    """One of them, by its stem. LookupError where the kernel has no such board."""
    for blob in debian_trees(suite, arch):
        if blob.stem == name:
            return blob
    raise LookupError(f"{suite}'s kernel for {arch} has no {name}.dtb")


def _fetch(place: Path, suite: str, arch: str) -> None:
    source = apt.Apt(place / ".apt", suite, arch, apt.mirror())
    source.update()
    depends = source.dependencies(f"linux-image-{arch}")
    (deb,) = source.download([next(name for name in depends if name.startswith("linux-image-"))])
    with tempfile.TemporaryDirectory(dir=place, prefix=".new-") as folder:
        whole = Path(folder, "whole")
        _unpack_blobs(deb, whole)
        whole.rename(place / "whole")
    shutil.rmtree(source.home)


def _unpack_blobs(deb: Path, folder: Path) -> None:
    """The package's `*.dtb` alone, which are a twentieth of it."""
    argv = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    with (
        subprocess.Popen(argv, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            if member.isfile() and member.name.endswith(".dtb"):
                file = folder.joinpath(*PurePath(member.name).parts[-2:])  # vendor/board.dtb
                blob = archive.extractfile(member)
                assert blob is not None
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(blob.read())
    if process.returncode != 0:
        raise ToolError(f"{deb.name} cannot be unpacked")
