"""The boards whose files the tests read: where a file is had from, and what is known of it.

Device trees are Debian's kernels' and QEMU's own, got at test time; ACPI tables are made (`machine_tables`).
What is in each stands in `expected/`, read from dtc's, iasl's and acpiexec's text by another program
(`method` and `source` in each file).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.corpus.debian_trees import debian_tree
from tests.corpus.machine_tables import MACHINES, dumped
from tests.corpus.qemu_trees import QEMU, qemu_tree

from rootplex.frontends.document import Imported
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.boards import boards_of
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.result import Result
from rootplex.jobs.sources import read_source
from rootplex.jobs.validate import validate_board
from rootplex.model.platform import Platform

FIRMWARES = Path(__file__).parent / "facts.yaml"
"""What is known of boards from their firmware's sources and trees, DT and ACPI side by side."""

Corpus = Callable[[str], Path]
"""The file of a board, by name."""

KERNELS = {
    "ac5x-rd-carrier-cn9131": ("trixie", "arm64"),
    "amd-overdrive-rev-b1": ("trixie", "arm64"),
    "armada-8040-mcbin": ("trixie", "arm64"),
    "bcm2711-rpi-4-b": ("trixie", "arm64"),
    "cn9132-clearfog": ("trixie", "arm64"),
    "fsl-lx2160a-rdb": ("trixie", "arm64"),
    "hip07-d05": ("trixie", "arm64"),
    "jh7110-starfive-visionfive-2-v1.3b": ("trixie", "riscv64"),
    "juno-r2": ("trixie", "arm64"),
    "rk3588-turing-rk1": ("trixie", "arm64"),
    "sc8280xp-lenovo-thinkpad-x13s": ("trixie", "arm64"),
    "zynqmp-zcu102-rev1.0": ("bookworm", "arm64"),  # later kernels have the ECAM of 256 buses
}
"""The suite and architecture of Debian's kernel that has the tree."""

TREES = tuple(sorted((*KERNELS, *QEMU)))
DUMPS = tuple(MACHINES)


def made(name: str, folder: Path) -> Path:
    """The file of a board, made in `folder` where it is not fetched.

    ToolError, OSError where this machine cannot get it; LookupError where Debian no longer has it.
    """
    if name in MACHINES:
        return dumped(name, folder)
    return qemu_tree(name, folder) if name in QEMU else debian_tree(name, *KERNELS[name])


@cache
def imported(file: Path) -> Imported:
    return import_source(read_source(file, file.name))


@cache
def described(file: Path) -> Checked:
    """The imported description, written and read again."""
    return read_checked(to_yaml(imported(file).document).encode(), f"{file.stem}.yaml")


def platform_of(file: Path) -> Platform:
    platform = described(file).platform
    assert platform is not None
    return platform


@cache
def expected(name: str) -> Any:
    """What is in the file, read by another path."""
    return json.loads((Path(__file__).parent / "expected" / f"{name}.json").read_text())


@cache
def validated(*files: Path) -> Result:
    """One board of these files."""
    (board,) = boards_of([str(file) for file in files])
    return validate_board(board)
