"""What an editor is told about places: hover, completion, names, outline, what stands between the lines."""

from __future__ import annotations

import pytest
from lsprotocol import types
from tests.editor.open_documents import BOARD, at, check, opened

from rootplex.editor import answers
from rootplex.editor.document import Document
from rootplex.known.reader import class_names, names
from rootplex.source.schema import platform_schema

WHOLE = types.Range(types.Position(0, 0), types.Position(9999, 0))


@pytest.fixture(scope="module")
def board() -> Document:
    return opened()


def hover(document: Document, old: str, new: str) -> str:
    _, where = at(BOARD, old, new)
    found = answers.hover(document, where)
    if found is None:
        return ""
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


@pytest.mark.parametrize(
    ("old", "new", "definition", "key"),
    [
        ("segment: 1", "seg|ment: 1", "host_bridge", "segment"),
        ("segment: 1", "segment: |1", "host_bridge", "segment"),
        ("size: 64KiB", "si|ze: 64KiB", "window", "size"),
        ("arch: arm64", "ar|ch: arm64", "platform", "arch"),
        ("irqs: [3, 4", "ir|qs: [3, 4", "intx", "irqs"),
        ("isolated:", "iso|lated:", "expect", "isolated"),
    ],
)
def test_hover_shows_the_keys_own_text(
    board: Document, old: str, new: str, definition: str, key: str
) -> None:
    own = platform_schema()["definitions"][definition]["properties"][key]
    said = hover(board, old, new)
    assert said.startswith(f"**{own['title']}**: {own['description']}")


@pytest.mark.parametrize(
    ("old", "new"),
    [("{name: disk1", "{name: di|sk1"), ("[disk1]", "[disk1|]"), ('disk1: "', 'dis|k1: "')],
)
def test_hover_over_a_name_tells_what_came_of_it(board: Document, old: str, new: str) -> None:
    said = hover(board, old, new)
    assert said.startswith("**disk1** `0001:41:00.0` endpoint 1b36:0010")  # expect.addresses, as booted
    for fact in ("StreamID 0x4100 at smmu", "DeviceID 0x4100 at its", "given to guest storage", ": alone"):
        assert fact in said
    assert "0001:40:00.0 is a root port with ACS" in said


def test_hover_over_a_bridge_and_over_what_no_file_describes(board: Document) -> None:
    assert "segment by DT 0001, MCFG 0001, _SEG 0001" in hover(board, "name: second", "name: sec|ond")
    assert "**smmu** translates 9 functions" in hover(board, "unit: smmu", "unit: sm|mu")


def test_hover_over_a_model_and_a_code(board: Document) -> None:
    assert "QEMU's NVMe disk" in hover(board, '"qemu:nvme"', '"qemu:n|vme"')
    text, where = at(BOARD, "  isolated:", "  findings: [RPX0|202]\n  isolated:")
    found = answers.hover(opened(text), where)
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert "**RPX0202** segment-taken-twice" in found.contents.value


def test_a_text_that_does_not_parse_still_tells_of_names() -> None:
    document = opened()
    check(document, BOARD + "\n  - [")
    assert ["RPX0001"] == [each.code for each in document.findings]
    assert "0001:41:00.0" in hover(document, "{name: disk1", "{name: di|sk1")
    assert 3 == len(answers.lenses(document))
    check(document, BOARD)
    assert () == document.findings


def completed(text: str, where: types.Position) -> dict[str, str]:
    document = opened()
    document.becomes(text, 2)
    items = answers.completion(document, where)
    found = {}
    for each in items:
        assert isinstance(each.text_edit, types.TextEdit)
        found[each.label] = each.text_edit.new_text
    return found


DISKS = {"disk0", "disk1", "disk2"}


