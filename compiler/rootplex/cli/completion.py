"""`rootplex completion`: what makes a shell complete command lines."""

from __future__ import annotations

import argparse

from rootplex.cli.console import Console
from rootplex.cli.frame import UsageError

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which shell."""
    parser.add_argument(
        "shell",
        choices=SHELLS,
        help='which one: `eval "$(rootplex completion bash)"` in ~/.bashrc, likewise zsh after compinit; '
        "`rootplex completion fish > ~/.config/fish/completions/rootplex.fish`",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the shell's text."""
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise UsageError("completion needs argcomplete: pip install 'rootplex[completion]'") from None
    console.document(shellcode(["rootplex"], shell=arguments.shell))
    return 0
