"""SARIF 2.1.0, as code hosts show it beside a change."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import TypeAlias
from urllib.parse import quote

from rootplex.jobs.pages import Help, pages_of
from rootplex.jobs.regions import Region, regions_of
from rootplex.jobs.result import Result
from rootplex.project import ADDRESS, __version__
from rootplex.report.words import notes_of
from rootplex.source.finding import Finding
from rootplex.source.place import Place, Span

Json: TypeAlias = dict[str, object]


def render(results: Sequence[Result]) -> str:
    """One run with every finding; expected ones are suppressed results. The firmware's files that findings
    are about are read for the stretches."""
    findings = [finding for result in results for finding in result.findings]
    log = log_of(findings, pages_of(each.code for each in findings), regions_of(findings))
    return json.dumps(log, indent=1, ensure_ascii=True) + "\n"


def log_of(findings: Sequence[Finding], pages: Mapping[str, Help], regions: Mapping[Place, Region]) -> Json:
    """`pages` are those of the findings' codes, `regions` the stretches that they are about."""
    codes = sorted({finding.code for finding in findings})
    driver: Json = {
        "name": "rootplex",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(code, pages[code]) for code in codes],
    }
    if ADDRESS:
        driver["informationUri"] = ADDRESS
    found = [
        {**_result(finding, regions), "ruleIndex": codes.index(finding.code), "partialFingerprints": mark}
        for finding, mark in zip(findings, _fingerprints(findings), strict=True)
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": found}
    return {
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [run],
    }


def _rule(code: str, page: Help) -> Json:
    return {
        "id": code,
        "name": page.name,
        "shortDescription": {"text": page.finds},
        "fullDescription": {"text": page.matters},
        "help": {"text": page.text},
        "defaultConfiguration": {"level": page.level.value},
    }


def _fingerprints(findings: Sequence[Finding]) -> Iterator[Json]:
    """What stays of a finding when lines move: its code, file, subject and text, and which one it is of those
    that have these (SARIF 2.1.0 §3.27.17)."""
    seen: Counter[tuple[str, ...]] = Counter()
    for each in findings:
        lasting = (each.code, each.at.file, each.subject or "", each.message)
        seen[lasting] += 1
        words = "\0".join((*lasting, str(seen[lasting]))).encode("utf-8", "surrogatepass")
        yield {"rootplexFinding/v1": sha256(words).hexdigest()}


def _result(finding: Finding, regions: Mapping[Place, Region]) -> Json:
    text = "\n".join((finding.message, *notes_of(finding), *([finding.help] if finding.help else [])))
    found: Json = {
        "ruleId": finding.code,
        "level": finding.level.value,
        "message": {"text": text},
        "locations": [_location(finding.at, regions)],
    }
    if finding.related:
        found["relatedLocations"] = [
            {**_location(related.at, regions), "id": number, "message": {"text": related.message}}
            for number, related in enumerate(finding.related, 1)
        ]
    if finding.expected:
        found["suppressions"] = [{"kind": "inSource"}]
    return found


def _location(at: Place, regions: Mapping[Place, Region]) -> Json:
    physical: Json = {"artifactLocation": {"uri": uri(at.file)}}
    if isinstance(at, Span):
        physical["region"] = {
            "startLine": at.line,
            "startColumn": at.column,
            "endLine": at.end_line,
            "endColumn": at.end_column,
        }
        return {"physicalLocation": physical}
    if at in regions:
        physical["region"] = _region(regions[at])
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": str(at)}]}


def _region(region: Region) -> Json:
    if region.line is not None:
        return {"startLine": region.line, "endLine": region.end_line}
    return {"byteOffset": region.offset, "byteLength": region.length}


def uri(file: str) -> str:
    """A file's name as a URI reference (RFC 3986): relative as it was given, else with the scheme `file`."""
    words = quote(file.replace(os.sep, "/"), errors="surrogateescape")
    if not PurePath(file).is_absolute():
        return words
    return f"file://{words if words.startswith('/') else f'/{words}'}"
