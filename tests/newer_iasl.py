"""The `iasl` of Debian 13: the system's where it is that new, else fetched through apt into the user's cache.

Debian 12's knows no VIOT. The fetched one runs with the C library that is fetched with it. Only tests ask for
it: no command of Rootplex does.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.acpica import Field, field

from rootplex.tools import apt
from rootplex.tools.runner import ToolError, private_folder, run

SUITE, SINCE = "trixie", 20230628
PACKAGES = ("acpica-tools", "libc6")
_ARCHES = {"x86_64": ("amd64", "ld-linux-x86-64.so.2"), "aarch64": ("arm64", "ld-linux-aarch64.so.1")}


@cache
def command() -> tuple[str, ...]:
    """How it is called; ToolError with the reason where it cannot be had."""
    if _version(("iasl",)) >= SINCE:
        return ("iasl",)
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache_folder / "rootplex" / f"acpica-{SUITE}"
    place.mkdir(parents=True, exist_ok=True)
    arch, loader = _ARCHES[platform.machine()]
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "whole").is_dir():
            _fetch(place, arch)
    libraries = next((place / "whole").rglob(loader)).resolve().parent
    found = str(libraries / loader), "--library-path", str(libraries), str(place / "whole/usr/bin/iasl")
    if _version(found) < SINCE:
        raise ToolError(f"the iasl of {SUITE} does not run here")
    return found


def fields(table: bytes) -> list[Field]:
    """The fields of a data table, in order, as it prints them."""
    with private_folder() as folder:
        (folder / "table.dat").write_bytes(table)
        outcome = run([*command(), "-d", "table.dat"], cwd=folder)
        assert outcome.status == 0, outcome.stderr
        text = (folder / "table.dsl").read_text()
    assert "Invalid" not in text
    assert "Unknown" not in text
    assert "checksum" not in (outcome.stdout + outcome.stderr).lower()
    return [found for line in text.splitlines() if (found := field(line))]


def structures(listed: list[Field], *first: str) -> Iterator[list[Field]]:
    """The fields cut before each one of these names; those before the first are left out."""
    current: list[Field] | None = None
    for each in listed:
        if each.name in first:
            if current is not None:
                yield current
            current = []
        if current is not None:
            current.append(each)
    if current is not None:
        yield current


def _version(argv: tuple[str, ...]) -> int:
    try:
        told = run([*argv, "-v"], cwd=Path(tempfile.gettempdir())).stdout
    except ToolError:
        return 0
    found = re.search(r"version (\d{8})", told)
    return 0 if found is None else int(found[1])


def _fetch(place: Path, arch: str) -> None:
    source = apt.Apt(place / ".apt", SUITE, arch, apt.mirror())
    source.update()
    with tempfile.TemporaryDirectory(dir=place, prefix=".new-") as folder:
        whole = Path(folder, "whole")
        for deb in source.download(PACKAGES):
            apt.unpack(deb, whole)
        whole.rename(place / "whole")
    shutil.rmtree(source.home)
