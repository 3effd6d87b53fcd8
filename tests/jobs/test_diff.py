"""`diff`: what changes for whoever runs a board, and nothing else."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.topologies.bundled import rootplex
from tests.topologies.test_readme import block

from rootplex.jobs.boards import Board, Item, boards_of
from rootplex.jobs.check import check_text
from rootplex.jobs.diff import diff
from rootplex.jobs.entries import acpi_entries, changed
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.validate import entries_of, validate_board
from rootplex.readers.acpi.header import read_table

GENERATED = Path(__file__).parents[2] / "generated"

BOARD = block("yaml").replace("    acpi: {segment: 2}", "    #")


def changes(*edits: tuple[str, str]) -> list[tuple[str, str, str | None, str | None]]:
    """What edits of the README's board change."""
    text = BOARD
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    one, other = (check_text(each.encode(), "x.yaml", RunOptions()) for each in (BOARD, text))
    return [(each.what, each.subject, each.before, each.after) for each in diff(one, other).changes]


def test_a_board_does_not_differ_from_itself_nor_by_a_comment() -> None:
    assert [] == changes()
    assert [] == changes(("rootplex: 1\n", "# moved by a line\nrootplex: 1\n"))


def test_a_segment_moves_and_with_it_every_address() -> None:
    assert [
        ("segment", "second", "0001", "0007"),
        ("address", "rp2", "0001:40:00.0", "0007:40:00.0"),
        ("address", "nic", "0001:41:00.0", "0007:41:00.0"),
    ] == changes(("segment: 1\n", "segment: 7\n"))


def test_a_port_without_acs_groups_what_is_below_it() -> None:
    """LNX-48; the guest's group then holds the port, which is said too (RPX0506)."""
    found = changes(
        ("{name: rp2, dev: 0, type: root-port,", "{name: rp2, dev: 0, type: root-port, acs: false,")
    )
    assert [("group", "rp2", "rp2", "nic, rp2"), ("group", "nic", "nic", "nic, rp2")] == found[:2]
    assert ["finding"] == [what for what, *_ in found[2:]]


def test_devices_that_come_and_go() -> None:
    """A device that only has another name is the same one."""
    renamed = (("{name: nic, dev: 0", "{name: card, dev: 0"), ("devices: [nic]", "devices: [card]"))
    assert [("guest", "router", "groups-whole: nic", "groups-whole: card")] == changes(*renamed)
    found = changes(*renamed, ("qemu:virtio-net-pci", "qemu:e1000e"))
    assert ("function", "nic", "0001:41:00.0, endpoint 1af4:1041", None) in found
    assert ("function", "card", None, "0001:41:00.0, endpoint 8086:10d3") in found


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A git checkout in which the board was committed and then changed."""
    (tmp_path / "board.yaml").write_text(BOARD)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["add", "board.yaml"], ["commit", "-q", "-m", "board"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    (tmp_path / "board.yaml").write_text(BOARD.replace("segment: 1\n", "segment: 7\n"))
    return tmp_path


def test_a_revision_beside_the_file(workplace: Path) -> None:
    done = rootplex("diff", "HEAD:board.yaml", "board.yaml", cwd=workplace)
    assert (1, "") == (done.returncode, done.stderr)
    assert [
        "two-segments (HEAD:board.yaml -> board.yaml): 3 changes",
        "  second moves from segment 0001 to 0007",
        "  rp2 moves from 0001:40:00.0 to 0007:40:00.0",
        "  nic moves from 0001:41:00.0 to 0007:41:00.0",
    ] == done.stdout.splitlines()
    assert 0 == rootplex("diff", "HEAD:board.yaml", "HEAD:./board.yaml", cwd=workplace).returncode


def test_json_and_markdown(workplace: Path) -> None:
    done = rootplex("diff", "HEAD:board.yaml", "board.yaml", "--format", "json", cwd=workplace)
    answer = json.loads(done.stdout)
    assert (False, [], "second moves from segment 0001 to 0007") == (
        answer["same"],
        answer["not_compared"],
        answer["changes"][0]["text"],
    )
    done = rootplex("diff", "HEAD:board.yaml", "board.yaml", "--format", "markdown", cwd=workplace)
    assert "- second moves from segment 0001 to 0007" in done.stdout.splitlines()


def test_a_description_and_its_own_tree_are_the_same_board(workplace: Path, checkout: Path) -> None:
    """The tree's bridge is matched by its configuration space; functions are in the description alone."""
    board = str(checkout / "topologies" / "qemu-virt.yaml")
    blob = str(checkout / "generated" / "qemu-virt" / "qemu-virt.dtb")
    done = rootplex("diff", board, blob, cwd=workplace)
    assert 0 == done.returncode
    assert "devices were not compared: one side does not know them\n" in done.stdout


