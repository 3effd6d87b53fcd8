"""The vendors' files of the corpus: imported, and validated."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from rootplex.frontends.document import Imported
from rootplex.frontends.writer import to_yaml
from rootplex.jobs.boards import boards_of
from rootplex.jobs.describe import Checked, read_checked
from rootplex.jobs.importing import import_source
from rootplex.jobs.result import Result
from rootplex.jobs.sources import read_source
from rootplex.jobs.validate import validate_board
from rootplex.model.platform import Platform

TREES = (
    "ac5x-rd-carrier-cn9131",
    "amd-overdrive-rev-b1",
    "armada-8040-mcbin",
    "bcm2711-rpi-4-b",
    "cn9132-clearfog",
    "fsl-lx2160a-rdb",
    "hip07-d05",
    "jh7110-starfive-visionfive-2-v1.3b",
    "juno-r2",
    "qemu-7.2-virt-gic-version-2-highmem-off",
    "qemu-7.2-virt-gic-version-3",
    "qemu-7.2-virt-gic-version-3-iommu-smmuv3",
    "rk3588-turing-rk1",
    "sc8280xp-lenovo-thinkpad-x13s",
    "zynqmp-zcu102-rev1.0",
)
DUMPS = (
    "1979FBF2D488",
    "71656898DEBA",
    "9C99E007509B",
    "A82D1C626ADB",
    "C7F3CC0C50BF",
    "E5985CCBA349",
)


def file_of(shared: Path, name: str) -> Path:
    """The file of a tree or dump."""
    corpus = shared / "corpus"
    return corpus / "dtb" / f"{name}.dtb" if name in TREES else corpus / "acpi" / f"{name}.acpidump.txt"


@cache
def imported(shared: Path, name: str) -> Imported:
    file = file_of(shared, name)
    return import_source(read_source(file, file.name))


@cache
def described(shared: Path, name: str) -> Checked:
    """The imported description, written and read again."""
    return read_checked(to_yaml(imported(shared, name).document).encode(), f"{name}.yaml")


def platform_of(shared: Path, name: str) -> Platform:
    platform = described(shared, name).platform
    assert platform is not None
    return platform


def expected(shared: Path, name: str) -> Any:
    """What is in the file, read by another path."""
    stem = name if name in TREES else f"acpi-{name}"
    return json.loads((shared / "corpus" / "expected" / f"{stem}.json").read_text())


@cache
def validated(shared: Path, *names: str | Path) -> Result:
    """One board of these files."""
    paths = [str(file_of(shared, name)) if isinstance(name, str) else str(name) for name in names]
    (board,) = boards_of(paths)
    return validate_board(board)
