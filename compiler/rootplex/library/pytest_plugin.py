"""The pytest plugin (entry point `pytest11`): the fixture `rootplex_board`.

It is loaded in every run of pytest beside it, so it imports nothing of ours before the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    import os

    from rootplex.jobs.result import Result


class BoardFixture(Protocol):
    """What `rootplex_board` is: the result of a board's files, each board examined once in a session."""

    def __call__(self, *paths: str | os.PathLike[str], bare_metal: bool = False) -> Result: ...


@pytest.fixture(scope="session")
def rootplex_board(pytestconfig: pytest.Config) -> BoardFixture:
    """A function of paths, relative to pytest's root folder: the result of validating them as one board."""
    known: dict[tuple[object, ...], Result] = {}

    def board(*paths: str | os.PathLike[str], bare_metal: bool = False) -> Result:
        from rootplex.library.functions import validate

        named = tuple(pytestconfig.rootpath / path for path in paths)
        key = (*named, bare_metal)
        if key not in known:
            known[key] = validate(*named, bare_metal=bare_metal)
        return known[key]

    return board
