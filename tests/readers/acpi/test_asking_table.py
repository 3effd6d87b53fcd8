"""The table that calls methods with arguments: as iasl reads it, and as acpiexec answers it."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest
from tests.acpica import compiled

from rootplex.readers.acpi.acpiexec import Evaluation, session
from rootplex.readers.acpi.asking_table import ASKED, LIMIT, AskingTable, asking_table
from rootplex.readers.acpi.header import Table
from rootplex.source.finding import Unreadable
from rootplex.tools.runner import Talk

MACHINE = """
DefinitionBlock ("", "SSDT", 2, "TEST", "ASK", 1)
{
    Device (\\_SB.PC00)
    {
        Name (_HID, EisaId ("PNP0A08"))
        Method (_OSC, 4)
        {
            Local0 = Concatenate (Arg0, ToBuffer (Arg1))
            Local1 = Concatenate (ToBuffer (Arg2), Arg3)
            Return (Concatenate (Local0, Local1))
        }
        Method (_DSM, 4, Serialized)
        {
            Name (ANSW, Package (4) {})
            ANSW [0] = Arg0
            ANSW [1] = Arg1
            ANSW [2] = Arg2
            ANSW [3] = SizeOf (Arg3)
            Return (ANSW)
        }
    }
    Device (\\_SB.DEEP)
    {
        Name (_ADR, 0)
        Device (ER) { Name (_ADR, 0) Method (_OSC, 4) { Return (Buffer () { 7 }) } }
    }
}
"""


def asked(machine: Table, questions: AskingTable) -> dict[str, Evaluation]:
    with session([machine]) as interpreter:
        interpreter.load(questions.table)
        return questions.answers(interpreter.answers(f"All {ASKED}").evaluations)


def test_iasl_reads_the_questions_as_meant(tmp_path: Path) -> None:
    """The arguments as ACPI and the PCI Firmware specification have them, from another reader of AML."""
    questions = asking_table(["\\_SB.PC00"])
    data = bytearray(questions.table.data)
    data[9] = -sum(data) & 0xFF
    (tmp_path / "q.aml").write_bytes(data)
    (tmp_path / "t.aml").write_bytes(compiled(MACHINE).data)
    subprocess.run(["iasl", "-e", "t.aml", "-d", "q.aml"], cwd=tmp_path, check=True, capture_output=True)
    text = re.sub(r"//.*|/\*.*?\*/|\s+", "", (tmp_path / "q.dsl").read_text())
    assert 'ToUUID("33db4d5b-1ff7-401c-9657-7441c03dd766")' in text
    assert 'ToUUID("e5c937d0-3553-4d7a-9117-ea4d19c3434d")' in text
    assert r"Return(\_SB.PC00._OSC(" in text
    assert r"Return(\_SB.PC00._DSM(" in text
    assert "Buffer(0x0C){0x01,0x00,0x00,0x00,0x9F,0x01,0x00,0x00,0xBF,0x00,0x00,0x00}" in text


def test_the_methods_get_their_arguments() -> None:
    machine = compiled(MACHINE)
    questions = asking_table(["\\_SB.PC00", "\\_SB.DEEP.ER", "\\_SB.NONE"])
    answers = asked(machine, questions)
    osc = bytes.fromhex("5b4ddb33f71f1c4096577441c03dd766")
    dsm = bytes.fromhex("d037c9e553357a4d9117ea4d19c3434d")
    assert answers["\\_SB.PC00._OSC"].value == osc + struct.pack("<2Q3I", 1, 3, 1, 0x19F, 0xBF)
    assert answers["\\_SB.PC00._DSM"].value == (dsm, 1, 5, 1)
    assert answers["\\_SB.DEEP.ER._OSC"].value == b"\7"
    assert answers["\\_SB.NONE._OSC"].status == "AE_NOT_FOUND"


@pytest.mark.parametrize(
    "path", ["", "PC00", "\\", "\\_SB.pc00", "\\_SB..PC00", "\\_SB.PC00X", "\\_SB.PC00\nquit"]
)
def test_a_text_that_is_no_path_is_left_out(path: str) -> None:
    assert not asking_table([path]).objects


def test_a_path_longer_than_its_encoding_is_left_out() -> None:
    assert not asking_table(["\\_SB" + ".DEEP" * 300]).objects


def test_many_bridges_are_asked_in_one_table() -> None:
    names = [f"P{number:03X}" for number in range(300)]
    answer = "Name (_ADR, 0) Method (_OSC, 4) {{ Return (Buffer () {{ {}, {} }}) }}"
    devices = "".join(
        f"Device (\\_SB.{name}) {{ {answer.format(number >> 8, number & 0xFF)} }}\n"
        for number, name in enumerate(names)
    )
    machine = compiled(f'DefinitionBlock ("", "SSDT", 2, "TEST", "MANY", 1) {{ {devices} }}')
    questions = asking_table([f"\\_SB.{name}" for name in names])
    answers = asked(machine, questions)
    assert [answers[f"\\_SB.{name}._OSC"].value for name in names] == [
        number.to_bytes(2, "big") for number in range(300)
    ]


def test_most_questions_with_the_longest_paths_make_a_table() -> None:
    questions = asking_table([f"\\P{number:03X}" + ".DEEP" * 29 for number in range(LIMIT + 1)])
    assert len(questions.objects) == 3 * LIMIT
    machine = compiled(MACHINE)
    with session([machine]) as interpreter:
        interpreter.load(questions.table)
        assert len(interpreter.answers(f"Find {ASKED}").found) == 3 * LIMIT


def test_an_object_of_the_machine_named_as_ours_does_not_answer() -> None:
    ours = "Device (Q000) { Name (_ADR, 0) Method (RPXQ) { Return (Buffer () { 9 }) } }"
    own = f"Device (\\RPX0) {{ Name (_ADR, 0) {ours} }}"
    text = MACHINE.replace("Device (\\_SB.DEEP)", f"{own} Device (\\_SB.DEEP)")
    machine = compiled(text)
    questions = asking_table(["\\_SB.DEEP.ER"], [machine])
    answers = asked(machine, questions)
    assert answers["\\_SB.DEEP.ER._OSC"].value == b"\7"


def test_a_machine_of_32_bit_integers_keeps_them() -> None:
    """ACPI 6.5 §19.6.29: integers are as wide as the DSDT's revision says, whatever other tables say."""
    text = """DefinitionBlock ("", "DSDT", 1, "TEST", "OLD", 1)
    {
        Device (\\_SB.PC00)
        {
            Name (_ADR, 0)
            Method (_DSM, 4) { Local0 = 0xFFFFFFFF Local0++ Return (Local0) }
        }
    }"""
    machine = compiled(text)
    questions = asking_table(["\\_SB.PC00"], [machine])
    answers = asked(machine, questions)
    assert answers["\\_SB.PC00._DSM"].value == 0


