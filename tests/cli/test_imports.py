"""What a command does not load: imports that cost more than its work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
before = set(sys.modules)
from rootplex.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print("status", status, *(name for name in sys.modules if name not in before), file=sys.stderr)
"""
HEAVY = {"concurrent", "difflib", "email", "jinja2", "jsonschema", "urllib.request"}
SELDOM = {
    *("rootplex.readers.acpi.dmar", "rootplex.simulator.trace", "rootplex.simulator.xen.vpci"),
    *("rootplex.source.schema_faults", "rootplex.source.suggest"),
}


def loaded(*words: str | Path) -> set[str]:
    """The modules that a command loads which Python by itself has not; it has to end well."""
    argv = [sys.executable, "-I", "-c", PROGRAM, *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    _, status, *names = done.stderr.splitlines()[-1].split()
    assert status == "0"
    return set(names)


@pytest.mark.parametrize("words", [("--version",), ("--help",)])
def test_help_loads_no_room_but_the_commands(words: tuple[str, ...]) -> None:
    names = loaded(*words)
    assert not names & (HEAVY | {"rootplex.simulator.run", "rootplex.model.platform", "yaml"})


def test_a_check_of_a_sound_description(checkout: Path) -> None:
    assert not loaded("check", checkout / "topologies" / "qemu-virt.yaml") & (HEAVY | SELDOM)


def test_an_import_and_a_validation(checkout: Path) -> None:
    blob = checkout / "generated" / "qemu-virt" / "qemu-virt.dtb"
    assert not loaded("import", blob) & HEAVY
    assert not loaded("validate", blob) & HEAVY
