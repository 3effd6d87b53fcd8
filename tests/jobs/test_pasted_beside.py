"""What was pasted beside a snapshot or a board's firmware: joined, and held against what is computed."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.capture.pasted.machines import FOLDER, kernels_groups, sections
from tests.checks.golden import hold

from rootplex.capture.pasted.reading import read_paste
from rootplex.checks.facts import Facts
from rootplex.cli import main
from rootplex.formats.devicetree import MapCells
from rootplex.frontends.pasted.machine import machine_of_pastes
from rootplex.jobs.boards import boards_of, read_together
from rootplex.jobs.importing import description_text, import_sources
from rootplex.jobs.pasted import beside
from rootplex.jobs.pasted.simulation import simulate_pastes
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import kind_of
from rootplex.jobs.validate import simulated_together, validate_board
from rootplex.readers.acpi.aml_facts import Namespace
from rootplex.readers.dtb import read_dtb
from rootplex.simulator.firmware.facts import AcpiFirmware, dt_firmware

RECORDED = Path(__file__).parents[1] / "capture" / "recorded" / "x86-acpi-6.1.txt"
SNAPSHOT = RECORDED.read_text()
LOG = "\n".join(
    re.sub(r"^\d+/\d+ message (\d+\.\d+) ", r"[    \1] ", line)
    for line in SNAPSHOT.splitlines()
    if re.match(r"\d+/\d+ message ", line)
)
"""The messages that the snapshot holds, as `dmesg` prints them."""
TREE = (FOLDER / "arm-7.2.dts").read_text()


def validated(place: Path, **texts: str) -> Result:
    """Of files in one folder; `_` in a name stands for the dot."""
    for name, text in texts.items():
        (place / name.replace("_", ".")).write_text(text)
    (board,) = boards_of([str(place)])
    assert len(texts) == len(board.items)
    return validate_board(board)


def codes(result: Result) -> set[str]:
    return {each.code for each in result.findings}


def test_a_snapshot_and_its_own_log_agree(tmp_path: Path) -> None:
    alone = validated(tmp_path, snapshot_txt=SNAPSHOT)
    both = validated(tmp_path, snapshot_txt=SNAPSHOT, dmesg_txt=LOG)
    assert (alone.verdict, alone.findings, alone.machine) == (both.verdict, both.findings, both.machine)
    assert "linux-6.1" == both.dom0


def test_a_log_with_another_window_and_a_bar_without_place(tmp_path: Path) -> None:
    log = LOG.replace("mem 0x40000000-0xafffffff", "mem 0x50000000-0xafffffff")
    assert log != LOG
    log += "\n[    2.000000] pci 0000:01:00.0: BAR 0 [mem size 0x00004000 64bit]: failed to assign\n"
    assert {"RPX0037", "RPX0038"} == codes(validated(tmp_path, snapshot_txt=SNAPSHOT, dmesg_txt=log))


def test_a_list_of_another_partition_is_found_once(tmp_path: Path) -> None:
    listed = "IOMMU Group 2 00:02.1\nIOMMU Group 2 02:00.0\nIOMMU Group 2 03:01.0\nIOMMU Group 6 01:00.0\n"
    (found,) = validated(tmp_path, snapshot_txt=SNAPSHOT, list_txt=listed).findings
    assert ("RPX0036", "0000:00:02.1") == (found.code, found.subject)


def test_texts_of_two_machines(tmp_path: Path) -> None:
    log = LOG.replace("0000:00:05.0: [8086:10d3]", "0000:00:05.0: [8086:1533]")
    result = validated(tmp_path, snapshot_txt=SNAPSHOT, dmesg_txt=log)
    hold(result.findings)
    (found,) = result.findings
    assert ("RPX0039", "dmesg.txt", "0000:00:05.0") == (found.code, Path(found.at.file).name, found.subject)


def test_so_are_two_pastes(tmp_path: Path) -> None:
    told = sections("desktop-6.1")
    log = told["dmesg"].replace("[8086:10d3]", "[8086:1533]")
    assert log != told["dmesg"]
    assert set() == codes(validated(tmp_path, a_txt=told["lspci -nnvvv"], b_txt=told["dmesg"]))
    assert {"RPX0039"} == codes(validated(tmp_path, a_txt=told["lspci -nnvvv"], b_txt=log))


def test_an_archive_of_both_is_one_machine_for_every_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "snapshot.txt").write_text(SNAPSHOT)
    (tmp_path / "dmesg.txt").write_text(LOG)
    archive = tmp_path / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name in ("snapshot.txt", "dmesg.txt"):
            file.add(tmp_path / name, name)
    for command in ("validate", "groups", "import"):
        assert 0 == main([command, str(archive)]), capfd.readouterr()
        assert "2 boards" not in capfd.readouterr().out


def test_a_tree_with_what_was_pasted_is_imported_with_its_functions(tmp_path: Path) -> None:
    """The description's groups, checked, are the kernel's."""
    (tmp_path / "board.dts").write_text(TREE)
    for name, command in (("lspci.txt", "raw"), ("dmesg.txt", "dmesg")):
        (tmp_path / name).write_text(sections("arm-7.2")[command])
    paths = [str(tmp_path / name) for name in ("board.dts", "lspci.txt", "dmesg.txt")]
    sources = read_together(paths, {}, RunOptions().trees)
    text = description_text(import_sources(sources))
    assert "with the functions that were pasted in lspci.txt and dmesg.txt" in text.partition("\n")[0]
    assert "bars: [{index: 0, space: mem32, size: 4KiB}]" in text
    together = simulated_together(sources)
    assert together is not None
    found = {frozenset(each.sbdf for each in group.members) for group in together.groups.linux}
    assert kernels_groups("arm-7.2") == found
    assert () == together.assumed, "the tree has the IOMMU"
    alone = simulate_pastes([each.paste for each in sources if each.paste is not None], RunOptions())
    assert alone is not None


def test_tables_with_a_log_in_their_folder_are_one_board(tmp_path: Path, checkout: Path) -> None:
    for name in ("mcfg.aml", "dsdt.aml", "ssdt.aml", "dmar.aml"):
        (tmp_path / name).write_bytes((checkout / "generated" / "q35" / name).read_bytes())
    (tmp_path / "dmesg.txt").write_text(LOG)
    (board,) = boards_of([str(tmp_path)])
    assert ["acpi", "paste"] == [item.kind for item in board.items]


def test_a_list_is_no_table_whatever_its_first_word(tmp_path: Path) -> None:
    """`IOMM` is a signature's form, and what follows it would be its length."""
    text = b"IOMMU Group 0 00:00.0 Host bridge [0600]: A [8086:0c00]\n" * 3
    assert "paste" == kind_of(text, whole=False) == kind_of(text)