@pytest.mark.parametrize(
    ("old", "new", "offered", "kept_back"),
    [
        ("    segment: 1\n", "    seg|\n", {"segment"}, {"name", "bus_range"}),
        ("    segment: 1\n", "    |\n", {"segment", "acpi"}, {"name"}),
        ("    segment: 1\n", "    acpi:\n      |\n", {"uid", "mcfg"}, {"segments", "devices"}),
        ("    segment: 1\n", "    segment: 1\n    dma_windows:\n      - {|\n", {"pci", "size"}, {"space"}),
        ("{controller: its}", "{|}", {"controller", "map"}, {"irqs"}),
        ("{controller: its}", "{controller: |}", {"its"}, {"gic", "smmu", "disk0"}),
        ("{controller: gic,", "{controller: |,", {"gic"}, {"its", "smmu"}),
        ("{unit: smmu}", "{unit: s|", {"smmu"}, {"its", "gic"}),
        ("[disk1]", "[d|]", DISKS, {"main", "its"}),
        ("[disk1]", "[disk1, |", DISKS, {"main", "its"}),
        ("isolated: [disk0, disk1, disk2]", "isolated:\n    - |", DISKS, {"main"}),
        ("{main: 0, second: 1, third: 2}", "{main: 0, s|}", {"second", "third"}, {"main", "disk0"}),
        ('disk1: "0001:41:00.0"', "di|", {"disk1"}, {"main", "disk2"}),
        ("third: 2}", "third: 2}\n  groups: [[disk0], [|]]", DISKS, {"main"}),
        ('"qemu:nvme"', '"qemu:n|"', set(names()), set()),
        ("slot: 1", "class: |", set(class_names()), {"disk0"}),
        ("slot: 1", "type: |", {"root-port", "pci"}, {"disk0"}),
        ("slot: 1", "hotplug: |", {"true", "false"}, {"yes"}),
        ("boot: {device: disk0}", "boot: {device: |}", DISKS, {"main"}),
        ("boot: {device: disk0}", "boot: {device: disk0, placement: |}", {"mcfg", "any"}, {"disk0"}),
        ("  segments:", "  findings: [RPX|]\n  segments:", {"RPX0202", "RPX0001"}, {"RPX9999"}),
        ("boot: {device: disk0}", "suppress:\n  - {code: |}", {"RPX0202"}, set()),
        ("boot: {device: disk0}", "iommus:\n  - {kind: arm-smmu-v3, |}", {"interrupts"}, {"segment"}),
        ("boot: {device: disk0}", "bo|", {"boot", "memory"}, {"platform", "xen"}),
        ("arch: arm64", "arch: |", {"arm64", "riscv64"}, set()),
    ],
)  # fmt: skip
def test_completion(old: str, new: str, offered: set[str], kept_back: set[str]) -> None:
    found = completed(*at(BOARD, old, new))
    assert offered <= found.keys()
    assert not kept_back & found.keys()


def test_completion_of_a_fresh_file_and_of_somebody_elses() -> None:
    fresh = Document("file:///x.yaml", "/x.yaml", opened().codec)
    fresh.becomes("ro", 1)
    assert fresh.may_be_ours
    assert {"rootplex", "platform"} <= {
        each.label for each in answers.completion(fresh, types.Position(0, 2))
    }
    fresh.becomes("services:\n  web: {image: nginx}\n", 2)
    assert not fresh.may_be_ours


def test_what_is_written_for_a_key_and_inside_quotes() -> None:
    assert "segment: " == completed(*at(BOARD, "    segment: 1\n", "    seg|\n"))["segment"]
    assert "segment" == completed(*at(BOARD, "    segment: 1\n", "    seg|: 1\n"))["segment"]
    assert "qemu:nvme" == completed(*at(BOARD, '"qemu:nvme"', '"q|"'))["qemu:nvme"]
    assert '"qemu:nvme"' == completed(*at(BOARD, '"qemu:nvme"', "q|"))["qemu:nvme"]


def test_no_place_in_a_text_or_in_its_beginning_stops_an_answer() -> None:
    document = opened()
    for end in range(0, len(BOARD), 211):
        document.becomes(BOARD[:end], 2)
        lines = BOARD[:end].split("\n")
        where = types.Position(len(lines) - 1, len(lines[-1]))
        answers.completion(document, where)
        answers.hover(document, where)
        answers.hints(document, WHOLE)
    answers.hover(document, types.Position(99999, 99999))


