"""apt beside the system: a state of its own, so that no foreign architecture and no right is needed.

The mirror is the one that the machine's own sources name, and packages are checked with the
machine's own keys (apt-secure(8)); lists, archives and the one source line lie in a folder of the
caller's. See apt.conf(5) for the settings and apt-get(8) for `indextargets`.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from rootplex.tools import runner
from rootplex.tools.runner import Limits, Outcome, ToolError

_LIMITS = Limits(memory=None, file=4 << 30)
"""apt reads what the machine's keys have signed."""
_PROGRAMS = ("apt-get", "apt-cache", "apt-config", "dpkg")
_TRUSTING = re.compile(
    r"^(?:Binary::[\w-]+::)?("
    r"Acquire::Allow(?:DowngradeTo)?InsecureRepositories|Acquire::AllowWeakRepositories|"
    r"APT::Get::AllowUnauthenticated) \"(?:[1-9]\d*|yes|true|with|on|enable)\";",
    re.MULTILINE | re.IGNORECASE,
)
"""Settings of apt-secure(8) by which nobody's signature is asked for, switched on (`StringToBool` of apt)."""
_TRUSTED_SOURCE = re.compile(
    r"^deb(?:-src)?\s*\[[^\]]*\btrusted=yes|^Trusted:\s*yes", re.MULTILINE | re.IGNORECASE
)
"""In a source of either form (sources.list(5))."""
_OFFLINE = ("Temporary failure resolving", "Could not resolve", "Could not connect", "Unable to connect")
_UNOFFERED = ("does not have a Release file", "404  Not Found")


class Progress(Protocol):
    """Told what is being done, and of a download how to measure the bytes that have come."""

    def __call__(self, text: str, measure: Callable[[], int] | None = None, /) -> None: ...


def silent(_text: str, _measure: Callable[[], int] | None = None, /) -> None:
    """For whoever does not want to know."""


class NotOfferedError(ToolError):
    """The mirror has no such suite, or the suite no such package; another one may."""


