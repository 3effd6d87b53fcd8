"""Each finding whose help says what to write: written, it is gone, and the description is as it was meant."""

from __future__ import annotations

import pytest
from lsprotocol import types
from tests.editor.open_documents import BOARD, CHECKOUT, check, opened

from rootplex.editor.diagnostics import diagnostics, quick_fixes
from rootplex.editor.document import Document

WHOLE = types.Range(types.Position(0, 0), types.Position(9999, 0))
Q35 = (CHECKOUT / "topologies" / "q35.yaml").read_text(encoding="utf-8")
TWO = Q35.replace("bus_range: [0, 0xff]", "bus_range: [0, 0x3f]").replace(
    "\nboot:",
    """
  - name: two
    segment: 0
    bus_range: [0x20, 0x5f]
    config: {base: 0xb200_0000}
    windows: [{space: mem32, pci: 0xa000_0000, size: 0x100_0000}]
boot:""",
)


def page(code: str) -> str:
    return f"file:///{code}.md"


def applied(text: str, edit: types.TextEdit) -> str:
    """The text after an edit; columns are those of plain text here."""
    lines = text.split("\n")
    start, end = edit.range.start, edit.range.end
    before = "\n".join([*lines[: start.line], lines[start.line][: start.character]])
    return before + edit.new_text + "\n".join([lines[end.line][end.character :], *lines[end.line + 1 :]])


def offered(document: Document) -> list[tuple[str, types.TextEdit]]:
    found = []
    for action in quick_fixes(document, WHOLE, page):
        assert action.edit is not None
        assert action.edit.changes is not None
        ((edit,),) = action.edit.changes.values()
        assert isinstance(edit, types.TextEdit)
        found.append((action.title, edit))
    return found


@pytest.mark.parametrize(
    ("code", "text", "title"),
    [
        ("RPX0003", BOARD.replace("segment: 1", "segmnt: 1"), "write 'segment'"),
        ("RPX0003", BOARD.replace("{device: disk0}", "{devce: disk0}"), "write 'device'"),
        ("RPX0004", BOARD.replace(", size: 64KiB", ""), "write 'size: 256MiB'"),
        ("RPX0004", BOARD.replace("config: {base: 0x40_1400_0000}", "config:\n      kind: cam"),
         "write 'base: 0x40_1000_0000'"),
        ("RPX0005", BOARD.replace("swizzle: false", "swizzle: no", 1), "write 'false'"),
        ("RPX0006", BOARD.replace("size: 128GiB", "size: 128G", 1), "write '128GiB'"),
        ("RPX0006", BOARD.replace("arch: arm64", "arch: aarch64"), "write 'arm64'"),
        ("RPX0006", BOARD.replace("slot: 1", "class: ethernt"), "write 'ethernet'"),
        ("RPX0006", BOARD.replace("slot: 1", "slot: 010"), "write '10'"),
        ("RPX0007", BOARD.replace("[disk1]", "[dsk1]"), "write 'disk1'"),
        ("RPX0007", BOARD.replace('disk1: "', 'dsk1: "'), "write 'disk1'"),
        ("RPX0007", BOARD.replace("second: 1", "secnd: 1"), "write 'second'"),
        ("RPX0007", BOARD.replace("unit: smmu", "unit: smu", 1), "write 'smmu'"),
        ("RPX0007", BOARD.replace('"qemu:nvme"', '"qemu:nvm"', 1), "write '\"qemu:nvme\"'"),
        ("RPX0023", BOARD.replace("[0x40, 0x7f]", "[0x7f, 0x40]"), "write '[0x40, 0x7f]'"),
        ("RPX0004", BOARD.replace("{name: disk1, dev: 0,", "{name: disk1,"), "write 'dev: 0'"),
        ("RPX0022", BOARD.replace("slot: 1", "bars: [{index: 0, space: io, size: 5}]"), "write '0x8'"),
        ("RPX0305", BOARD.replace("{name: disk1, dev: 0", "{name: disk1, dev: 1"), "write '0'"),
        ("RPX0042", BOARD.replace('"0001:41:00.0"', '"0001:42:00.0"'), "write '\"0001:41:00.0\"'"),
        ("RPX0042", BOARD.replace("second: 1", "second: 7"), "write '1'"),
        ("RPX0201", BOARD.replace("    segment: 1\n", ""), "write 'segment: 1'"),
        ("RPX0202", BOARD.replace("segment: 1", "segment: 2"), "write '1'"),
        ("RPX0202", BOARD.replace("segment: 1", "acpi: {segment: 0}\n    dt: {segment: 0}"), "write '1'"),
        ("RPX0733", TWO, "write '[0x40, 0x7f]'"),
        ("RPX0733", TWO.replace("    bus_range: [0x20, 0x5f]\n", ""), "write 'bus_range: [0x40, 0xff]'"),
    ],
)  # fmt: skip
def test_written_it_is_gone(code: str, text: str, title: str) -> None:
    document = opened(text)
    before = [each.code for each in document.findings]
    assert code in before
    fixes = dict(offered(document))
    assert title in fixes
    check(document, applied(text, fixes[title]))
    after = [each.code for each in document.findings]
    assert after.count(code) < before.count(code)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{name: disk1, dev: 0,", "{name: disk1,"),
        ("slot: 1", "bars: [{index: 0, space: mem32}]"),
    ],
)
def test_a_missing_key_is_one_finding(old: str, new: str) -> None:
    """What stands for it in the model, 0, is not judged."""
    assert ["RPX0004"] == [each.code for each in opened(BOARD.replace(old, new, 1)).findings]


def test_where_nothing_is_to_be_written_nothing_is_offered() -> None:
    assert [] == offered(opened())
    document = opened(BOARD.replace("unit: smmu", "unit: smu", 1))
    line = document.range(document.findings[0].at).start.line
    elsewhere = types.Range(types.Position(line + 1, 0), types.Position(line + 1, 5))
    assert [] == list(quick_fixes(document, elsewhere, page))


def test_no_fix_of_an_earlier_text_is_offered() -> None:
    """Its places are not this text's."""
    document = opened(BOARD.replace("unit: smmu", "unit: smu", 1))
    assert ["write 'smmu'"] == [title for title, _ in offered(document)]
    document.becomes("# a line more\n" + document.text, 9)
    assert [] == offered(document)


def test_a_finding_is_shown_with_its_level_place_page_and_other_places() -> None:
    document = opened(BOARD.replace("segment: 1", "segment: 2"))
    found = diagnostics(document, page)[0]
    row = BOARD[: BOARD.index("segment: 2")].count("\n")
    assert ("RPX0202", types.DiagnosticSeverity.Error, row) == (
        found.code,
        found.severity,
        found.range.start.line,
    )
    assert found.code_description is not None
    assert "file:///RPX0202.md" == found.code_description.href
    (other,) = found.related_information or ()
    assert ("'second' has it, too", "file:///case.yaml") == (other.message, other.location.uri)
    message = str(found.message).split("\n")
    assert "'third' and 'second' are both segment 2" == message[0]
    assert "help: give each host bridge a number of its own: 1 is free" == message[-1]


def test_an_expected_finding_is_a_hint() -> None:
    text = (CHECKOUT / "topologies" / "juno-r2.yaml").read_text(encoding="utf-8")
    assert {types.DiagnosticSeverity.Hint} == {each.severity for each in diagnostics(opened(text), page)}
