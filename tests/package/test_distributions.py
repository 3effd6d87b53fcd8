"""The wheel and the sdist: what is in them, what they say, and that the same tree gives the same bytes."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import tarfile
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

from rootplex.project import ADDRESS, __version__

PARTS = (
    "compiler", "docs", "schemas", "topologies", "hatch_build.py", "README.md", "CHANGELOG.md", "LICENSE",
    "pyproject.toml",
)  # fmt: skip
WHEEL = f"rootplex-{__version__}-py3-none-any.whl"
SDIST = f"rootplex-{__version__}.tar.gz"


def built(checkout: Path, folder: Path, mode: int) -> Path:
    """Both, built out of a copy of the checkout; its files are as old as the copy, and have this mode."""
    for part in PARTS:
        source, copy = checkout / part, folder / "tree" / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, copy, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copy
            )
        else:
            shutil.copy(source, copy)
        for file in (copy, *copy.rglob("*")):
            if file.is_file():
                file.chmod(mode)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder / "dist"],
        cwd=folder / "tree",
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
        capture_output=True,
    )
    return folder / "dist"


@pytest.fixture(scope="module")
def dist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(checkout, tmp_path_factory.mktemp("one"), 0o644)


@pytest.fixture(scope="module")
def metadata(dist: Path) -> Message:
    with ZipFile(dist / WHEEL) as wheel:
        return email.message_from_bytes(wheel.read(f"rootplex-{__version__}.dist-info/METADATA"))


def test_the_same_tree_gives_the_same_bytes(dist: Path, checkout: Path, tmp_path: Path) -> None:
    again = built(checkout, tmp_path / "another" / "place", 0o664)
    assert sorted(path.name for path in dist.iterdir()) == [WHEEL, SDIST]
    for name in (WHEEL, SDIST):
        assert (dist / name).read_bytes() == (again / name).read_bytes(), name


def test_the_wheel_has_all_that_runs(dist: Path, checkout: Path) -> None:
    with ZipFile(dist / WHEEL) as wheel:
        names = set(wheel.namelist())
        entry_points = wheel.read(f"rootplex-{__version__}.dist-info/entry_points.txt").decode()
    package = checkout / "compiler" / "rootplex"
    code = {f"rootplex/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    assert code <= names
    assert "rootplex/py.typed" in names
    for folder in ("schemas", "topologies"):
        assert {f"rootplex/{folder}/{path.name}" for path in (checkout / folder).glob("*.*l*")} <= names
    assert any(name.endswith("share/man/man1/rootplex.1") for name in names)
    assert not [name for name in names if name.startswith(("tests", "bench", "docs"))]
    assert "rootplex = rootplex.cli:main" in entry_points
    assert "[pytest11]\nrootplex = rootplex.library.pytest_plugin" in entry_points


def test_the_metadata(metadata: Message) -> None:
    assert __version__ == metadata["Version"]
    assert "the Rootplex developers" == metadata["Author"]
    assert "Apache-2.0" == metadata["License-Expression"]
    assert ">=3.11" == metadata["Requires-Python"]
    assert {"dev", "docs", "pytest"} <= set(metadata.get_all("Provides-Extra", []))
    assert bool(ADDRESS) == bool(metadata.get_all("Project-URL"))


def test_the_sdist_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(dist / SDIST) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"],
        cwd=folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
        capture_output=True,
    )
    assert (dist / WHEEL).read_bytes() == (tmp_path / "dist" / WHEEL).read_bytes()


def test_the_changelog_knows_the_version(checkout: Path) -> None:
    assert f"\n## {__version__}" in (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
