"""A command loads what it uses: its own module and the rooms it works in, not those of other commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rootplex.cli import COMMANDS

PROGRAM = """
import sys
from rootplex.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print("status", status, *(name for name in sys.modules if name.startswith("rootplex.")), file=sys.stderr)
"""


def loaded(*words: str | Path) -> set[str]:
    """Our modules that a command loads; it has to end well."""
    argv = [sys.executable, "-I", "-c", PROGRAM, *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    _, status, *names = done.stderr.splitlines()[-1].split()
    assert status == "0"
    return set(names)


def below(names: set[str], *packages: str) -> set[str]:
    return {name for name in names for package in packages if f"{name}.".startswith(f"rootplex.{package}.")}


@pytest.mark.parametrize("words", [("--version",), ("--help",)])
def test_help_loads_no_command(words: tuple[str, ...]) -> None:
    names = loaded(*words)
    assert not below(names, *(f"cli.{module}" for module, _help in COMMANDS.values()))
    assert not below(names, "jobs", "model", "simulator", "frontends", "backends", "checks")


def test_a_check_loads_no_importer_and_no_other_command(checkout: Path) -> None:
    names = loaded("check", checkout / "topologies" / "qemu-virt.yaml")
    assert below(names, "cli.check")
    assert not below(names, "cli.compile", "cli.validate", "cli.qemu", "jobs.qemu")
    assert not below(names, "frontends.devicetree", "frontends.acpi", "frontends.snapshot", "fleet.local")


def test_an_import_loads_no_simulator(checkout: Path) -> None:
    names = loaded("import", checkout / "generated" / "qemu-virt" / "qemu-virt.dtb")
    assert below(names, "frontends.devicetree")
    assert not below(names, "simulator.run", "frontends.acpi", "backends")
