"""What every command shares: its parser, its errors as one line, its exit status."""

from __future__ import annotations

import argparse
import codecs
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from rootplex.cli.console import Console
from rootplex.cli.status import HANDLED, INTERRUPTED
from rootplex.project import __version__
from rootplex.source.finding import CannotDo
from rootplex.source.printable import one_line, plain, printable
from rootplex.source.suggest import advice
from rootplex.tools.runner import ToolError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

codecs.register_error("rootplex.plain", plain)


class UsageError(CannotDo):
    """The command cannot do what it was asked; one clear line."""


def run(argv: list[str], commands: Mapping[str, tuple[str, str]]) -> int:
    """Find the command, run it, and turn whatever stops it into one line and a status."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        if hasattr(stream, "reconfigure"):  # a locale may have ASCII only, and a name be no text
            stream.reconfigure(errors="rootplex.plain")
    asked = "_ARGCOMPLETE" in os.environ  # by a shell
    if asked:
        from rootplex.cli import completing

        argv = completing.words_so_far(os.environ)
    named = argv[0] if argv and argv[0] in commands else None
    if "" in argv and not asked and sys.stderr is not None:  # it would be taken for this folder
        sys.stderr.write("rootplex: an argument is empty: a variable of the shell that is not set?\n")
        return HANDLED
    if argv and named is None and not asked and not argv[0].startswith("-"):
        return _unknown_command(argv[0], commands)
    if named is None:
        chosen, parser = None, parser_of(commands)[0]
    else:
        chosen = import_module(f"rootplex.cli.{commands[named][0]}")
        parser, below = parser_of({named: commands[named]})
        chosen.add_arguments(below[named])
        _add_terminal(below[named])
        if asked:
            completing.know(named, below[named])
    if asked:
        completing.answer(parser)
        return HANDLED
    if not argv and sys.stderr is not None:
        parser.print_help(sys.stderr)
        return HANDLED
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:
        return _written(stop.code if isinstance(stop.code, int) else HANDLED)
    except OSError as error:
        return _unwritten(error)
    if sys.stdout is None:  # the shell's `>&-`
        return _nowhere_to_write()
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as we run
    console = Console.of_process(sys.stdout, sys.stderr, os.environ, arguments.color, quiet=arguments.quiet)
    assert chosen is not None
    return _guarded(chosen, arguments, console)


def parser_of(
    commands: Mapping[str, tuple[str, str]],
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and that of each command, which has no arguments yet."""
    parser = _Parser(
        prog="rootplex",
        description="PCI host bridges described once: to device tree and ACPI, checked by simulation",
        epilog="'rootplex COMMAND --help' tells more of a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"rootplex {__version__}")
    below = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    return parser, {
        name: below.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        for name, (_module, help_) in commands.items()
    }


def whole_parser(
    commands: Mapping[str, tuple[str, str]],
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The same with all arguments of all commands: for pages that are made of it."""
    parser, below = parser_of(commands)
    for name, (module, _help) in commands.items():
        import_module(f"rootplex.cli.{module}").add_arguments(below[name])
        _add_terminal(below[name])
    return parser, below


def _add_terminal(parser: argparse.ArgumentParser) -> None:
    """What every command takes of how it prints."""
    group = parser.add_argument_group("on a terminal")
    group.add_argument(
        "-q", "--quiet", action="store_true", help="findings and what was asked for, nothing beside them"
    )
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours (default: on a terminal, unless NO_COLOR is set)",
    )


class _Parser(argparse.ArgumentParser):
    """argparse's own, which prints the words of a command line as they are."""

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        stream = sys.stderr if file is None else file
        if message and stream is not None:
            stream.write(printable(message))


def _unknown_command(word: str, commands: Mapping[str, tuple[str, str]]) -> int:
    if sys.stderr is not None:
        advised = advice(word, commands, "command")
        sys.stderr.write(f"rootplex: there is no command '{one_line(word)}'; {advised}\n")
    return HANDLED


def _written(status: int) -> int:
    """The status, once what was printed has come through."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        return _unwritten(error)
    return status


def _unwritten(error: OSError) -> int:
    """What could not be printed is left; the reader of a pipe goes away as is its right."""
    with suppress(OSError):
        if not isinstance(error, BrokenPipeError) and sys.stderr is not None:
            sys.stderr.write(f"rootplex: {told(error)}\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return HANDLED


def _nowhere_to_write() -> int:
    if sys.stderr is not None:
        sys.stderr.write("rootplex: standard output is closed\n")
    return HANDLED


def _guarded(command: ModuleType, arguments: argparse.Namespace, console: Console) -> int:
    try:
        status = command.run(arguments, console)
        console.clear_progress()
        console.out.flush()
    except ToolError as error:
        return _stopped(console, str(error))
    except BrokenPipeError as error:
        return _unwritten(error)
    except (OSError, CannotDo) as error:
        return _stopped(console, told(error))
    except KeyboardInterrupt:
        return _stopped(console, "interrupted", INTERRUPTED)
    assert isinstance(status, int)
    return status


def told(error: OSError | CannotDo) -> str:
    """An error in one line, with the file that it is about."""
    if not isinstance(error, OSError):
        return one_line(str(error))
    name = f"{error.filename}: " if error.filename else ""
    return one_line(f"{name}{error.strerror or error}")


def _stopped(console: Console, message: str, status: int = HANDLED) -> int:
    with suppress(OSError):  # a full disk, behind standard error too
        console.tell(message)
        console.err.flush()
    return status