@pytest.mark.parametrize(
    ("old", "new", "given", "uses"),
    [
        ("[disk1]", "[di|sk1]", "{name: |disk1", 3),
        ("name: second", "name: sec|ond", "- name: |second", 1),
        ("{main: 0, second", "{main: 0, sec|ond", "- name: |second", 1),
        ("boot: {device: disk0", "boot: {device: di|sk0", "{name: |disk0", 3),
    ],
)
def test_definition_and_references(board: Document, old: str, new: str, given: str, uses: int) -> None:
    _, where = at(BOARD, old, new)
    _, expected = at(BOARD, given.replace("|", ""), given)
    assert [expected] == [each.range.start for each in answers.definition(board, where)]
    assert uses == len(answers.references(board, where, declaration=False))
    assert uses + 1 == len(answers.references(board, where, declaration=True))


def test_what_the_base_machine_brings_has_uses_and_no_place(board: Document) -> None:
    _, where = at(BOARD, "unit: smmu", "unit: sm|mu")
    assert [] == answers.definition(board, where)
    assert 3 == len(answers.references(board, where, declaration=True))


def test_outline(board: Document) -> None:
    main, second, third = answers.outline(board)
    assert ["root", "pxb1", "pxb2", "rp0"] == [each.name for each in main.children or ()]
    assert "segment 1" == second.detail
    (port,) = third.children or ()
    assert ["0002:81:00.0"] == [each.detail for each in port.children or ()]
    assert main.range.start.line < main.selection_range.start.line + 1 <= main.range.end.line


def test_a_bridges_numbers_stand_over_it(board: Document) -> None:
    said = {each.range.start.line + 1: each.command and each.command.title for each in answers.lenses(board)}
    line = BOARD[: BOARD.index("name: second")].count("\n") + 1
    assert "segment 0001 · buses 40-7f · 2 functions, 2 groups" == said[line]


def test_sources_that_disagree_stand_over_the_bridge() -> None:
    document = opened(BOARD.replace("    segment: 1\n", "    segment: 1\n    acpi: {segment: 5}\n"))
    title = answers.lenses(document)[1].command
    assert title is not None
    assert title.title.startswith("DT 0001, MCFG 0005, _SEG 0005")


def test_an_sbdf_stands_behind_each_name(board: Document) -> None:
    found = {str(each.label): each.position for each in answers.hints(board, WHOLE)}
    assert 9 == len(found)
    _, behind = at(BOARD, "{name: disk2", "{name: disk2|")
    assert behind == found["0002:81:00.0"]
    assert [] == answers.hints(board, types.Range(types.Position(0, 0), types.Position(5, 0)))


def test_columns_are_the_clients() -> None:
    """UTF-16 units, where the client says nothing else: a sign beyond the first plane is two of them."""
    text = BOARD.replace("isolated: [disk0,", 'isolated: ["😀", disk0,')
    document = opened(text)
    row = text[: text.index("isolated:")].count("\n")
    _, where = at(BOARD, "isolated: [disk0", "isolated: [|disk0")
    shifted = types.Position(row, where.character + len('"😀", ') + 1)
    (given,) = answers.definition(document, types.Position(shifted.line, shifted.character + 1))
    assert BOARD[: BOARD.index("name: disk0")].count("\n") == given.range.start.line
    assert shifted in [each.range.start for each in answers.references(document, shifted, declaration=False)]


def test_virtual_functions_have_names() -> None:
    text = """rootplex: 1
platform: {name: vfs, arch: arm64, base: qemu-virt}
host_bridges:
  - name: main
    config: {base: 0x40_1000_0000}
    windows: [{space: mem64, pci: 0x80_0000_0000, size: 64GiB}]
    msi: {controller: its}
    iommu: {unit: smmu}
    devices:
      - name: rp
        dev: 1
        type: root-port
        acs: true
        devices: [{name: nic, dev: 0, ari: true, sriov: {total: 2, offset: 1, stride: 1, enabled: 2}}]
xen: {guests: [{name: one, devices: [nic.vf0]}]}
"""
    document = opened(text)
    where = types.Position(
        text[: text.index("nic.vf0")].count("\n"), len("xen: {guests: [{name: one, devices: [nic")
    )
    assert {"nic", "nic.vf0", "nic.vf1"} <= {each.label for each in answers.completion(document, where)}
    (given,) = answers.definition(document, where)
    assert text[: text.index("name: nic")].count("\n") == given.range.start.line
    told = answers.hover(document, where)
    assert told is not None
    assert isinstance(told.contents, types.MarkupContent)
    assert told.contents.value.startswith("**nic.vf0** `0000:01:00.1`")
