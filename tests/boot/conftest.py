"""What boots need, and the sum of what they compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter
from tests.boot.booting import InMemory, boot, figures_of

from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.boot import PROGRAMS
from rootplex.jobs.qemu.comparison import Comparison
from rootplex.jobs.qemu.preparation import prepare
from rootplex.model.bridge import Firmware
from rootplex.report.campaign import sentence
from rootplex.tools import kernels
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError

FIGURES = "figures"


@pytest.fixture
def machine(program: Callable[[str], str]) -> Callable[[Arch, str], None]:
    """Call it with an architecture and a firmware: skips, saying what is missing for such a boot."""

    def check(arch: Arch, firmware: str) -> None:
        program(PROGRAMS[arch])
        if firmware == "acpi":
            program("iasl")
            program("acpiexec")
        if firmware == "acpi" and arch == "arm64":
            try:
                kernels.uefi(arch)
            except ToolError as error:
                pytest.skip(str(error))

    return check


@pytest.fixture
def in_memory(
    tmp_path: Path,
    kernel: Callable[[Arch, str], Kernel],
    machine: Callable[[Arch, str], None],
    record_property: Callable[[str, object], None],
) -> InMemory:
    """Call it with a description: boots it with its topology in memory; the comparison agrees."""

    def booted(text: str, arch: Arch, firmware: Firmware, profile: str) -> Comparison:
        machine(arch, firmware)
        under = kernel(arch, profile)
        checked = read_checked(text.encode(), "board.yaml")
        assert checked.platform is not None, checked.findings
        compared, shown = boot(prepare(checked.platform, firmware, profile, in_memory=True), under, tmp_path)
        record_property(FIGURES, figures_of(compared))
        assert compared.agreed, shown
        return compared

    return booted


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """The figures of all compared boots, also of those in other processes."""
    found = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
        for name, value in report.user_properties
        if name == FIGURES and isinstance(value, dict)
    ]
    if found:
        sums = Counter(topologies=len(found))
        for figures in found:
            sums.update(figures)
        terminalreporter.write_line(f"boots compared: {sentence(sums)}")
