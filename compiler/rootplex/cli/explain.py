"""`rootplex explain CODE`: the page of a finding; `--all`: a line for each."""

from __future__ import annotations

import argparse
import inspect

from rootplex.cli.console import Console
from rootplex.cli.frame import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A code, or --all."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="a finding's code or name")
    parser.add_argument("--all", action="store_true", help="list every finding")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the page, or the list."""
    from rootplex.checks.registry import modules, rule_of
    from rootplex.source.suggest import advice

    pages = [(rule_of(module), inspect.getdoc(module) or "") for module in modules()]
    if arguments.all:
        for rule, _ in pages:
            console.print(f"{rule.code}  {rule.level.value:<8} {rule.name}")
        return 0
    if arguments.code is None:
        raise UsageError("name a finding's code, or --all for a list")
    for rule, page in pages:
        if arguments.code in {rule.code, rule.name}:
            covers = f"\nCovers: {', '.join(rule.covers)}." if rule.covers else ""
            console.print(f"{rule.code} {page}{covers}\nLevel: {rule.level.value}.")
            return 0
    known = [rule.code for rule, _ in pages] + [rule.name for rule, _ in pages]
    raise UsageError(f"no finding is called {arguments.code}; {advice(arguments.code, known, 'finding')}")
