"""A description examined for a command that shows a part of it; its errors are reported first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.cli.frame import UsageError

if TYPE_CHECKING:
    from rootplex.jobs.check import Examination
    from rootplex.model.bridge import Firmware


def examined(
    name: str, firmware: Firmware | None, kernel: str | None, console: Console
) -> Examination | None:
    """The examination with an outcome; None, with the findings on standard error, where the
    description has errors that leave nothing to show."""
    from rootplex.backends.refusal import CannotCompile
    from rootplex.jobs.check import examine
    from rootplex.jobs.describe import read_checked
    from rootplex.jobs.settings import Wishes
    from rootplex.source.finding import Unreadable

    label, data = read_input(name)
    try:
        checked = read_checked(data, label)
    except Unreadable as error:
        raise UsageError(str(error)) from None
    if checked.platform is not None and not checked.has_errors:
        if firmware is not None and firmware not in checked.platform.firmware:
            raise UsageError(f"{label} is not compiled for {firmware}")
        try:
            return examine(checked, Wishes(firmware=firmware, kernel=kernel))
        except CannotCompile as refusal:
            findings = refusal.findings
    else:
        findings = checked.findings
    for finding in findings:
        console.err.write(f"{finding.at}: {finding.level.value}[{finding.code}]: {finding.message}\n")
    return None
