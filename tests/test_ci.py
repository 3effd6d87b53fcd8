"""`.ci/other-suite` where there can be no other Debian: one line that says why, and a status of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = "echo 0"


def script(folder: Path, **programs: str) -> Path:
    """A folder of programs that stand before the machine's own, each a line of shell."""
    folder.mkdir()
    for name, line in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("programs", "reason"),
    [
        ({"id": "echo 1000"}, "that needs root"),
        ({"id": ROOT, "unshare": "echo unshare: no >&2; exit 1"}, "nothing can be mounted here"),
        (
            {"id": ROOT, "unshare": '[ "$2" = mount ] || { echo "E: no mirror"; exit 1; }', "debootstrap": "",
             "apt-get": "exit 100"},
            "E: no mirror",
        ),
    ],
)  # fmt: skip
def test_why_there_is_none_is_one_line(
    programs: dict[str, str], reason: str, tmp_path: Path, checkout: Path
) -> None:
    path = f"{script(tmp_path / 'bin', **programs)}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [checkout / ".ci" / "other-suite"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    assert done.stdout == ""
    *before, last = done.stderr.splitlines()
    assert all(line.startswith("making a Debian ") for line in before)
    assert last.startswith("no Debian ")
    assert last.endswith(f" to test in: {reason}")
