"""What a git checkout says: a file as a revision has it, and which revision this is."""

from __future__ import annotations

import shutil
from pathlib import Path

from rootplex.tools.runner import ToolError, private_folder, run

SECONDS = 20.0


def revision(spec: str) -> bytes:
    """The bytes of `REV:FILE` (gitrevisions(7); FILE from the checkout's root, or `./FILE` from here).
    ToolError, in git's words, where there is no such revision or file, or no checkout."""
    if spec.startswith("-"):
        raise ToolError(f"{spec} is no revision of a file: it is written as in HEAD~1:board.yaml")
    with private_folder() as folder:
        # Through a file: what a program prints is taken for text.
        command = ["sh", "-c", 'exec git -C "$1" cat-file blob "$0" >blob', spec, str(Path.cwd())]
        outcome = run(command, cwd=folder, seconds=SECONDS)
        if outcome.status:
            said = outcome.stderr.strip().splitlines()
            raise ToolError(f"{spec}: git says: {said[0] if said else f'status {outcome.status}'}")
        return (folder / "blob").read_bytes()


def head() -> str | None:
    """The revision of the checkout that this package stands in, with `+` where files differ from it; None
    where it stands in none, or there is no git."""
    here = Path(__file__).resolve().parent
    if shutil.which("git") is None or not any((each / ".git").exists() for each in here.parents):
        return None
    command = ["git", "-C", str(here), "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
    outcome = run(command, cwd=here, seconds=SECONDS)
    return None if outcome.status else outcome.stdout.strip()