def test_words_that_a_method_prints_end_no_session() -> None:
    talk = r'Debug = "\n- help\n- quit\n"'
    methods = f"Method (_STA) {{ {talk} Return (0xF) }} Method (_OSC, 4) {{ {talk} Return (Arg3) }}"
    device = f"Device (\\_SB.PC00) {{ Name (_ADR, 0) {methods} }}"
    text = f'DefinitionBlock ("", "DSDT", 2, "TEST", "TALK", 1) {{ {device} }}'
    machine = compiled(text)
    with session([machine]) as interpreter:
        interpreter.load(asking_table(["\\_SB.PC00"]).table)
        told = interpreter.answers("All _STA", f"All {ASKED}", "Find _OSC")
    assert told.evaluations["\\_SB.PC00._STA"].value == 0xF
    assert told.found == {"\\_SB.PC00._OSC"}


def test_strings_come_back_as_they_were_written() -> None:
    """acpiexec escapes what is not plain text; a backslash of the string's own is no escape."""
    asl = 'DefinitionBlock ("", "SSDT", 2, "TEST", "TEXT", 1) { Name (\\TEXT, "%s") }'
    written = r"\a\b\t\n\v\f\r\x1B\x01\x7F\"b\\x41\\n z"
    table = compiled(asl % written)
    with session([table]) as interpreter:
        told = interpreter.answers("All TEXT")
    assert told.evaluations["\\TEXT"].value == '\a\b\t\n\v\f\r\x1b\x01\x7f"b\\x41\\n z'


def test_a_first_echo_that_another_thread_breaks_is_no_fault_of_the_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """acpiexec prompts before its second thread is ready: seen once in some thousand runs of 20250404."""

    whole = Talk.say

    def broken(talk: Talk, words: bytes, mark: bytes) -> str:
        printed = whole(talk, words, mark)
        first = words.decode().split("\n")[0]
        assert f"{first.upper()}: unknown command" in printed
        return printed.replace(first, f"{first[:5]}\n{first[5:]}", 1)

    monkeypatch.setattr(Talk, "say", broken)
    with session([compiled(MACHINE)]) as interpreter:
        assert interpreter.answers("All _HID").evaluations["\\_SB.PC00._HID"].value == 0x080AD041


def test_a_table_that_the_interpreter_refuses_is_said() -> None:
    """One whose objects are there already: nothing that was to be asked would be answered."""
    table = asking_table(["\\_SB.PC00"]).table
    with session([compiled(MACHINE)]) as interpreter:
        interpreter.load(table)
        with pytest.raises(Unreadable, match="loads no table beside the machine's own"):
            interpreter.load(table)
