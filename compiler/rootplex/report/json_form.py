"""The JSON of `check` and `validate`: one object a file, a list of them for several."""

from __future__ import annotations

import json

import msgspec

from rootplex.jobs.result import Result
from rootplex.report.words import notes_of
from rootplex.source.finding import Finding


def render(results: tuple[Result, ...]) -> str:
    """The results as JSON text, keys in the order of the design's page."""
    objects = [object_of(result) for result in results]
    return json.dumps(objects[0] if len(objects) == 1 else objects, indent=1, ensure_ascii=True) + "\n"


def object_of(result: Result) -> dict[str, object]:
    """One result."""
    return {
        "rootplex": 1,
        "file": result.file,
        "platform": result.platform,
        "dom0": result.dom0,
        "firmware": result.firmware,
        "hypervisor": result.hypervisor,
        "verdict": result.verdict,
        "not_known": list(result.not_known),
        "findings": [finding_object(finding) for finding in result.findings],
        **msgspec.to_builtins(result.machine),
        **({} if result.booted is None else {"booted": msgspec.to_builtins(result.booted)}),
    }


def finding_object(finding: Finding) -> dict[str, object]:
    """One finding; keys that have nothing to say are there all the same."""
    return {
        "code": finding.code,
        "name": finding.name,
        "level": finding.level.value,
        "message": finding.message,
        "at": finding.at.at(),
        "related": [{"at": related.at.at(), "message": related.message} for related in finding.related],
        "notes": notes_of(finding),
        "help": finding.help,
        "subject": finding.subject,
        "expected": finding.expected,
    }
