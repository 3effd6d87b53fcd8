"""What the author said of findings: those he expects, and those he accepts with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from rootplex.checks.registry import is_of_xen, needs_of
from rootplex.checks.xen.start import xen_down
from rootplex.jobs.result import Verdict
from rootplex.model.platform import Platform
from rootplex.source.finding import Finding, Level, in_order
from rootplex.source.rules import EXPECTED_FINDING_ABSENT, IDLE_SUPPRESSION


def accept(
    platform: Platform, found: Iterable[Finding], *, simulated: bool = True, bare_metal: bool = False
) -> tuple[Finding, ...]:
    """The findings in order, with `expected` ones marked, suppressed ones taken out, and a finding
    for each expectation and suppression that met nothing. What only a simulation finds is not missed
    where there was none (`simulated`), nor what only Xen shows on bare metal.

    An error that follows from an accepted finding is not accepted with it: it is told for itself.
    """
    expected = set(platform.expect.findings)

    def is_missed(code: str) -> bool:
        return (simulated or needs_of(code) != "simulation") and not (bare_metal and is_of_xen(code))

    findings = _suppressed(platform, list(found), is_missed)
    findings = [each for root in findings for each in (root.accepted() if root.code in expected else (root,))]
    seen = {each.code for finding in findings for each in finding.every}
    marked = [each.as_expected() if each.code in expected else each for each in findings]
    for i, code in enumerate(platform.expect.findings):
        if code not in seen and is_missed(code):
            marked.append(
                EXPECTED_FINDING_ABSENT.finding(
                    platform.expect.at(f"findings.{i}"),
                    f"the finding {code} is expected and did not come",
                    help="take it out of 'expect.findings', or find out why it is gone",
                )
            )
    return in_order(marked)


def _suppressed(
    platform: Platform, findings: list[Finding], is_missed: Callable[[str], bool]
) -> list[Finding]:
    for suppression in platform.suppress:

        def is_met(
            finding: Finding, code: str = suppression.code, at: str | None = suppression.subject
        ) -> bool:
            return finding.code == code != xen_down.rule.code and at in (None, finding.subject)

        met = any(is_met(each) for finding in findings for each in finding.every)
        if not met and is_missed(suppression.code):
            where = "" if suppression.subject is None else f" at '{suppression.subject}'"
            findings.append(
                IDLE_SUPPRESSION.finding(
                    suppression.at("code"),
                    f"nothing is suppressed by this: there is no {suppression.code}{where}",
                    help="take the suppression out",
                    subject=suppression.subject,
                )
            )
        kept: list[Finding] = []
        for finding in findings:
            rest = replace(finding, follows=tuple(each for each in finding.follows if not is_met(each)))
            kept += rest.accepted()[1:] if is_met(finding) else [rest]
        findings = kept
    return findings


def verdict_of(findings: Iterable[Finding], *, judged: bool = True) -> Verdict:
    """`inconsistent` with an unexpected error; `unknown` where nothing could be judged."""
    if any(each.level is Level.ERROR and not each.expected for each in findings):
        return "inconsistent"
    return "consistent" if judged else "unknown"
