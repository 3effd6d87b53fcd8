"""What tests of checks share: a description, or a device tree, in; its findings out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable

from tests.checks.golden import hold

from rootplex.backends.artifact import Compiled
from rootplex.checks.driver import run_checks
from rootplex.checks.facts import Facts, Joined
from rootplex.formats.devicetree import MapCells
from rootplex.jobs.check import examine
from rootplex.jobs.describe import read_checked
from rootplex.jobs.settings import RunOptions
from rootplex.readers.dtb import read_dtb
from rootplex.simulator.firmware.facts import DtFirmware, dt_firmware
from rootplex.source.finding import Finding
from rootplex.source.place import Place, Span

FILE = "case.yaml"
MARK = "#<"


def findings_of(
    text: str, *, options: RunOptions | None = None, alter: Callable[[Compiled], Compiled] | None = None
) -> tuple[Finding, ...]:
    """All findings of `check` on a description, also those that follow from another one; those of its own
    text where it goes no further."""
    checked = read_checked(text.encode(), FILE)
    if not checked.is_sound:
        return checked.findings
    return flat(examine(checked, options or RunOptions(), alter).findings)


def flat(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding, and behind it what follows from it; their texts are asserted where this is their case."""
    every = tuple(each for finding in findings for each in finding.every)
    hold(every)
    return every


def dts_findings(dts: str, dtc: str) -> tuple[Finding, ...]:
    """All findings that need artifacts only, on a vendor's tree; `dtc` is the program's path."""
    return given_findings(Facts(dt=given_tree(dts, dtc)))


def given_tree(dts: str, dtc: str) -> DtFirmware:
    """A device tree as a vendor gives it, compiled from its source."""
    argv = [dtc, "-q", "-q", "-I", "dts", "-O", "dtb"]
    done = subprocess.run(argv, input=dts.encode(), stdout=subprocess.PIPE, check=True)
    return dt_firmware(read_dtb(done.stdout, "case.dtb"), MapCells.TARGET)


def given_findings(facts: Facts) -> tuple[Finding, ...]:
    """All findings on artifacts that no description made, also those that follow from another one."""
    return flat(given_causes(facts))


def given_causes(facts: Facts) -> tuple[Finding, ...]:
    """The findings on artifacts that no description made; bridges are called by their paths."""
    dt = () if facts.dt is None else facts.dt.bridges
    joined = tuple(Joined(bridge.path, dt=bridge) for bridge in dt)
    found = run_checks(Facts(dt=facts.dt, acpi=facts.acpi, arch=facts.arch, bridges=joined), "artifacts")
    hold(found)
    return found


def only(findings: Iterable[Finding], code: str) -> tuple[Finding, ...]:
    """The findings of one code."""
    return tuple(finding for finding in findings if finding.code == code)


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each old piece, which must be there once, replaced by the new one."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def marked_line(text: str) -> int:
    """The line (from 1) that ends with the mark."""
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.search(f"{MARK}$", line)]
    assert len(lines) == 1, lines
    return lines[0]


def line_of(place: Place) -> int | None:
    """The line of a place in the description; None for a place in an artifact."""
    return place.line if isinstance(place, Span) else None
