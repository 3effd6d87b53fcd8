"""`rootplex plan`: how to give the guests what the description says."""

from __future__ import annotations

import argparse

from msgspec.structs import replace

from rootplex.cli.boots import add_boot, run_options
from rootplex.cli.console import Console
from rootplex.cli.examined import Examined, examined_bytes
from rootplex.cli.files import read_input
from rootplex.cli.frame import UsageError
from rootplex.cli.trees import add_trees
from rootplex.jobs.plan.job import example, plan_of, wishes_of
from rootplex.model.platform import Expect, Platform
from rootplex.report import plan as report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A platform, guests beside its own, and how the host boots."""
    parser.add_argument(
        "file", metavar="PATH", help="a platform description or a snapshot, or - for standard input"
    )
    parser.add_argument(
        "--guest",
        dest="guests",
        action="append",
        type=_guest,
        default=[],
        metavar="NAME=DEVICE[,DEVICE...]",
        help="a guest and its devices by name or SBDF, in place of the description's guests",
    )
    add_boot(parser)
    add_trees(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print")


def _guest(text: str) -> tuple[str, tuple[str, ...]]:
    name, _, devices = text.partition("=")
    listed = tuple(filter(None, devices.split(",")))
    if not name.replace("-", "").replace("_", "").isalnum() or not listed:
        raise argparse.ArgumentTypeError("as in router=0000:01:00.0,0000:02:00.0")
    return name, listed


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the plan; 1 where a guest is refused what it wishes, 2 where there is none."""
    alter = _without_guests if arguments.guests else None
    console.progress(f"examining {arguments.file}")
    options = run_options(arguments)
    label, data = read_input(arguments.file)
    examination = examined_bytes(label, data, options, console, alter)
    if isinstance(examination, Examined) and arguments.guests:
        guests = wishes_of(examination.facts, arguments.guests)
        examination = examined_bytes(label, data, replace(options, guests=guests), console, alter)
    if isinstance(examination, int):
        return examination
    found = plan_of(examination.facts, examination.name, examination.findings)
    if not found.guests:
        raise UsageError(f"{label} has no guest; {_line(examination)}")
    if arguments.format == "json":
        console.print(report.as_json(found))
    else:
        for line in report.text(found):
            console.print(line)
    return int(bool(found.refused))


def _without_guests(platform: Platform) -> Platform:
    """What is asked takes the place of the description's guests, and of what its author expects of them."""
    xen = replace(platform.xen, guests=())
    return replace(platform, xen=xen, expect=Expect(places=platform.expect.places))


def _line(examination: Examined) -> str:
    """What to write, with a device that is there."""
    device = example(examination.facts)
    if device is None:
        host = examination.facts.host
        return f"and {host} sees no device but what it needs itself: describe one below a port of its own"
    named = f"--guest guest={device.name or device.sbdf}"
    described = examination.facts.described
    if described is None or device.name is None:
        return f"name one with {named}"
    line, where = f"guests: [{{name: guest, devices: [{device.name}]}}]", "into it"
    if described.hypervisor is not None and described.xen.places.fields:
        where = "below its xen"
    elif described.hypervisor is not None:
        line = f"xen: {{{line}}}"
    return f"write '{line}' {where}, or name one with {named}"
