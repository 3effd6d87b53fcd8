"""`rootplex explain`: the page of a finding, a line for each with --all, one requester's way, or what Linux
knows by a device's id."""

from __future__ import annotations

import argparse
import re

from rootplex.checks.references import cited
from rootplex.checks.registry import every_page
from rootplex.cli.boots import add_boot, run_options
from rootplex.cli.console import Console
from rootplex.cli.examined import examined
from rootplex.cli.frame import UsageError
from rootplex.cli.trees import add_trees
from rootplex.jobs.keys import every_key, key_of, keys_called
from rootplex.jobs.known_device import known_device as known_device_of
from rootplex.jobs.requester import requester_of
from rootplex.report import known_device
from rootplex.report.key import lines as key_lines
from rootplex.report.requester import lines
from rootplex.source.suggest import nearest

_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_SBDF = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A code, an SBDF with a description, a device's id, or --all."""
    parser.add_argument(
        "what",
        nargs="?",
        metavar="CODE|KEY|SBDF|NAME|ID",
        help="a finding's code or name; a key of the language, as host_bridges.config.sizes; a function's "
        "SBDF or name; vendor:device: what Linux knows by it",
    )
    parser.add_argument("file", nargs="?", metavar="PATH", help="with a function: the description it is in")
    parser.add_argument("--all", action="store_true", help="list every finding")
    add_boot(parser, "with a function: ")
    add_trees(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print what was asked for."""
    if arguments.all:
        return _list(console)
    if arguments.what is None:
        raise UsageError("name a finding's code, a key, or an SBDF and a description, or --all for a list")
    if _SBDF.fullmatch(arguments.what.lower()):
        return _way(arguments, console)
    if _ID.fullmatch(arguments.what.lower()):
        for line in known_device.lines(known_device_of(arguments.what)):
            console.print(line)
        return 0
    if ":" in arguments.what:
        raise UsageError(
            f"{arguments.what} is neither an SBDF, as in 0000:01:00.0, nor an id, as in 8086:1533"
        )
    if arguments.file is not None:
        return _way(arguments, console)
    return _page(arguments.what, console)


def _list(console: Console) -> int:
    for rule in (each.rule for each in every_page()):
        console.print(f"{rule.code}  {rule.level.value:<8} {rule.name}")
    return 0


def _page(what: str, console: Console) -> int:
    known: list[str] = []
    for check in every_page():
        rule = check.rule
        if what.lower() in {rule.code.lower(), rule.name}:
            page = check.page
            console.print(f"{rule.code} {page}\nLevel: {rule.level.value}.")
            for name, place in cited(" ".join((*rule.covers, page))).items():
                console.print(f"{name}: {place}")
            return 0
        known += [rule.code, rule.name]
    if _key(what, console):
        return 0
    near = nearest(what.lower(), (word for word in (*known, *every_key()) if word.islower()))
    meant = f"did you mean '{near}'?" if near is not None else "'rootplex explain --all' lists them"
    raise UsageError(f"no finding and no key is called {what}; {meant}")


def _key(what: str, console: Console) -> bool:
    """Print the key at a path, or the paths of the keys of a name; whether there is one."""
    key = key_of(what)
    if key is None:
        paths = [path for path in keys_called(what) if path.split(".")[1:2] not in (["acpi"], ["dt"])]
        if len(paths) > 1:
            console.print(f"{what} is a key of several: 'rootplex explain PATH' tells of one")
            for path in paths:
                console.print(f"  {path}")
            return True
        key = key_of(paths[0]) if paths else None
    for line in () if key is None else key_lines(key):
        console.print(line)
    return key is not None


def _way(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.file is None:
        raise UsageError(f"name the description or snapshot in which {arguments.what} is")
    console.progress(f"examining {arguments.file}")
    examination = examined(arguments.file, run_options(arguments), console)
    if isinstance(examination, int):
        return examination
    functions = {function.sbdf: function for function in examination.outcome.dom0.functions}
    named = {
        name: sbdf for sbdf, each in functions.items() if (name := examination.facts.pages.get(each.page))
    }
    sbdf = named.get(arguments.what, arguments.what.lower())
    if sbdf not in functions:
        seen = ", ".join((*list(named)[:6], *list(functions)[:6]))
        raise UsageError(f"{examination.facts.host} sees no function {arguments.what}; it sees: {seen}")
    for line in lines(requester_of(examination.facts, examination.outcome, sbdf)):
        console.print(line)
    return 0
