"""`rootplex new`: a first description to edit."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from rootplex.cli.console import Console
from rootplex.cli.files import write_file
from rootplex.cli.frame import UsageError
from rootplex.jobs.bundled import MODELINE, boards
from rootplex.jobs.first import MACHINES, MAX_BRIDGES, first_description
from rootplex.jobs.importing import description_text, import_source
from rootplex.jobs.sources import read_source
from rootplex.source.suggest import advice

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write, and from what."""
    parser.add_argument("file", metavar="FILE", help="the description to make: board.yaml")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="BOARD|PATH",
        help="a bundled board (`rootplex boards`), or a device tree, ACPI dump or snapshot; without it a few "
        "questions are asked on a terminal",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write it; an existing file is never replaced."""
    path = Path(arguments.file)
    if path.exists():
        raise UsageError(f"{path} is there already: name another file")
    name = path.name.removesuffix(".yaml")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{path} gives no name for a platform: small letters, digits, - and _, as in board.yaml"
        )
    text = _asked(name, console) if arguments.source is None else _from(arguments.source, name)
    write_file(path, text.encode())
    page = path.with_suffix(".html")
    console.say(
        f"{path} is written; go on with `rootplex check {path}`, `rootplex report {path} -o {page}`, "
        f"`rootplex plan {path}`"
    )
    return 0


def _from(source: str, name: str) -> str:
    """A bundled board under its new name, or what firmware tells."""
    known = {each.name: each.path for each in boards()}
    if source in known:
        text = known[source].read_text(encoding="utf-8").removeprefix(MODELINE)
        return re.sub(rf"(\bname: ){re.escape(source)}\b", rf"\g<1>{name}", text, count=1)
    if not Path(source).exists():
        raise UsageError(f"there is no board and no file '{source}'; {advice(source, known, 'board')}")
    return description_text(import_source(read_source(Path(source), source)))


def _asked(name: str, console: Console) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("say what to begin from with --from (`rootplex boards` lists the bundled ones)")
    machine = _ask(console, f"QEMU's machine ({', '.join(MACHINES)})", "qemu-virt", tuple(MACHINES))
    counts = tuple(str(count) for count in range(1, MAX_BRIDGES + 1))
    bridges = _ask(console, f"host bridges, each a segment of its own (1 to {MAX_BRIDGES})", "1", counts)
    return first_description(name, machine, int(bridges))


def _ask(console: Console, question: str, default: str, answers: tuple[str, ...]) -> str:
    while True:
        console.write(f"{question} [{default}]: ")
        console.out.flush()
        line = sys.stdin.readline()
        answer = line.strip() or default
        if answer in answers:
            return answer
        if not line:
            raise UsageError("no answer was given")
        console.print(f"one of: {', '.join(answers)}")
