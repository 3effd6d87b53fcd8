"""A random topology booted on a real kernel, beside the simulation of that kernel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import yaml
from msgspec.structs import asdict

from rootplex.backends.refusal import CannotCompile
from rootplex.campaign.drawn import text_of
from rootplex.campaign.topologies import Description, smaller
from rootplex.jobs.boards import Board
from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.boot import SECONDS, SEVERAL_SMMUS, abilities, comparison, run
from rootplex.jobs.qemu.comparison import Comparison, Line
from rootplex.jobs.qemu.files import files
from rootplex.jobs.qemu.preparation import Preparation, prepare
from rootplex.jobs.result import Booted, Machine, Result, refused, unreadable
from rootplex.model.platform import Platform
from rootplex.source import finding
from rootplex.source.finding import Finding, Level, Unreadable
from rootplex.source.place import Place
from rootplex.source.rules import KERNEL_SAW_OTHERWISE
from rootplex.tools import kernels
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError

SHRINKING = 40
"""Boots at most to find the smallest topology that still shows a difference."""
LONGEST = (1 + SHRINKING) * SECONDS


def booted_board(board: Board, cache: Path, releases: Mapping[Arch, str]) -> Result:
    """The board's description on the kernel of that release for its architecture, which is unpacked in the
    cache: a finding for each thing that the kernel saw otherwise, and then the smallest description that
    still shows one. What cannot be booted is `unknown`, with the reason."""
    (item,) = board.items
    assert item.data is not None
    whole: Description = yaml.safe_load(item.data)
    arch: Arch = whole["platform"]["arch"]
    try:
        kernel = kernels.of_release(cache, arch, releases[arch])
        made, compared = boot(whole, kernel)
        less = None if compared.agreed else smallest(whole, kernel)
    except ToolError as error:
        return unreadable(item.path, finding.unreadable(item.path, str(error)).findings)
    except CannotCompile as refusal:
        return refused(item.path, refusal.findings)
    return Result(
        file=item.path,
        platform=made.platform.name,
        dom0=made.profile,
        firmware=made.firmware,
        hypervisor=None,
        verdict="consistent" if compared.agreed else "inconsistent",
        findings=tuple(_findings(made.platform, compared.lines, kernel, item.path)),
        machine=Machine(xen=None),
        booted=Booted(
            kernel=kernel.release,
            figures=asdict(compared.figures),
            smallest=None if less is None else text_of(less).decode(),
        ),
    )


def platform_of(whole: Description, file: str = "random.yaml") -> Platform:
    """A description as the compiler reads it; AssertionError where it is none."""
    checked = read_checked(text_of(whole), file)
    assert checked.is_sound, checked.findings
    assert checked.platform is not None
    return checked.platform


def boot(whole: Description, kernel: Kernel) -> tuple[Preparation, Comparison]:
    """A description by its one firmware, in guest memory or, where it has models of QEMU's, on those.
    ToolError where it does not come to its end."""
    platform = platform_of(whole, f"{whole['platform']['name']}.yaml")
    assert kernel.profile is not None
    able = abilities(kernel.arch)
    made = prepare(
        platform,
        platform.firmware[0],
        kernel.profile,
        in_memory=all(device.model is None for _, device in platform.walk()),
        several_smmus=able.version >= SEVERAL_SMMUS,
        abilities=able,
    )
    with tempfile.TemporaryDirectory(prefix="rootplex-boot-") as name:
        folder = Path(name)
        for file, data in files(made).items():
            (folder / file).write_bytes(data)
        return made, comparison(made, run(made, kernel, folder))


def smallest(whole: Description, kernel: Kernel, boots: int = SHRINKING) -> Description:
    """The smallest description that still shows a difference, found in so many boots at most."""
    while boots > 0:
        for less in islice(smaller(whole), boots):
            boots -= 1
            if _differs(less, kernel):
                whole = less
                break
        else:
            break
    return whole


def _differs(whole: Description, kernel: Kernel) -> bool:
    try:
        return not boot(whole, kernel)[1].agreed
    except (ToolError, Unreadable, CannotCompile):
        return False


def _findings(platform: Platform, lines: tuple[Line, ...], kernel: Kernel, file: str) -> Iterator[Finding]:
    for line in lines:
        if line.state == "differs":
            yield KERNEL_SAW_OTHERWISE.finding(
                _place(platform, line.subject),
                f"Linux {kernel.release} has the {line.what} of {line.subject} otherwise than simulated",
                level=Level.ERROR,
                notes=(
                    f"simulated: {line.simulated if line.simulated is not None else 'not there'}",
                    f"booted: {line.booted if line.booted is not None else 'not there'}",
                ),
                subject=line.subject,
            )


def _place(platform: Platform, subject: str) -> Place:
    """The host bridge that has this function or is this one; else the platform."""
    segment, _, rest = subject.partition(":")
    bus = int(rest[:2], 16)
    for bridge in platform.host_bridges:
        if bridge.segment == int(segment, 16) and bus in bridge.bus_range:
            return bridge.at()
    return platform.at("platform")
