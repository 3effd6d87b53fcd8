"""A description booted and compared: what the boot tests share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from msgspec.structs import asdict

from rootplex.jobs.qemu.boot import comparison, run
from rootplex.jobs.qemu.comparison import Comparison
from rootplex.jobs.qemu.files import files
from rootplex.jobs.qemu.preparation import Preparation
from rootplex.model.bridge import Firmware
from rootplex.report.boot import lines
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel

InMemory: TypeAlias = Callable[[str, Arch, Firmware, str], Comparison]
"""A description, and how it boots with its topology in memory (the fixture `in_memory`)."""


def boot(
    made: Preparation, kernel: Kernel, folder: Path, alter: Mapping[str, bytes] | None = None
) -> tuple[Comparison, str]:
    """Boot in a folder, `alter` in place of the prepared files; the comparison and its text."""
    for name, data in {**files(made), **(alter or {})}.items():
        (folder / name).write_bytes(data)
    found = run(made, kernel, folder)
    compared = comparison(made, found)
    return compared, "\n".join(lines(made, found, compared))


def figures_of(compared: Comparison) -> dict[str, int]:
    return asdict(compared.figures)