@pytest.mark.parametrize(
    ("side", "said"),
    [
        (
            "HEAD:nothing.yaml",
            "HEAD:nothing.yaml: git says: fatal: path 'nothing.yaml' does not exist in 'HEAD'",
        ),
        ("v9:board.yaml", "v9:board.yaml: git says: fatal: invalid object name 'v9'."),
        ("nothing.yaml", "nothing.yaml: No such file or directory"),
        ("broken.yaml", "broken.yaml cannot be examined: the YAML does not parse: "),
    ],
)
def test_a_side_that_cannot_be_read(workplace: Path, side: str, said: str) -> None:
    (workplace / "broken.yaml").write_text("rootplex: [\n")
    done = rootplex("diff", "board.yaml", side, cwd=workplace)
    assert 2 == done.returncode
    assert done.stderr.startswith(f"rootplex: {said}")


def tables(*names: str | bytes) -> list[tuple[str, str, str | None, str | None]]:
    """What `diff` says of two single tables, or of two trees."""
    one, other = (Board((Item(f"{n}.aml", None, data),)) for n, data in enumerate(map(_bytes, names)))
    sides = [(validate_board(each), entries_of(each)) for each in (one, other)]
    found = diff(sides[0][0], sides[1][0], (sides[0][1], sides[1][1]))
    return [(each.what, each.subject, each.before, each.after) for each in found.changes]


