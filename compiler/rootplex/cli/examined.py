"""A description examined for a command that shows a part of it; its errors are reported first."""

from __future__ import annotations

from rootplex.backends.refusal import CannotCompile
from rootplex.cli.console import Console
from rootplex.cli.files import read_input
from rootplex.cli.frame import UsageError
from rootplex.jobs.check import Examination, Unjudged, examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.result import refused
from rootplex.jobs.settings import Wishes
from rootplex.report import short
from rootplex.source.finding import Unreadable
from rootplex.source.printable import printable


def examined(name: str, wishes: Wishes, console: Console) -> Examination | None:
    """The examination with an outcome; None, with the findings on standard error, where the
    description has errors that leave nothing to show."""
    label, data = read_input(name)
    try:
        checked = read_checked(data, label)
        if checked.is_sound:
            return examine(checked, wishes)
        findings = checked.findings
    except (Unreadable, Unjudged) as error:
        raise UsageError(str(error)) from None
    except CannotCompile as refusal:
        findings = refusal.findings
    console.err.write(printable(short.render((refused(label, findings),))))
    return None