class Apt(Struct, frozen=True):
    """apt on one suite of one mirror, for one (Debian) architecture, with all it keeps in `home`."""

    home: Path
    suite: str
    arch: str
    mirror: str

    def update(self) -> None:
        """Read the suite's lists; apt fetches only what has changed since the last time.

        NotOfferedError where the mirror has no such suite, ToolError where it cannot be reached.
        """
        for part in ("state/lists/partial", "cache/archives/partial", "debs"):
            (self.home / part).mkdir(parents=True, exist_ok=True)
        (self.home / "state/status").touch()
        source = f"deb [arch={self.arch}] {self.mirror} {self.suite} main\n"
        (self.home / "sources.list").write_text(source)
        outcome = self._run("apt-get", "-q", "update", "--error-on=any", seconds=300)
        if outcome.status == 0:
            return
        if any(sign in outcome.stderr for sign in _UNOFFERED):
            raise NotOfferedError(f"this machine's mirror does not offer the suite {self.suite}")
        raise _failure(f"cannot read the package lists of {self.suite}", outcome)

    def dependencies(self, package: str) -> tuple[str, ...]:
        """The names that a package's newest version depends on; NotOfferedError where there is none."""
        outcome = self._run("apt-cache", "show", "--no-all-versions", package)
        if outcome.status != 0:
            raise NotOfferedError(f"the suite {self.suite} has no {package} for {self.arch}")
        for line in outcome.stdout.splitlines():
            if line.startswith("Depends: "):
                return tuple(word.split()[0] for word in line.removeprefix("Depends: ").split(", "))
        return ()

    def download(self, packages: Sequence[str]) -> list[Path]:
        """Fetch packages, going on where an earlier call was cut off; their files, in that order."""
        debs = self.home / "debs"
        outcome = self._run("apt-get", "-q", "download", *packages, cwd=debs, seconds=1800)
        if outcome.status != 0:
            raise _failure(f"cannot download {' and '.join(packages)}", outcome)
        newest = {file.name.split("_")[0]: file for file in sorted(debs.glob("*.deb"), key=_age)}
        return [newest[package] for package in packages]

    def downloaded(self) -> int:
        """How many bytes of packages lie here now, whole or in part."""
        files = (self.home / "debs").rglob("*")
        sizes = []
        for file in files:
            with suppress(OSError):  # it was only there until it was whole
                sizes.append(file.stat().st_size)
        return sum(sizes)

    def forget(self) -> None:
        """Remove what was downloaded; the lists stay."""
        shutil.rmtree(self.home / "debs", ignore_errors=True)

    def _run(self, program: str, *words: str, cwd: Path | None = None, seconds: float = 60) -> Outcome:
        home = self.home
        settings = {
            "Dir::State": home / "state",
            "Dir::State::status": home / "state/status",
            "Dir::Cache": home / "cache",
            "Dir::Etc::SourceList": home / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "APT::Architecture": self.arch,
            "APT::Architectures": self.arch,
            "APT::Sandbox::User": "",  # the caller's folder may be closed to apt's own user
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Acquire::http::Timeout": "30",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        return runner.run([program, *options, *words], cwd=cwd or home, seconds=seconds, limits=_LIMITS)


def mirror() -> str:
    """The mirror of this machine's own sources: the first that serves a plain release, not
    `-security` or `-updates`. ToolError where apt is missing or has no source at all."""
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            raise ToolError(f"{program} is not on this machine: it has no apt to fetch packages with")
    _refuse_trust()
    argv = ["apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(SITE)"]
    outcome = runner.run(argv, cwd=Path("/"), limits=_LIMITS)
    sources = [line.split(maxsplit=1) for line in outcome.stdout.splitlines() if " " in line]
    if not sources:
        raise ToolError("apt has no package source on this machine (apt-get indextargets names none)")
    plain = [site for release, site in sources if "-" not in release]
    return plain[0] if plain else sources[0][1]


def _refuse_trust() -> None:
    """ToolError where this machine's apt is set to take packages that nobody has signed."""
    settings = runner.run(["apt-config", "dump"], cwd=Path("/"), limits=_LIMITS).stdout
    if (found := _TRUSTING.search(settings)) is not None:
        raise ToolError(
            f"apt on this machine takes packages without a signature ({found[1]} is on): nothing is fetched"
        )
    words = runner.run(
        ["apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"],
        cwd=Path("/"),
        limits=_LIMITS,
    ).stdout
    named = dict(word.split("=", 1) for word in shlex.split(words) if "=" in word)
    files = [
        Path(named.get("LIST", "/nowhere")),
        *sorted(Path(named.get("PARTS", "/nowhere")).glob("*.[ls]*")),
    ]
    for file in files:
        if file.is_file() and _TRUSTED_SOURCE.search(file.read_text(encoding="utf-8", errors="replace")):
            raise ToolError(f"{file} trusts a package source without a signature: nothing is fetched")


def unpack(package: Path, folder: Path) -> None:
    """Unpack a .deb's files below `folder`, which is made; nothing is installed."""
    outcome = runner.run(
        ["dpkg", "-x", str(package), str(folder)], cwd=package.parent, seconds=300, limits=_LIMITS
    )
    if outcome.status != 0:
        raise _failure(f"cannot unpack {package.name}", outcome)


def _age(file: Path) -> int:
    return file.stat().st_mtime_ns


def _failure(what: str, outcome: Outcome) -> ToolError:
    if any(sign in outcome.stderr for sign in _OFFLINE):
        return ToolError(f"{what}: no network, the machine's mirror cannot be reached")
    lines = [line for line in outcome.stderr.splitlines() if line.startswith(("E:", "dpkg", "W:"))]
    reason = lines[0] if lines else f"status {outcome.status}"
    return ToolError(f"{what}: {reason}")
