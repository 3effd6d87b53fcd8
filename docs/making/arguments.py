"""Commands and their arguments as values, out of argparse: what the pages and the man page are made of."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from msgspec import Struct

from rootplex.cli import COMMANDS
from rootplex.cli.frame import whole_parser


class Argument(Struct, frozen=True, kw_only=True):
    """One argument: as it is written (`-o DIR, --output DIR`), and its help."""

    written: str
    help: str
    is_option: bool


class Command(Struct, frozen=True, kw_only=True):
    """One command: its line of help, its usage without the options, its arguments in order."""

    name: str
    help: str
    usage: str
    arguments: tuple[Argument, ...]


def commands() -> Iterator[Command]:
    """All, in the order of `rootplex --help`."""
    below = whole_parser(COMMANDS)[1]
    for name, (_module, help_) in COMMANDS.items():
        parser = below[name]
        yield Command(
            name=name,
            help=help_,
            usage=" ".join((f"rootplex {name} [OPTION]…", *map(_place, parser._get_positional_actions()))),
            arguments=tuple(
                _argument(action) for action in parser._actions if action.help is not argparse.SUPPRESS
            ),
        )


def _place(action: argparse.Action) -> str:
    word = str(action.metavar or action.dest.upper())
    many = "…" if action.nargs in ("+", "*") else ""
    return f"[{word}]{many}" if action.nargs in ("?", "*") else f"{word}{many}"


def _argument(action: argparse.Action) -> Argument:
    choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices is not None else None
    value = choices or action.metavar or action.dest.upper()
    assert isinstance(value, str)
    takes = action.nargs != 0
    written = ", ".join(f"{option} {value}" if takes else option for option in action.option_strings) or value
    many = " …" if action.nargs in ("+", "*") else ""
    words = (action.help or "") % {**vars(action), "prog": "rootplex"}
    return Argument(written=written + many, help=words, is_option=bool(action.option_strings))
