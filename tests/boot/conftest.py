"""What boots need, and the sum of what they compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from _pytest.terminal import TerminalReporter

from rootplex.jobs.qemu.boot import PROGRAMS
from rootplex.report.campaign import sentence
from rootplex.tools import kernels
from rootplex.tools.images import Arch
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
