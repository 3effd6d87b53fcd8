"""Faulty descriptions and the text that a user reads, as golden files beside them.

`faults/x.yaml` has the faults, `faults/x.txt` what is printed. A new text is read aloud before it is
committed; `ROOTPLEX_RENEW=1` writes it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootplex.jobs.describe import read_checked
from rootplex.jobs.result import Result
from rootplex.report.text import Sources, Style, render
from rootplex.source.finding import Finding, Unreadable

FOLDER = Path(__file__).parent / "faults"
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def printed(case: str) -> str:
    """What a user reads about a description."""
    data = (FOLDER / f"{case}.yaml").read_bytes()
    file = f"{case}.yaml"
    findings = sorted(read_checked(data, file).findings, key=Finding.order)
    result = Result(
        file=file, platform=None, dom0=None, firmware=None, verdict="inconsistent", findings=tuple(findings)
    )
    return render((result,), Sources({file: data.decode()}), Style())


@pytest.mark.parametrize("case", CASES)
def test_the_text_a_user_reads(case: str) -> None:
    golden = FOLDER / f"{case}.txt"
    if os.environ.get("ROOTPLEX_RENEW"):
        golden.write_text(printed(case), encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == printed(case)


@pytest.mark.parametrize("case", CASES)
def test_no_fault_is_told_twice(case: str) -> None:
    data = (FOLDER / f"{case}.yaml").read_bytes()
    told = [(finding.code, str(finding.at), finding.message) for finding in read_checked(data, "x").findings]
    assert len(set(told)) == len(told)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_descriptions_give_findings_never_a_crash(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    text = (FOLDER / f"{case}.yaml").read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 30))
    put = data.draw(st.sampled_from(["", "{", "[]", "17", "-1", "name: x", "'", "\n", "0x", "null", "true"]))
    try:
        read_checked((text[:start] + put + text[start + length :]).encode(), "x")
    except Unreadable as error:
        assert error.findings
