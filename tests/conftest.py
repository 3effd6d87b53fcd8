"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.corpus.board_corpus import KERNELS, Corpus, made

from rootplex.known.kernels import TO_BOOT
from rootplex.tools import kernels
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError, path_of

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT.parent / "shared"
EXTRA = CHECKOUT / "tests" / "extra"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of what is made by chance."""
    group = parser.getgroup("rootplex")
    group.addoption("--topologies", type=int, default=60, help="random topologies to boot (default: 60)")
    group.addoption("--seed", type=int, default=20170711, help="of the random topologies")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the project's checkout."""
    return CHECKOUT


class _Missing(pytest.Directory):
    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        pytest.skip("tests/extra needs the reference material beside the checkout (../shared)")


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """`tests/extra` is one skip where its material is missing."""
    if path == EXTRA and not SHARED.is_dir():
        return _Missing.from_parent(parent, path=path)
    return None


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The files of the boards that the tests know; a test skips, with the reason, where one cannot be had."""
    folder = tmp_path_factory.mktemp("corpus")
    reasons: dict[object, str] = {}

    def file(name: str) -> Path:
        source = KERNELS.get(name, name)
        if source not in reasons:
            try:
                return made(name, folder)
            except (ToolError, OSError) as error:
                reasons[source] = f"a board's file cannot be had: {error}"
        pytest.skip(reasons[source])

    return file


@pytest.fixture(scope="session")
def kernel() -> Callable[[Arch, str], Kernel]:
    """Debian's kernel of an architecture and profile out of the user's cache, fetched at its first use.

    The test skips, with apt's own reason, where it cannot be had.
    """
    return _Kernels(full=False)


@pytest.fixture(scope="session")
def full_kernel() -> Callable[[Arch, str], Kernel]:
    """The same of Debian's full kernels, which have drivers that those for virtual machines lack."""
    return _Kernels(full=True)


class _Kernels:
    def __init__(self, *, full: bool) -> None:
        self.full = full
        self.cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self.reasons: dict[tuple[Arch, str], str] = {}

    def __call__(self, arch: Arch, profile: str) -> Kernel:
        if (arch, profile) in self.reasons:
            pytest.skip(self.reasons[arch, profile])
        with suppress(ToolError):
            there = kernels.newest(self.cache, arch, profile, full=self.full)
            if not kernels.lacking(there):
                return there
        try:
            return kernels.fetch(self.cache, arch, profile, full=self.full)
        except (ToolError, OSError) as error:
            self.reasons[arch, profile] = f"no {arch} kernel {profile}: {error}"
            pytest.skip(self.reasons[arch, profile])


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """The path of an external program; the test skips, naming its package, where it is missing."""

    def path(name: str) -> str:
        try:
            return path_of(name)
        except ToolError as error:
            pytest.skip(str(error))

    return path


@pytest.fixture(scope="session")
def busybox(kernel: Callable[[Arch, str], Kernel]) -> Path:
    """A static busybox that runs on this machine: its own, or the one fetched with a kernel."""
    own = shutil.which("busybox")
    if own is not None:
        return Path(own)
    arches: dict[str, Arch] = {"x86_64": "x86_64", "aarch64": "arm64"}
    if platform.machine() not in arches:
        pytest.skip(f"no busybox is installed, and none is fetched for {platform.machine()}")
    return kernel(arches[platform.machine()], TO_BOOT).busybox
