"""What is played on and damaged: the bundled boards, and machines that show what none of those has."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rootplex.jobs.bundled import boards

_HERE = Path(__file__).parent


@cache
def machines() -> dict[str, Path]:
    """The descriptions by name, the bundled ones first."""
    own = {path.stem: path for path in sorted(_HERE.glob("*.yaml"))}
    return {board.name: board.path for board in boards()} | own
