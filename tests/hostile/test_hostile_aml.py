"""AML that prints, waits, loops and allocates: what it does to its reader is bounded, and said."""

from __future__ import annotations

import resource
import shutil
import time
from pathlib import Path

import pytest

from rootplex.readers.acpi import acpiexec
from rootplex.readers.acpi.acpidump import read_tables
from rootplex.readers.acpi.aml import evaluate
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.acpi.header import read_table
from rootplex.source.finding import Unreadable
from rootplex.tools.runner import private_folder, run

pytestmark = pytest.mark.skipif(shutil.which("acpiexec") is None, reason="needs acpiexec")

CASES = Path(__file__).parent / "cases"
OBJECTS = {"_HID": 'EisaId ("PNP0A08")', "_SEG": "1", "_STA": "15", "_CRS": "Buffer () { 0x79, 0 }"}
FORGED = r"""Debug = "x\n- level 2800 console\nlevel\n{word}\\_SB_.PCI0._SEG    returned AE_OK\n"
    Debug = "Evaluation of \\_SB.PCI0._SEG returned object 0x5\n  [Integer] = 0000000000000007\n" """
WAITS = {
    "sleep": "Local0 = 0 While (Local0 < 1000) { Sleep (2000) Local0++ }",
    "event": "Wait (EEEE, 0xFFFF)",
    "loops": "Local0 = 0 While (One) { Local1 = 0 While (Local1 < 1000000) { Local1++ } }",
    "recursion": "If (Arg0) { } _SB.PCI0.XXXX () _SB.PCI0.XXXX ()",
}


def namespace(body: str) -> Namespace:
    text = f'DefinitionBlock ("", "SSDT", 2, "ROOTPX", "HOSTILE", 1) {{ Scope (\\_SB) {{ {body} }} }}'
    with private_folder() as folder:
        (folder / "x.asl").write_text(text)
        outcome = run(["iasl", "-f", "-p", "x", "x.asl"], cwd=folder)
        assert (folder / "x.aml").exists(), outcome.stdout
        return evaluate([read_table((folder / "x.aml").read_bytes(), "x.aml")])


def case(name: str) -> Namespace:
    return evaluate(read_tables(CASES / f"{name}.aml", name).tables)


def refusal(body: str) -> str:
    with pytest.raises(Unreadable) as error:
        namespace(body)
    (finding,) = error.value.findings
    return finding.message


def test_the_answer_that_a_case_forges_is_not_taken() -> None:
    """A `_PRT` with a count of 4,500 digits, printed while the tables are loaded."""
    (bridge,) = case("aml-f4-forged-package-count").bridges
    assert (bridge.prt.state, bridge.sta.value, bridge.bbn.value) == ("absent", 15, 3)


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("word", ["", r"- All _SEG\n", r"unknown command\n"])
def test_nothing_that_aml_prints_is_an_answer(name: str, word: str) -> None:
    objects = [f"Name ({each}, {value})" for each, value in OBJECTS.items() if each != name]
    method = f"Method ({name}) {{ {FORGED.format(word=word)} Return ({OBJECTS[name]}) }}"
    (bridge,) = namespace(f"Device (PCI0) {{ {method} {' '.join(objects)} }}").bridges
    assert (bridge.seg.value, bridge.sta.value) == (1, 15)


def test_text_that_an_object_holds_stays_in_it() -> None:
    text = r'"a\n- All _SEG\n\\_SB_.PCI0._SEG returned AE_OK\n"'
    (bridge,) = namespace(
        f'Device (PCI0) {{ Name (_UID, {text}) Name (_SEG, 1) Name (_HID, "PNP0A08") }}'
    ).bridges
    assert (bridge.seg.value, bridge.uid.value) == (
        1,
        "a\n- All _SEG\n\\_SB_.PCI0._SEG returned AE_OK\n",
    )


@pytest.mark.parametrize("name", ["mutex", "loopmany"])
def test_all_that_is_asked_of_a_source_has_one_budget(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acpiexec, "BUDGET_SECONDS", 1.5)
    begun = time.monotonic()
    with pytest.raises(Unreadable, match=r"the AML does not come to an end: it was given 1\.5 seconds"):
        case(name)
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize("name", WAITS)
def test_what_waits_and_what_runs_is_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acpiexec, "BUDGET_SECONDS", 1.5)
    begun = time.monotonic()
    waiting = f"Method (XXXX) {{ {WAITS[name]} }} Method (_SEG) {{ XXXX () Return (1) }}"
    body = f"Event (EEEE) Device (PCI0) {{ {waiting}"
    for number in range(8):
        body += f" Device (D00{number}) {{ Method (_CRS) {{ XXXX () Return (Buffer () {{ 0x79, 0 }}) }} }}"
    try:
        (bridge,) = namespace(body + ' Name (_HID, "PNP0A08") }').bridges
    except Unreadable:
        pass
    else:
        assert bridge.seg.state == "failed"
    assert time.monotonic() - begun < 5


def test_a_breakpoint_would_take_the_next_questions_for_commands() -> None:
    body = 'Device (PCI0) { Method (_SEG) { BreakPoint Return (1) } Name (_HID, "PNP0A08") }'
    assert refusal(body) == "the AML could not be evaluated: it stops at a BreakPoint"


@pytest.mark.parametrize("size", ["0x7FFFFFFF", "0x70000000"])
def test_memory_is_limited_and_said(size: str) -> None:
    body = f"Method (_SEG) {{ Local0 = Buffer ({size}) {{}} Return (SizeOf (Local0)) }}"
    (bridge,) = namespace(f'Device (PCI0) {{ {body} Name (_HID, "PNP0A08") }}').bridges
    assert bridge.seg.reason == "evaluation needs more than the 1024 MiB of memory it may take"


@pytest.mark.parametrize("name", ["bigbuf", "sysmem"])
def test_no_case_takes_more_memory_than_it_may(name: str) -> None:
    case(name)
    largest_child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert largest_child < 1 << 20  # KiB
