"""SARIF 2.1.0, as code hosts show it beside a change."""

from __future__ import annotations

import json
from typing import TypeAlias
from urllib.parse import quote

from rootplex.jobs.result import Result
from rootplex.report.notes import notes_of
from rootplex.source.finding import Finding
from rootplex.source.place import Place, Span
from rootplex.version import __version__

Json: TypeAlias = dict[str, object]


def render(results: tuple[Result, ...]) -> str:
    """One run with every finding; expected ones are suppressed results."""
    findings = [finding for result in results for finding in result.findings]
    rules = {finding.code: finding.name for finding in findings}
    log = {
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "rootplex",
                        "version": __version__,
                        "rules": [{"id": code, "name": rules[code]} for code in sorted(rules)],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding) for finding in findings],
            }
        ],
    }
    return json.dumps(log, indent=1, ensure_ascii=True) + "\n"


def _result(finding: Finding) -> Json:
    text = "\n".join((finding.message, *notes_of(finding), *([finding.help] if finding.help else [])))
    found: Json = {
        "ruleId": finding.code,
        "level": finding.level.value,
        "message": {"text": text},
        "locations": [_location(finding.at)],
    }
    if finding.related:
        found["relatedLocations"] = [
            {**_location(related.at), "message": {"text": related.message}} for related in finding.related
        ]
    if finding.expected:
        found["suppressions"] = [{"kind": "inSource"}]
    return found


def _location(at: Place) -> Json:
    physical: Json = {"artifactLocation": {"uri": quote(at.file, errors="surrogateescape")}}
    if isinstance(at, Span):
        physical["region"] = {
            "startLine": at.line,
            "startColumn": at.column,
            "endLine": at.end_line,
            "endColumn": at.end_column,
        }
        return {"physicalLocation": physical}
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": str(at)}]}
