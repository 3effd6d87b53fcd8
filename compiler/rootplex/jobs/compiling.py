"""`compile`: a description to the files that are written, unless it has errors."""

from __future__ import annotations

from rootplex.backends.compilation import compile_platform
from rootplex.backends.refusal import CannotCompile
from rootplex.jobs.acceptance import verdict_of
from rootplex.jobs.check import artifact_findings
from rootplex.jobs.describe import Checked
from rootplex.jobs.manifest import MANIFEST, manifest
from rootplex.jobs.qemu.xen.setup import setup
from rootplex.jobs.result import Made, Result, refused
from rootplex.model.platform import Platform
from rootplex.project import __version__
from rootplex.source.finding import Finding, Level
from rootplex.tools.runner import iasl_version


def versions_for(platform: Platform) -> dict[str, str]:
    """The programs that leave their mark on a platform's files, and their releases."""
    return {"rootplex": __version__, "iasl": iasl_version() if "acpi" in platform.firmware else "none"}


def compiled(checked: Checked, data: bytes, file: str, *, despite_errors: bool, xen: bool = False) -> Made:
    """A sound description's files, checked as far as that goes without a simulation. With an error that its
    author does not expect there are none, unless they are wanted `despite_errors`; what a backend refuses
    cannot be made at all. `xen`: with what starts Xen on them. ToolError where `iasl` is missing and there is
    ACPI to compile, and where Xen cannot be started."""
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
    files = {**made.files, **(setup(platform, made.files) if xen else {})}
    despite = [each.code for each in findings if each.level is Level.ERROR and not each.expected]
    tells = manifest(data, files, versions_for(platform), despite, xen=xen)
    return Made(result=result, files={**files, MANIFEST: tells})


def judged(file: str, platform: Platform, findings: tuple[Finding, ...]) -> Result:
    """The result of a description that was not simulated."""
    return Result(file=file, platform=platform.name, verdict=verdict_of(findings), findings=findings)