def _bytes(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else (GENERATED / name).read_bytes()


def test_single_tables_are_compared_entry_by_entry() -> None:
    assert [] == tables("q35/mcfg.aml", "q35/mcfg.aml")
    ((what, subject, before, after),) = tables("juno-r2/mcfg.aml", "qemu-virt/mcfg.aml")
    assert ("entry", "MCFG") == (what, subject)
    assert "mcfg entry: base 0x40000000, segment 0x0, start bus 0x0, end bus 0xff, reserved 0x0" == before
    assert "base 0x4010000000" in str(after)


def test_a_structure_more_changes_only_what_is_its_own() -> None:
    """References are told by what they lead to: the other nodes' mappings are as they were."""
    one = tables("qemu-virt/iort.aml", "qemu-virt-three-segments/iort.aml")
    assert {"entry"} == {what for what, *_ in one}
    more = [after for _, _, before, after in one if before is None]
    assert 1 == len(
        [each for each in more if each and each.startswith("root complex: ") and "segment 0x1" in each]
    )
    assert not [each for each in more if each and each.startswith(("SMMU v3:", "ITS"))]


@pytest.mark.parametrize(("offset", "field"), [(36, "host address width"), (52, "flags"), (69, "start bus")])
def test_a_byte_of_a_dmar_is_its_entry(offset: int, field: str) -> None:
    data = bytearray(_bytes("q35/dmar.aml"))
    data[offset] ^= 0x10
    data[9] = (data[9] - sum(data)) & 0xFF
    ((_, subject, before, after),) = tables("q35/dmar.aml", bytes(data))
    assert "DMAR" == subject
    told = [str(each).split(": ", 1)[1].split(", ") for each in (before, after)]
    assert [field] == [each.rpartition(" ")[0] for each in told[0] if each not in told[1]]


@pytest.mark.parametrize(
    "name",
    ["qemu-virt-three-segments/iort.aml", "q35/dmar.aml", "q35-amd/ivrs.aml", "qemu-virtio-iommu/viot.aml"],
)
def test_no_byte_of_a_table_changes_in_silence(name: str) -> None:
    """Whether a field has it or not: that nothing changes is said of bytes that are the same."""
    whole = _bytes(name)
    before = acpi_entries([read_table(whole, name)])
    for at in range(36, len(whole)):
        data = bytearray(whole)
        data[at] ^= 0x10
        after = acpi_entries([read_table(bytes(data), name)])
        assert any(list(changed(before[key], after[key])) for key in before), at


def test_a_reserved_range_is_told_beside_another_change() -> None:
    """An RMR node by Arm DEN0049 §3.1.1.8: one stream of the SMMU, one range."""
    smmu = struct.pack("<5I", 0, 0, 0x10, 0x48, 1)

    def iort(size: int, segment: int) -> dict[tuple[str, str | None], tuple[str, ...]]:
        node = struct.pack("<BHBIII3I", 6, 68, 1, 3, 1, 28, 0, 1, 48) + smmu
        node += struct.pack("<QQI", 0x8000_0000, size, 0)
        data = bytearray(_bytes("qemu-virt/iort.aml")) + node
        (count,) = struct.unpack_from("<I", data, 36)
        (length,) = struct.unpack_from("<I", data, 4)
        struct.pack_into("<I", data, 36, count + 1)
        struct.pack_into("<I", data, 4, length + len(node))
        root = data.index(bytes([2]), 48)
        assert (2, 0) == (data[root], data[root + 28]), "a root complex of segment 0"
        data[root + 28] = segment
        return dict(acpi_entries([read_table(bytes(data), "x")]))

    before, after = iort(0x1_0000, 0), iort(0x2_0000, 1)
    told = [str(came) for _, came in changed(before["IORT", None], after["IORT", None])]
    assert [each for each in told if "base 0x80000000, size 0x20000" in each], told
    assert [each for each in told if "segment 0x1" in each], told


def test_tables_of_two_kinds_have_nothing_in_common() -> None:
    found = tables("q35/dmar.aml", "juno-r2/iort.aml")
    assert [("DMAR", None), ("IORT", "3 entries")] == [
        (subject, after) for what, subject, _, after in found if what == "table"
    ]


def test_a_trees_maps_are_compared_where_no_function_is_known() -> None:
    found = tables("qemu-virt/qemu-virt.dtb", "qemu-virt-three-segments/qemu-virt-three-segments.dtb")
    assert [("iommu-map of /pcie@4010000000", "0x10000 from 0x0 to 0x0 of /iommu@9050000")] == [
        (subject, before) for what, subject, before, _ in found if what == "entry" and "iommu" in subject
    ]
    assert not [subject for what, subject, *_ in found if what == "table"], "the new bridges are told"


def _with_a_group_first(iort: bytes) -> bytes:
    """IORT with one ITS group more before all nodes, and every reference moved (DEN0049 E.f §3)."""
    group = struct.pack("<BHBIIIII", 0, 24, 1, 99, 0, 0, 1, 7)
    count, start = struct.unpack_from("<II", iort, 36)
    data, at = bytearray(iort), start
    while at < len(iort):
        length, mappings, first = (
            struct.unpack_from(form, iort, at + place)[0]
            for form, place in (("<H", 1), ("<I", 8), ("<I", 12))
        )
        for number in range(mappings):
            place = at + first + 20 * number + 12
            struct.pack_into("<I", data, place, struct.unpack_from("<I", iort, place)[0] + len(group))
        at += length
    data[start:start] = group
    struct.pack_into("<I", data, 36, count + 1)
    struct.pack_into("<I", data, 4, len(data))
    return bytes(data)


def test_a_structure_before_all_others_moves_their_references_and_changes_nothing_of_them() -> None:
    name = "qemu-virt/iort.aml"
    one, other = (
        acpi_entries([read_table(data, name)]) for data in (_bytes(name), _with_a_group_first(_bytes(name)))
    )
    ((gone, came),) = changed(one["IORT", None], other["IORT", None])
    assert (None, "ITS group") == (gone, str(came).split(": ", 1)[0])


def test_entries_that_are_the_same_are_counted() -> None:
    assert [("a: 1", None)] == list(changed(("a: 1", "a: 1"), ("a: 1",)))
    assert [(None, "a: 1")] == list(changed(("a: 1",), ("a: 1", "a: 1")))


def test_configuration_space_that_moved_is_told_once(tmp_path: Path, program: Callable[[str], str]) -> None:
    """As the bridge's, where AML shows the bridge: MCFG's entry says nothing more."""
    program("acpiexec")
    results = []
    for name, base in (("one", 0xB000_0000), ("other", 0x8000_0000)):
        folder = tmp_path / name
        shutil.copytree(
            GENERATED / "q35", folder, ignore=lambda _, names: {n for n in names if n[-4:] != ".aml"}
        )
        data = bytearray((folder / "mcfg.aml").read_bytes())
        struct.pack_into("<Q", data, 44, base)
        data[9] = (data[9] - sum(data)) & 0xFF
        (folder / "mcfg.aml").write_bytes(data)
        (board,) = boards_of([str(folder)])
        results.append((validate_board(board), entries_of(board)))
    (one, before), (other, after) = results
    told = [each.what for each in diff(one, other, (before, after)).changes]
    assert "entry" not in told
    assert told
