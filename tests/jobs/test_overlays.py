"""Overlays on a device tree, and sources that include others, in every command that reads them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import rootplex
from rootplex.cli import main
from rootplex.fleet.work import with_bytes
from rootplex.formats.devicetree import MapCells
from rootplex.jobs.boards import Board, Item, boards_of, with_trees
from rootplex.jobs.importing import import_source
from rootplex.jobs.result import Result
from rootplex.jobs.sources import Source, Trees, files_of, read_source
from rootplex.jobs.validate import validate_board
from rootplex.readers.dtb import read_dtb
from rootplex.readers.hostbridge import pci_host_bridges
from rootplex.source.finding import Unreadable
from rootplex.source.place import DtPlace

pytestmark = pytest.mark.skipif(shutil.which("fdtoverlay") is None, reason="needs dtc")

BASE = """/dts-v1/;
#include "board.dtsi"
"""
BOARD = """/ {
	#address-cells = <2>;
	#size-cells = <2>;
	compatible = "test,board";
	pcie0: pcie@10000000 {
		compatible = "pci-host-ecam-generic";
		device_type = "pci";
		#address-cells = <3>;
		#size-cells = <2>;
		reg = <0x40 0x10000000 0 0x10000000>;
		bus-range = <0 255>;
		ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x2eff0000>;
		linux,pci-domain = <0>;
	};
};
"""
BUSES = "/dts-v1/;\n/plugin/;\n&pcie0 { bus-range = <0 300>; };\n"
SECOND = """/dts-v1/;
/plugin/;
&{/} {
	pcie1: pcie@50000000 {
		compatible = "pci-host-ecam-generic";
		device_type = "pci";
		reg = <0x50 0 0 0x10000000>;
		bus-range = <0 300>;
		linux,pci-domain = <1>;
	};
};
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base as source and as blob, and overlays in both forms."""
    monkeypatch.chdir(tmp_path)
    texts = {"base.dts": BASE, "board.dtsi": BOARD, "buses.dtso": BUSES, "second.dtso": SECOND}
    for name, text in texts.items():
        Path(name).write_text(text)
    Path("whole.dts").write_text(f"/dts-v1/;\n{BOARD}")
    for source, blob in (
        ("whole.dts", "base.dtb"),
        ("buses.dtso", "buses.dtbo"),
        ("second.dtso", "second.dtbo"),
    ):
        argv = ["dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-o", blob, source]
        subprocess.run(argv, check=True, capture_output=True)
    return tmp_path


def validated(base: str, *overlays: str, folders: tuple[str, ...] = (".",)) -> Result:
    trees = Trees(folders, tuple((name, Path(name).read_bytes()) for name in overlays))
    (board,) = with_trees(boards_of([base]), trees)
    result = validate_board(board)
    if not result.unreadable:
        assert validate_board(with_bytes(board)) == result, "it is otherwise where it is sent"
    return result


def read(base: str, *overlays: str) -> Source:
    trees = Trees((".",), tuple((name, Path(name).read_bytes()) for name in overlays))
    return read_source(Path(base), base, trees)


@pytest.mark.parametrize("base", ["base.dtb", "base.dts"])
@pytest.mark.parametrize("form", ["dtbo", "dtso"])
def test_a_finding_names_the_overlay_that_is_to_blame(place: Path, base: str, form: str) -> None:
    assert "RPX0210" not in {each.code for each in validated(base).findings}
    result = validated(base, f"buses.{form}", f"second.{form}")
    places = [each.at for each in result.findings if each.code == "RPX0210"]
    assert places == [
        DtPlace(f"buses.{form}", "/pcie@10000000", "bus-range"),
        DtPlace(f"second.{form}", "/pcie@50000000", "bus-range"),
    ]
    missing = {each.at.file for each in result.findings if each.code == "RPX0614"}
    assert missing == {base, f"second.{form}"}
    assert result.sides is not None
    assert result.sides.files == (base, f"buses.{form}", f"second.{form}")


def test_the_tree_is_the_one_that_fdtoverlay_makes(place: Path) -> None:
    argv = ["fdtoverlay", "-i", "base.dtb", "-o", "out.dtb", "buses.dtbo", "second.dtbo"]
    subprocess.run(argv, check=True, capture_output=True)
    wanted = read_dtb(Path("out.dtb").read_bytes(), "x")
    tree = read("base.dtb", "buses.dtbo", "second.dtbo").tree
    assert tree is not None
    assert {path: node.properties for path, node in tree.by_path.items()} == {
        path: node.properties for path, node in wanted.by_path.items()
    }


def test_what_is_imported_names_every_file(place: Path) -> None:
    sound = "/dts-v1/;\n/plugin/;\n&pcie0 { bus-range = <0 15>; };\n"
    Path("sound.dtso").write_text(sound)
    described = import_source(read("base.dtb", "sound.dtso", "second.dtbo"))
    assert described.document.comment is not None
    assert "the device tree base.dtb with sound.dtso, second.dtbo applied to it" in described.document.comment


def test_the_last_overlay_has_it(place: Path) -> None:
    Path("again.dtso").write_text("/dts-v1/;\n/plugin/;\n&pcie1 { bus-range = <0 200>; };\n")
    source = read("base.dts", "second.dtso", "again.dtso")
    at = DtPlace("base.dts", "/pcie@50000000", "bus-range", 1)
    assert source.told(at) == DtPlace("again.dtso", "/pcie@50000000", "bus-range", 1)
    assert source.told(DtPlace("base.dts", "/pcie@50000000", "reg")).file == "second.dtso"
    assert source.told(DtPlace("base.dts", "/pcie@50000000", "msi-map")).file == "second.dtso"
    assert source.told(DtPlace("base.dts", "/pcie@10000000", "reg")).file == "base.dts"


@pytest.mark.parametrize(
    ("base", "overlay", "at", "said"),
    [
        ("base.dtb", "none", "x.dtso: /__fixups__:none", "the base has no label none"),
        ("plain.dtb", "pcie0", "x.dtso: /__fixups__:pcie0", "the base tells no labels, and pcie0 is one"),
        ("base.dtb", "{/soc}", "x.dtso: /fragment@0:target-path", "the base has no node /soc"),
    ],
)
def test_what_cannot_be_applied_is_told_in_the_overlay(
    place: Path, base: str, overlay: str, at: str, said: str
) -> None:
    subprocess.run(["dtc", "-q", "-o", "plain.dtb", "-O", "dtb", "whole.dts"], check=True)
    Path("x.dtso").write_text(f"/dts-v1/;\n/plugin/;\n&{overlay} {{ a; }};\n")
    (finding,) = validated(base, "x.dtso").findings
    assert finding.message.startswith(said)
    assert str(finding.at).startswith(at)


def test_a_damaged_overlay_is_refused(place: Path) -> None:
    whole = Path("buses.dtbo").read_bytes()
    for number, data in enumerate((whole[:100], b"", b"x" * 100, Path("base.dtb").read_bytes())):
        Path("x.dtbo").write_bytes(data)
        result = validated("base.dtb", "x.dtbo")
        (finding,) = result.findings
        assert result.unreadable
        assert finding.at.file == "x.dtbo", number
    assert finding.message == "not an overlay: no node of it has a node __overlay__"


def test_an_overlay_alone_is_no_board(place: Path) -> None:
    (finding,) = validated("buses.dtbo").findings
    assert finding.message == "a device tree overlay is no board by itself"


def test_there_is_one_tree_to_apply_to(place: Path) -> None:
    trees = Trees((), (("buses.dtbo", Path("buses.dtbo").read_bytes()),))
    for paths in (["base.dtb", "whole.dts"], []):
        with pytest.raises(Unreadable, match=f"one device tree, and these are {len(paths)}"):
            with_trees(tuple(Board((Item(path, "dtb"),)) for path in paths), trees)


def test_an_overlay_may_include_too(place: Path) -> None:
    Path("last.h").write_text("#define LAST 300\n")
    Path("x.dtso").write_text('/dts-v1/;\n/plugin/;\n#include "last.h"\n&pcie0 { bus-range = <0 LAST>; };\n')
    codes = {each.code: each.at for each in validated("base.dtb", "x.dtso").findings}
    assert codes["RPX0210"].file == "x.dtso"
    (finding,) = validated("base.dtb", "x.dtso", folders=()).findings
    assert "it has #include" in finding.message


@pytest.mark.parametrize(
    "command",
    [
        ["validate", "base.dts", "--format", "json"],
        ["validate", "base.dts", "--format", "jsonl"],
        ["validate", "-j", "2", "base.dts", "--format", "json"],
        ["import", "base.dts"],
        ["report", "base.dts"],
        ["diff", "base.dtb", "base.dts", "--format", "json"],
    ],
    ids=" ".join,
)
def test_every_command_takes_them(place: Path, command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "-I", ".", "--overlay", "second.dtbo"]) in (0, 1)
    assert "pcie@50000000" in capfd.readouterr().out
    main(command)
    assert "it has #include" in "".join(capfd.readouterr())


@pytest.mark.parametrize("command", [["groups", "base.dts"], ["explain", "0000:00:00.0", "base.dts"]])
def test_what_has_no_functions_has_none_with_includes(
    place: Path, command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "-I", "."]) == 2
    assert "no function is known by device tree source alone" in capfd.readouterr().err


def test_results_are_gone_on_with_where_nothing_changed(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["validate", "base.dts", "-I", ".", "--overlay", "second.dtbo", "--resume", "x.jsonl"]
    main(command)
    first = Path("x.jsonl").read_text()
    main(command)
    assert Path("x.jsonl").read_text() == first
    Path("board.dtsi").write_text(BOARD.replace("<0 255>", "<0 127>"))
    main(command)
    second = Path("x.jsonl").read_text()
    assert json.loads(second)["key"] != json.loads(first)["key"]
    Path("second.dtbo").write_bytes(Path("buses.dtbo").read_bytes())
    main(command)
    assert json.loads(Path("x.jsonl").read_text())["key"] != json.loads(second)["key"]
    capfd.readouterr()


def test_the_library_takes_them(place: Path) -> None:
    options = {"include": ["."], "overlays": [Path("second.dtso")]}
    bridges = ["/pcie@10000000", "/pcie@50000000"]
    result = rootplex.validate(Path("base.dts"), **options)  # type: ignore[arg-type]
    assert sorted(each.name for each in result.machine.bridges) == bridges
    imported = rootplex.import_board("base.dts", **options)  # type: ignore[arg-type]
    assert sorted(imported.bridges) == bridges


def test_a_source_may_be_nothing_but_an_include(place: Path) -> None:
    """As arch/arm64/boot/dts/broadcom/bcm2711-rpi-4-b.dts of the kernel."""
    Path("x.dts").write_text('// SPDX-License-Identifier: GPL-2.0\n#include "whole.dts"\n')
    assert validated("x.dts").machine == validated("whole.dts").machine
    Path("y.dts").write_text('/include/ "whole.dts"\n')
    assert validated("y.dts").machine == validated("whole.dts").machine


def test_of_a_folder_parts_are_no_boards(place: Path) -> None:
    boards = boards_of([str(place)])
    assert sorted(Path(board.name).name for board in boards) == ["base.dtb", "base.dts", "whole.dts"]


def test_what_a_source_is_put_together_of(place: Path) -> None:
    Path("x.dtsi").write_text('/include/ "board.dtsi"\n')
    Path("x.dts").write_text('/dts-v1/;\n#include "x.dtsi"\n#include "missing.dtsi"\n')
    Path("y.dtso").write_text('/dts-v1/;\n/plugin/;\n#include "last.h"\n')
    Path("last.h").write_text("\n")
    trees = Trees((".",), (("y.dtso", Path("y.dtso").read_bytes()), ("buses.dtbo", b"")))
    assert files_of("x.dts", trees) == ("y.dtso", "buses.dtbo", "x.dtsi", "last.h")
    assert files_of("base.dts", trees) == ("y.dtso", "buses.dtbo", "board.dtsi", "last.h")
    assert files_of("base.dts", Trees((), trees.overlays)) == ("y.dtso", "buses.dtbo")
    assert files_of("base.dtb", Trees((".",))) == ()


def test_a_node_of_the_base_that_the_overlay_labels_too_keeps_its_references(place: Path) -> None:
    """Both phandles lead to it, whichever of them libfdt has kept."""
    unit = "smmu: iommu@9000000 { reg = <0 0x9000000 0 0x20000>; #iommu-cells = <1>; };"
    board = BOARD.replace("	pcie0: pcie@", f"	{unit}\n	pcie0: pcie@")
    board = board.replace("linux,pci-domain", "iommu-map = <0 &smmu 0 0x8000>; linux,pci-domain")
    Path("whole.dts").write_text(f"/dts-v1/;\n{board}")
    Path("second.dtso").write_text(
        "/dts-v1/;\n/plugin/;\n&smmu { again: test { }; };\n&{/iommu@9000000} { mine: the-unit { }; };\n"
        "&{/} { x { y = <&own>; }; };\n&{/} { own: iommu@9000000 { dma-coherent; }; };\n"
    )
    source = read("whole.dts", "second.dtso")
    assert source.tree is not None
    (bridge,) = pci_host_bridges(source.tree, MapCells.TARGET)
    assert bridge.iommu_map is not None
    assert ["/iommu@9000000"] == [entry.target for entry in bridge.iommu_map.entries]
    own = source.tree.by_path["/x"].u32("y")
    assert own is not None
    assert "/iommu@9000000" == source.tree.by_phandle[own].path
