"""What a backend says when a description cannot be put into its artifact.

One form for every backend: a function returns its artifact, or raises `CannotCompile` with all the
reasons it found. A caller that runs several backends collects them, so that one run names every fault.
"""

from __future__ import annotations

from collections.abc import Iterable

from rootplex.source.finding import Finding


class CannotCompile(Exception):  # noqa: N818 - it says what cannot be done
    """The description is readable and cannot be said in this artifact; one finding for each reason."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{finding.at}: {finding.message}" for finding in self.findings))
