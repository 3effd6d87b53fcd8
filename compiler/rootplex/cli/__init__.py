"""The command line: one module a command, and the only place that prints, exits or reads the environment."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from rootplex.cli.status import INTERRUPTED
from rootplex.tools.signals import end_at_once, handled_by

COLLECT_EVERY = 10_000
"""New values between two looks for circles (Python's own: 700). Nearly all that is made lives to the end, and
is walked each time: half the time of a description with 10,000 windows."""

# Command → (module, one line of help). Modules are imported when their command is called.
COMMANDS: dict[str, tuple[str, str]] = {
    "compile": ("compile", "descriptions to device trees, ACPI tables and hardware images"),
    "check": ("check", "compile in memory, simulate Xen and Dom0, report"),
    "new": ("new", "a first description to edit, from a machine, a bundled board or firmware's files"),
    "boards": ("bundled", "the bundled descriptions"),
    "models": ("bundled", "the devices that are known by name"),
    "import": ("import_", "a device tree, ACPI tables or a snapshot to a description"),
    "validate": ("validate", "what is wrong with a board: alone, DT against ACPI, against a description"),
    "diff": ("diff", "two boards, or two versions of one, by what changes for whoever runs them"),
    "survey": ("survey", "what the results of many boards say together"),
    "groups": ("groups", "the passthrough groups, each with the chain of reasons"),
    "plan": ("plan", "how to give the guests their devices: for Xen or KVM, or why it may not be"),
    "explain": ("explain", "the page of a finding; or how one requester id is routed"),
    "report": ("report", "boards as one page, or as a picture: topology, groups, addresses, findings"),
    "watch": ("watch", "check again whenever a file changes, and say what is otherwise"),
    "lsp": ("lsp", "the language server, for an editor"),
    "qemu": ("qemu", "a description for QEMU; and boot a real kernel on it, beside the simulation"),
    "campaign": ("campaign", "random topologies booted on real kernels, beside the simulation"),
    "capture": ("capture", "print the script that takes a snapshot of a running machine"),
    "fuzz": ("fuzz", "random and malformed load on what is read, and on the simulated hypervisor"),
    "fetch-kernel": ("fetch_kernel", "a kernel to boot, from Debian's packages"),
    "completion": ("completion", "print what makes a shell complete command lines"),
    "schema": ("schema", "print a JSON Schema: of the language, or of what commands print"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status (0, 1 findings, 2 could not do its work).

    Without `argv` the process is ours, and signals end it: at once while there is nothing to undo, then as
    `leaving` says.
    """
    if argv is None:
        gc.set_threshold(COLLECT_EVERY)
        handled_by(end_at_once)
    try:
        if argv is None:
            from rootplex.tools import leaving

            leaving.install()
        from rootplex.cli.frame import run

        return run(sys.argv[1:] if argv is None else list(argv), COMMANDS)
    except KeyboardInterrupt:
        # Where the process is not ours; a command at work is interrupted in the frame.
        os.write(2, b"rootplex: interrupted\n")
        return INTERRUPTED