def test_two_firmwares_are_not_imported_together(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "board.dts").write_text(TREE)
    (tmp_path / "snapshot.txt").write_text(SNAPSHOT)
    assert 2 == main(["import", str(tmp_path / "board.dts"), str(tmp_path / "snapshot.txt")])
    assert "a description is made of one firmware, or one snapshot" in capfd.readouterr().out


def test_two_machines_are_not_one_because_of_a_paste(tmp_path: Path) -> None:
    """Whichever came first would count, and the other not at all."""
    log = tmp_path / "l.txt"
    log.write_text(sections("arm-7.2")["dmesg"])
    for name in ("a", "b"):
        (tmp_path / f"{name}.dts").write_text(TREE)
    snapshot = str(RECORDED)
    for firmware in ([str(tmp_path / "a.dts"), str(tmp_path / "b.dts")], [snapshot, str(tmp_path / "a.dts")]):
        assert 2 == main(["groups", *firmware, str(log)])


@pytest.mark.parametrize(
    ("line", "firmware"),
    [("ACPI: RSDP 0x0000000138430018 000024", "acpi"), ("Machine model: A", "dt"), ("x", "dt")],
)
def test_of_two_firmwares_the_kernel_booted_by_the_one_that_its_log_tells(line: str, firmware: str) -> None:
    blob = (Path(__file__).parents[2] / "generated/qemu-virt/qemu-virt.dtb").read_bytes()
    dt = dt_firmware(read_dtb(blob, "x.dtb"), MapCells.TARGET)
    facts = Facts(dt=dt, acpi=AcpiFirmware(tables=(), namespace=Namespace("x", (), (), ())))
    text = f"[    0.0] {line}\n[    1.0] pci 0000:00:01.0: [8086:1533] type 00 class 0x020000\n"
    assert firmware == beside._firmware(machine_of_pastes([read_paste(text, "x")]), facts)


def test_a_root_bus_is_the_host_bridge_whose_node_the_log_names() -> None:
    """Linux numbers domains as the bridges come up: not as they stand in the tree."""
    text = "".join(
        f"[    1.0] pci-host-generic {name}.pcie: {line}\n"
        for name, number in (("1", "0001"), ("2", "0000"))
        for line in (f"host bridge /pcie@{name} ranges:", f"PCI host bridge to bus {number}:00")
    )
    machine = machine_of_pastes([read_paste(text, "x")])
    base, described = SimpleNamespace(bridges=("/pcie@1", "/pcie@2")), SimpleNamespace(host_bridges=())
    found = [beside._index(root, machine, base, described) for root in ((0, 0), (1, 0))]  # type: ignore[arg-type]
    assert [1, 0] == found
