"""The formats for programs and editors, held by an XML parser, a JSON parser and the standards' words."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from rootplex.jobs.result import Result, exit_status, refused, unreadable
from rootplex.report import json_form, junit, sarif, short, summary
from rootplex.source.finding import Finding, Level, Related
from rootplex.source.place import DtPlace, FilePlace, Span, TablePlace

SPAN = Span("boards/x.yaml", 21, 14, 21, 15)
CELL = DtPlace("x.dtb", "/pcie@0", "ranges", 3)
BYTES = TablePlace("mcfg.aml", "MCFG", 44, 8)


def finding(level: Level = Level.ERROR, **more: Any) -> Finding:
    fields = {"code": "RPX0801", "name": "segment-differs", "message": "b is <1> & '2'", "at": SPAN, **more}
    return Finding(level=level, **fields)


def result(*findings: Finding, file: str = "boards/x.yaml", platform: str | None = "x") -> Result:
    bad = any(each.level is Level.ERROR and not each.expected for each in findings)
    return Result(
        file=file, platform=platform, verdict="inconsistent" if bad else "consistent", findings=findings
    )


THREE = result(
    finding(related=(Related(CELL, "the other is here"),), notes=("a fact",), help="write one number"),
    finding(Level.WARNING, at=BYTES, code="RPX0720", name="ecam-not-reserved"),
    finding(at=FilePlace("x.dtb"), expected=True, subject="second"),
)


def test_short_is_a_line_a_finding_that_editors_parse() -> None:
    assert (
        "boards/x.yaml:21:14: error[RPX0801]: b is <1> & '2'\n"
        "mcfg.aml: MCFG+0x2c: warning[RPX0720]: b is <1> & '2'\n"
        "x.dtb: error[RPX0801] (expected): b is <1> & '2'\n"
    ) == short.render((THREE,))
    assert "" == short.render((result(),))


def test_junit_counts_as_its_readers_do() -> None:
    """A failure for each error, a skipped case for what is expected, one passed case for a clean board."""
    root = ElementTree.fromstring(junit.render((THREE, result(platform=None))))
    assert "testsuites" == root.tag
    first, second = root
    assert {"name": "x", "tests": "3", "failures": "1"} == first.attrib
    assert [["failure"], ["system-out"], ["skipped"]] == [[below.tag for below in case] for case in first]
    failure = first[0][0]
    assert "b is <1> & '2'" == failure.attrib["message"]
    assert "b is <1> & '2'\na fact\nwrite one number" == failure.text
    assert {"name": "boards/x.yaml", "tests": "1", "failures": "0"} == second.attrib
    assert [[]] == [list(case) for case in second]


def test_junit_is_xml_whatever_a_vendor_writes() -> None:
    """XML 1.0 has no control characters, not even escaped ones (§2.2)."""
    text = junit.render((result(finding(message='a\x00b\x1b[31m ]]> "\ud800 \uffff')),))
    assert 1 == len(ElementTree.fromstring(text.encode("utf-8"))[0])


def test_sarif_has_what_the_standard_asks() -> None:
    """SARIF 2.1.0: §3.27 a result, §3.30 a region (columns from 1, the end exclusive), §3.35 suppressions."""
    log = json.loads(sarif.render((THREE,)))
    assert "2.1.0" == log["version"]
    (run,) = log["runs"]
    assert ["RPX0720", "RPX0801"] == [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    first, second, third = run["results"]
    assert ("RPX0801", "error", "warning") == (first["ruleId"], first["level"], second["level"])
    place = first["locations"][0]["physicalLocation"]
    assert "boards/x.yaml" == place["artifactLocation"]["uri"]
    assert {"startLine": 21, "startColumn": 14, "endLine": 21, "endColumn": 15} == place["region"]
    assert "the other is here" == first["relatedLocations"][0]["message"]["text"]
    assert "x.dtb: /pcie@0:ranges[3]" in str(first["relatedLocations"][0]["logicalLocations"])
    assert [{"kind": "inSource"}] == third["suppressions"]
    assert "suppressions" not in first


def test_json_of_one_file_is_an_object_and_of_several_a_list() -> None:
    one = json.loads(json_form.render((THREE,)))
    assert one == json.loads(json_form.render((THREE, result())))[0]
    assert {"file": "x.dtb", "node": "/pcie@0", "property": "ranges", "cell": 3} == (
        one["findings"][0]["related"][0]["at"]
    )
    assert {"file": "mcfg.aml", "table": "MCFG", "offset": 44, "length": 8, "path": None} == (
        one["findings"][1]["at"]
    )
    assert [] == json.loads(json_form.render((result(),)))["findings"]


def test_the_table_has_the_worst_on_top() -> None:
    results = (
        result(file="clean"),
        result(finding(), file="one"),
        unreadable("lost", (finding(),)),
        result(finding(), finding(), file="two"),
    )
    ordered = summary.by_worst(results)
    assert ["lost", "two", "one", "clean"] == [each.file for each in ordered]
    rows = [line.split() for line in summary.table(ordered)]
    assert ["lost", "unreadable", "1", "-", "-"] == rows[1]
    assert ["clean", "consistent", "-", "-", "-"] == rows[-1]


def test_the_status_follows_the_verdicts() -> None:
    clean, warned, bad = result(), result(finding(Level.WARNING)), result(finding())
    assert [0, 0, 1] == [exit_status((each,), strict=False) for each in (clean, warned, bad)]
    assert 1 == exit_status((clean, warned), strict=True)
    assert 2 == exit_status((bad, unreadable("x", (finding(),))), strict=False)
    unknown = Result(file="x", verdict="unknown", findings=())
    assert 2 == exit_status((clean, unknown), strict=False)
    assert "inconsistent" == refused("x", (finding(),)).verdict
