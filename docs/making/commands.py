"""The page of the commands, out of argparse."""

from __future__ import annotations

from collections.abc import Iterator

from docs.making.arguments import Argument, Command, commands
from docs.making.man import ENVIRONMENT, STATUSES

from rootplex.report.schema import DOCUMENTS


def commands_page() -> str:
    """Each command with its arguments, then what all share."""
    return "\n".join(_lines(tuple(commands()))) + "\n"


def _lines(all_: tuple[Command, ...]) -> Iterator[str]:
    yield "---\ntocdepth: 2\n---"
    yield "# Commands\n"
    yield "Made of the program's own arguments; `rootplex COMMAND --help` and the man page say the same.\n"
    yield "| command | what it does |"
    yield "|---|---|"
    for command in all_:
        yield f"| [`{command.name}`](#command-{command.name}) | {command.help} |"
    for command in all_:
        yield f"\n(command-{command.name})="
        yield f"## `{command.name}`\n"
        yield f"{command.help[:1].upper()}{command.help[1:]}.\n"
        yield f"```text\n{command.usage}\n```\n"
        for argument in command.arguments:
            if argument.written != "-h, --help":
                yield from _argument(argument)
        if documents := [name for name, printing in DOCUMENTS.items() if command.name in printing]:
            yield f"JSON: {', '.join(f'[{name}](#json-{name})' for name in documents)}.\n"
    yield "\n(exit-status)="
    yield "## Exit status\n"
    yield from _table(STATUSES)
    yield "\n## Environment\n"
    yield from _table(ENVIRONMENT)


def _argument(argument: Argument) -> Iterator[str]:
    yield f"`{argument.written}`"
    yield f": {_plain(argument.help)}\n"


def _table(entries: dict[str, str]) -> Iterator[str]:
    for word, text in entries.items():
        yield f"`{word}`"
        yield f": {_plain(text)}\n"


def _plain(text: str) -> str:
    parts = text.split("`")
    for i in range(0, len(parts), 2):
        for char in "\\*_[]<>#|~{}$":
            parts[i] = parts[i].replace(char, f"\\{char}")
    return "`".join(parts)
