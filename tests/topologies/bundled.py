"""The bundled topologies: their files, what each describes, and the command that compiles them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from rootplex.jobs.describe import Checked, read_checked
from rootplex.model.platform import Platform

CHECKOUT = Path(__file__).resolve().parents[2]
FILES = sorted((CHECKOUT / "topologies").glob("*.yaml"))
NAMES = sorted(file.stem for file in FILES)
COMMAND = (sys.executable, "-c", "import sys; from rootplex.cli import main; sys.exit(main())")


@cache
def checked(name: str) -> Checked:
    file = CHECKOUT / "topologies" / f"{name}.yaml"
    return read_checked(file.read_bytes(), file.name)


def platform_of(name: str) -> Platform:
    platform = checked(name).platform
    assert platform is not None
    return platform


def with_firmware(firmware: str) -> list[str]:
    """The topologies that are compiled for a firmware."""
    return [name for name in NAMES if firmware in platform_of(name).firmware]


def rootplex(
    *words: str | Path,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """One run of the command line in a process of its own."""
    argv: Sequence[str] = [*COMMAND, *map(str, words)]
    env = {**os.environ, **(environment or {})}
    return subprocess.run(
        argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120, preexec_fn=before
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
