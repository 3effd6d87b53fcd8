"""`compile`: a description to the files that are written, unless it has errors."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rootplex.backends.compilation import compile_platform
from rootplex.backends.refusal import CannotCompile
from rootplex.jobs.acceptance import verdict_of
from rootplex.jobs.check import artifact_findings
from rootplex.jobs.describe import Checked
from rootplex.jobs.manifest import MANIFEST, manifest
from rootplex.jobs.result import Result, refused
from rootplex.model.platform import Platform
from rootplex.project import __version__
from rootplex.source.finding import Finding, Level
from rootplex.tools.versions import iasl_version


class Made(Struct, frozen=True, kw_only=True):
    """What compiling came to: files by name, the manifest among them; None where errors keep them back."""

    result: Result
    files: Mapping[str, bytes] | None


def versions_for(platform: Platform) -> dict[str, str]:
    """The programs that leave their mark on a platform's files, and their releases."""
    return {"rootplex": __version__, "iasl": iasl_version() if "acpi" in platform.firmware else "none"}


def compiled(checked: Checked, data: bytes, file: str, *, despite_errors: bool) -> Made:
    """A sound description's files, checked as far as that goes without a simulation. With an error that its
    author does not expect there are none, unless they are wanted `despite_errors`; what a backend refuses
    cannot be made at all. ToolError where `iasl` is missing and there is ACPI to compile."""
    platform = checked.platform
    assert platform is not None
    try:
        made = compile_platform(platform)
        findings = artifact_findings(checked, made)
    except CannotCompile as refusal:
        found = (*checked.findings, *refusal.findings)
        return Made(result=refused(file, found, platform=platform.name), files=None)
    result = judged(file, platform, findings)
    if result.count(Level.ERROR) and not despite_errors:
        return Made(result=result, files=None)
    despite = [each.code for each in findings if each.level is Level.ERROR and not each.expected]
    tells = manifest(data, made.files, versions_for(platform), despite)
    return Made(result=result, files={**made.files, MANIFEST: tells})


def judged(file: str, platform: Platform, findings: tuple[Finding, ...]) -> Result:
    """The result of a description that was not simulated."""
    return Result(file=file, platform=platform.name, verdict=verdict_of(findings), findings=findings)
