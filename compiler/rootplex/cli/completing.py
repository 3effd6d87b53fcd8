"""The answers when a shell asks how a command line goes on (argcomplete): it runs the program itself, with
the line so far in the environment, and only the command that is named there is loaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping


def words_so_far(environment: Mapping[str, str]) -> list[str]:
    """The words behind the program's name that are whole."""
    line = environment.get("COMP_LINE", "")[: int(environment.get("COMP_POINT", "0"))]
    words = line.split()
    return words[1:] if line.endswith(" ") else words[1:-1]


def know(command: str, parser: argparse.ArgumentParser) -> None:
    """Say what completes the arguments that are neither choices nor files."""
    for action in parser._actions:
        known = _KNOWN.get((command, action.dest))
        if known is not None:
            action.completer = lambda known=known, **_asked: known()  # type: ignore[attr-defined]


def answer(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and end the process; without argcomplete nothing is known."""
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(parser)


def _explained() -> Iterable[str]:
    from rootplex.checks.registry import every_page
    from rootplex.jobs.keys import every_key

    yield from (word for page in every_page() for word in (page.rule.code, page.rule.name))
    yield from every_key()


def _boards() -> Iterable[str]:
    from rootplex.jobs.bundled import boards

    return (each.name for each in boards())


_KNOWN: Mapping[tuple[str, str], Callable[[], Iterable[str]]] = {
    ("explain", "what"): _explained,
    ("new", "source"): _boards,
}
