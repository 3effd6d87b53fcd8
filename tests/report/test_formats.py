"""The formats for programs and editors, held by an XML parser, a JSON parser and the standards' words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

import rootplex
from rootplex.jobs.pages import pages_of
from rootplex.jobs.regions import Region, regions_of
from rootplex.jobs.result import Result, exit_status, glance, refused, unreadable
from rootplex.readers.dtb import stretches
from rootplex.report import json_form, jsonl, junit, sarif, short, summary
from rootplex.source.finding import Finding, Level, Related
from rootplex.source.place import DtPlace, FilePlace, Place, Span, TablePlace

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
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


PAGES = pages_of(["RPX0801", "RPX0720"])
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


def test_sarif_is_valid_by_the_standards_schema() -> None:
    """The schema is OASIS's own (oasis-tcs/sarif-spec, sarif-2.1/schema), here with fewer descriptions."""
    schema = json.loads(Path(__file__).with_name("sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    regions: dict[Place, Region] = {CELL: Region(offset=8, length=4), BYTES: Region(line=3, end_line=4)}
    log = sarif.log_of(THREE.findings, PAGES, regions)
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(log)


def test_sarif_says_what_a_rule_is_for() -> None:
    (run,) = json.loads(sarif.render((THREE,)))["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        page = PAGES[rule["id"]]
        assert page.text == rule["help"]["text"]
        assert {"level": page.level.value} == rule["defaultConfiguration"]
        assert rule["shortDescription"]["text"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(each["ruleId"] == rules[each["ruleIndex"]] for each in run["results"])


def test_a_fingerprint_stays_when_lines_move_and_tells_equal_findings_apart() -> None:
    def marks(*findings: Finding) -> list[str]:
        (run,) = json.loads(sarif.render((result(*findings),)))["runs"]
        return [each["partialFingerprints"]["rootplexFinding/v1"] for each in run["results"]]

    moved = Span("boards/x.yaml", 30, 14, 30, 15)
    (one,) = marks(finding())
    assert [one] == marks(finding(at=moved))
    assert 3 == len({*marks(finding(), finding(at=moved)), *marks(finding(subject="second"))})


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("boards/x.yaml", "boards/x.yaml"),
        ("a board/ü#1?.yaml", "a%20board/%C3%BC%231%3F.yaml"),
        ("/srv/x 1.dtb", "file:///srv/x%201.dtb"),
        ("HEAD:x.yaml", "HEAD%3Ax.yaml"),
        ("<stdin>", "%3Cstdin%3E"),
        ("\udcff.dtb", "%FF.dtb"),
    ],
)
def test_a_files_name_is_a_uri(file: str, expected: str) -> None:
    assert expected == sarif.uri(file)


def test_regions_are_where_the_bytes_are(tmp_path: Path) -> None:
    """A cell in a blob, bytes in a table, lines in acpidump's text; none in what holds no such thing."""
    made = rootplex.compile(rootplex.load((TOPOLOGIES / "qemu-virt.yaml").read_bytes()))
    blob, mcfg = (made.files[name] for name in ("qemu-virt.dtb", "mcfg.aml"))
    (tmp_path / "x.dtb").write_bytes(blob)
    (tmp_path / "mcfg.aml").write_bytes(mcfg)
    rows = (mcfg[at : at + 16].hex(" ") for at in range(0, len(mcfg), 16))
    lines = ["", "MCFG @ 0x0000000000000000", *(f"    {16 * n:04X}: {row}" for n, row in enumerate(rows))]
    (tmp_path / "dump.txt").write_text("\n".join(lines) + "\n")
    node = next(path for path, name in stretches(blob, "x") if name == "bus-range")
    cell = DtPlace(str(tmp_path / "x.dtb"), node, "bus-range", 1)
    table = TablePlace(str(tmp_path / "mcfg.aml"), "MCFG", 44, 8)
    text = TablePlace(str(tmp_path / "dump.txt"), "MCFG", 44, 8)
    lost = TablePlace(str(tmp_path / "none"), "MCFG", 44, 8)
    found = regions_of([finding(at=at) for at in (cell, table, text, lost)])
    assert {cell, table, text} == set(found)
    offset = found[cell].offset
    assert offset is not None
    assert b"\0\0\0\xff" == blob[offset : offset + 4]
    assert Region(offset=44, length=8) == found[table]
    assert [lines[4][4:8], lines[5][4:8]] == ["0020", "0030"]
    assert Region(line=5, end_line=6) == found[text]


def test_jsonl_is_the_same_object_a_line() -> None:
    lines = [json.loads(jsonl.line(each)) for each in (THREE, result())]
    assert lines == json.loads(json_form.render((THREE, result())))
    assert ["boards/x.yaml"] * 2 == [each["file"] for each in lines]


def test_jsonl_streams(tmp_path: Path) -> None:
    """The first line is there before the second board can be read: that is a pipe nobody has written to."""
    waiting = tmp_path / "waiting.yaml"
    os.mkfifo(waiting)
    board = TOPOLOGIES / "qemu-virt-32.yaml"
    argv = [sys.executable, "-m", "rootplex", "check", str(board), str(waiting), "--format", "jsonl"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "qemu-virt-32" == json.loads(process.stdout.readline())["platform"]
        waiting.write_text("rootplex: [")
        assert "unknown" == json.loads(process.stdout.read())["verdict"]
    assert 2 == process.returncode


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
    ordered = summary.worst(map(glance, results), 4)
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
