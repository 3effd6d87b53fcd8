"""`rootplex qemu` without a boot: what is written, refused, changed; and two views side by side."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.backends.platforms import device, host_bridge, iommu
from tests.checks.cases import line_of

from rootplex.backends.qemu import Abilities
from rootplex.backends.refusal import CannotCompile
from rootplex.capture.snapshot import _WINDOW
from rootplex.cli import main
from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.comparison import compare
from rootplex.jobs.qemu.preparation import refuse_boot
from rootplex.jobs.qemu.seen import Seen, SeenBridge, SeenFunction, SeenWindow, joined
from rootplex.jobs.qemu.streams import translated
from rootplex.model.bridge import IdMapEntry
from rootplex.model.numbers import BusRange
from rootplex.source.shipped import shipped_folder
from rootplex.tools import kernels, runner
from rootplex.tools.runner import ToolError

TOPOLOGIES = shipped_folder("topologies")

PORT = SeenFunction(None, 0x1B36, 0x000C, 0x060400, (1, 1), ())
DISK = SeenFunction("0000:00:01.0", 0x1B36, 0x0010, 0x010802, None, ())
OWN = SeenFunction(None, 0x1B36, 0x0008, 0x060000, None, ())
BRIDGES = {"0000:00": SeenBridge((0, 255), ())}


def seen(functions: dict[str, SeenFunction], *groups: Iterable[str]) -> Seen:
    return Seen(BRIDGES, functions, frozenset(map(frozenset, groups)))


BOTH = {"0000:00:01.0": PORT, "0000:01:00.0": DISK}
ALONE = seen(BOTH, {"0000:00:01.0"}, {"0000:01:00.0"})


def differing(simulated: Seen, booted: Seen) -> list[tuple[str, str | None, str | None]]:
    compared = compare(simulated, booted, {"0000:00:00.0": "1b36:0008"}, real_bars=True)
    assert compared.agreed == (compared.figures.differences == 0)
    return [(line.what, line.simulated, line.booted) for line in compared.lines if line.state == "differs"]


def test_the_same_is_agreed() -> None:
    assert differing(ALONE, ALONE) == []


def test_groups_are_compared_as_sets() -> None:
    together = seen(BOTH, set(BOTH))
    assert differing(ALONE, together) == [
        ("group", "0000:00:01.0", "0000:00:01.0 0000:01:00.0"),
        ("group", "0000:01:00.0", "0000:00:01.0 0000:01:00.0"),
    ]


def test_acs_of_what_answers_no_longer_is_said_and_not_compared_in_memory() -> None:
    """QEMU's own devices forget the numbers, and are compared."""
    gone = {"0000:01:00.0": replace(DISK, acs=(0x7F, 0x7F), gone=True)}
    here = {"0000:01:00.0": replace(DISK, acs=(0x4F, 0x0D))}
    groups = ({"0000:01:00.0"},)
    in_memory = compare(seen(gone, *groups), seen(here, *groups), {}, real_bars=False)
    assert (True, 1) == (in_memory.agreed, in_memory.figures.not_shown)
    assert [what for what, *_ in differing(seen(gone, *groups), seen(here, *groups))] == ["ACS"]


def test_a_group_that_the_booted_machine_cannot_have_is_said_and_not_agreed() -> None:
    described = frozenset({frozenset(BOTH)})
    compared = compare(ALONE, ALONE, {}, real_bars=True, described=described, because="another IOMMU")
    (line,) = (line for line in compared.lines if line.state == "not shown")
    assert ("0000:00:01.0 0000:01:00.0", None, "another IOMMU") == (line.simulated, line.booted, line.reason)
    assert (True, 1) == (compared.agreed, compared.figures.not_shown)
    assert 0 == compare(ALONE, ALONE, {}, real_bars=True, described=ALONE.groups).figures.not_shown


def test_a_function_without_a_group_is_counted_apart_and_never_agreed() -> None:
    less = seen(BOTH, {"0000:00:01.0"})
    compared = compare(less, less, {}, real_bars=True)
    assert (compared.figures.without_group, compared.figures.groups) == (1, 1)
    assert [line.state for line in compared.lines if line.what == "no group"] == ["apart"]
    assert differing(ALONE, less) == [("group", "0000:01:00.0", None)]
    assert differing(less, ALONE) == [("group", None, "0000:01:00.0")]


def test_qemus_own_function_is_no_difference_and_another_is() -> None:
    more = seen({**BOTH, "0000:00:00.0": OWN}, *[{sbdf} for sbdf in (*BOTH, "0000:00:00.0")])
    assert differing(ALONE, more) == []
    stranger = replace(OWN, device=0x10D3)
    more = seen({**BOTH, "0000:00:00.0": stranger}, *[{sbdf} for sbdf in BOTH])
    assert [what for what, _, _ in differing(ALONE, more)] == ["function"]


def test_an_imsic_that_hangs_is_refused() -> None:
    """QEMU 7.2's: the kernel's console ends at `legacy console [ttyS0] enabled`. 10.0's and 11.1's boot."""
    text = "platform: {name: x, arch: riscv64, base: qemu-riscv-virt, aia: aplic-imsic}\n"
    bridge = "host_bridges: [{name: pcie, config: {base: 0x3000_0000}}]\n"
    platform = read_checked(f"rootplex: 1\n{text}{bridge}".encode(), "x.yaml").platform
    assert platform is not None
    refuse_boot(platform, Abilities((10, 0)))
    refuse_boot(replace(platform, aia="aplic"), Abilities((7, 2)))
    with pytest.raises(CannotCompile) as refused:
        refuse_boot(platform, Abilities((7, 2)))
    (finding,) = refused.value.findings
    assert (finding.message, line_of(finding.at)) == ("Linux hangs on the IMSIC of QEMU 7.2", 2)


def test_bus_numbers_are_compared() -> None:
    other = seen({**BOTH, "0000:00:01.0": replace(PORT, buses=(2, 2))}, *ALONE.groups)
    assert differing(ALONE, other) == [("bus numbers", "01-01", "02-02")]


def test_windows_that_follow_each_other_are_one() -> None:
    low, high = SeenWindow("mem", False, 0, 9, 100), SeenWindow("mem", False, 10, 19, 110)
    assert joined([high, low]) == (SeenWindow("mem", False, 0, 19, 100),)
    assert len(joined([low, replace(high, pci=10)])) == 2


@pytest.mark.parametrize("end", [" pref]", " 64bit pref]", " pref window]", " 64bit pref window]"])
def test_a_prefetchable_window_is_told_in_every_form_of_the_kernels_log(end: str) -> None:
    """lib/vsprintf.c, resource_string(): 64bit, pref, window, disabled, in this order."""
    found = _WINDOW.search(f"root bus resource [mem 0x4000000000-0x40ffffffff{end}")
    assert found is not None
    assert found[4] == " pref"
    plain = _WINDOW.search("root bus resource [mem 0x4000000000-0x40ffffffff 64bit window]")
    assert plain is not None
    assert plain[4] is None


def test_a_group_that_is_left_to_chance_is_not_compared() -> None:
    """Either of two functions has it."""
    chance = replace(ALONE, groups=frozenset(), undetermined=frozenset(ALONE.functions))
    for booted in (ALONE, seen(BOTH, {"0000:00:01.0"})):
        compared = compare(chance, booted, {}, real_bars=True)
        assert compared.agreed
        assert {line.state for line in compared.lines if line.what in ("group", "no group")} == {"apart"}


def test_stream_ids_of_two_units_are_kept_apart_in_sixteen_bits() -> None:
    bridges = [
        host_bridge(
            name=name,
            bus_range=BusRange(0, 255),
            iommu=replace(iommu(), unit=name, entries=(IdMapEntry(rid=0, id=0, count=0x10000, target=name),)),
            devices=(device(dev=0),),
        )
        for name in ("one", "two")
    ]
    maps = translated(bridges, dict.fromkeys(("one", "two"), "smmu"), {})
    assert maps is not None
    first, second = (maps[name].entries[0] for name in ("one", "two"))
    assert {first.target, second.target} == {"smmu"}
    assert first.id + first.count <= second.id
    assert second.id + second.count <= 0x10000


def test_two_units_keep_their_streams_where_qemu_has_two() -> None:
    """Also what is beyond a unit as narrow as QEMU's: that is the description's fault, and is to be seen."""
    entries = {"one": IdMapEntry(rid=0, id=0, count=0x100, target="one")}
    entries["two"] = IdMapEntry(rid=0, id=0x10000, count=0x100, target="two")
    bridges = [
        host_bridge(
            name=name,
            bus_range=BusRange(0, 255),
            iommu=replace(iommu(), unit=name, entries=(entries[name],)),
            devices=(device(dev=0),),
        )
        for name in entries
    ]
    maps = translated(bridges, {"one": "smmu0", "two": "smmu1"}, {"two": 16})
    assert maps is not None
    found = {name: (each.entries[0].target, each.entries[0].id) for name, each in maps.items()}
    assert found == {"one": ("smmu0", 0), "two": ("smmu1", 0x10000)}


def test_a_platform_for_qemu_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "qemu-virt-three-segments"
    assert main(["qemu", str(TOPOLOGIES / f"{name}.yaml"), "-o", str(tmp_path)]) == 0
    folder = tmp_path / name
    argv = (folder / "qemu.args").read_text().splitlines()
    disks = [each.rpartition("file=")[2] for each in argv if "file=" in each]
    assert len(disks) == 3
    for disk in disks:
        assert (folder / disk).read_bytes().startswith(f"rootplex {name} {disk[:-4]}".encode())
    assert (folder / f"{name}.dtb").is_file()
    assert runner.run(["sh", "-n", "qemu.sh"], cwd=folder).status == 0
    assert str(folder) in capsys.readouterr().out


def test_what_qemu_cannot_be_told_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = TOPOLOGIES / "juno-r2.yaml"
    assert main(["qemu", str(file), "-o", str(tmp_path), "--boot"]) == 1
    said = capsys.readouterr().out
    assert "error[RPX0010]: juno-r2 is not a machine of QEMU's" in said
    assert f"{file}:12:" in said
    assert "--synthetic" in said
    assert not list(tmp_path.iterdir())


def test_every_change_of_a_synthetic_machine_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = TOPOLOGIES / "juno-r2.yaml"
    assert main(["qemu", str(file), "-o", str(tmp_path), "--synthetic"]) == 0
    said = capsys.readouterr().out
    for change in (
        "v2m is left out",
        "guest memory at 0x90000000",
        "interrupt lines",
        "sata: it has no BARs",
    ):
        assert change in said
    folder = tmp_path / "juno-r2"
    assert (folder / "changes.txt").read_text().count("\n") == said.count("changed ")
    # The root port, 1556:1100, lies at bus 0, device 0.
    assert (folder / "config-0-00.bin").read_bytes()[:4] == bytes.fromhex("56150011")


def test_ecam_with_special_cases_is_plain_in_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = TOPOLOGIES / "hisilicon-d05.yaml"
    assert main(["qemu", str(file), "-o", str(tmp_path), "--synthetic"]) == 0
    assert "it is plain ECAM and not quirk" in capsys.readouterr().out
    assert (tmp_path / "hisilicon-d05" / "config-0-f8.bin").is_file()


SERVER = """\
rootplex: 1
platform: {name: server, arch: x86_64}
iommus:
  - {name: one, kind: intel-vtd, base: 0xfed9_0000}
  - {name: two, kind: amd-iommu, base: 0xfed9_1000}
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0xe000_0000}
    windows:
      - {space: io, pci: 0x300, size: 0x1000}
      - {space: io, pci: 0x2000, size: 0x1000}
      - {space: mem32, pci: 0xc000_0000, size: 256MiB}
      - {space: mem32, pci: 0x2000_0000, size: 256MiB}
    iommu: {unit: one}
    devices: [{name: nic, dev: 1, type: integrated-endpoint}]
  - name: second
    segment: 0x1234
    bus_range: [0x40, 0x7f]
    config: {base: 0x80_0000_0000}
    iommu: {unit: two}
    devices:
      - {dev: 0, type: root-port, devices: [{name: disk, dev: 0, type: endpoint, class: nvme}]}
"""


def test_an_x86_platform_goes_into_memory_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "server.yaml"
    file.write_text(SERVER)
    assert main(["qemu", str(file), "-o", str(tmp_path), "--synthetic"]) == 0
    said = capsys.readouterr().out
    for change in (
        "the machine is QEMU's q35",
        "guest memory at 0x100000000",
        "guest memory at 0x104000000",
        "main: ECAM alone reaches it",
        "the io window at 0x300 is",
        "the mem32 window at 0x20000000 is",
        "second: QEMU's one VT-d unit translates it",
        "main: nothing translates it, and its groups are not compared",
        "QEMU's one VT-d unit stands in for two in segment 0x1234",
    ):
        assert change in said
    assert said.count("QEMU's own place") == 2
    folder = tmp_path / "server"
    # Linux takes its first way to segment 0 from these ports, and the memory for RAM, unless told.
    script = (folder / "qemu.sh").read_text()
    assert "reserve=0xcf8,8 memmap=0x40000000$0x100000000" in script
    assert "intel-iommu,intremap=off" in script
    # One unit at QEMU's address, in segment 1234h (Intel VT-d 8.3): it begins behind 48 bytes of header.
    unit = (folder / "dmar.aml").read_bytes()[48:]
    assert (unit[:2], unit[6:8], unit[8:16]) == (b"\0\0", b"\x34\x12", bytes.fromhex("0000d9fe00000000"))
    assert unit[int.from_bytes(unit[2:4], "little") :] == b""


def test_what_only_ports_reach_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "server.yaml"
    file.write_text(SERVER.replace("    iommu: {unit: one}\n", "    acpi: {mcfg: false}\n"))
    assert main(["qemu", str(file), "-o", str(tmp_path), "--synthetic"]) == 1
    said = capsys.readouterr().out
    assert "error[RPX0010]: Linux reaches main through ports, and no guest memory through them" in said
    assert f"{file}:16:" in said


RISCV = """\
rootplex: 1
platform: {name: board, arch: riscv64, firmware: [dt, acpi]}
iommus: [{name: unit, kind: riscv-iommu, base: 0x301_0000}]
host_bridges:
  - name: main
    segment: 3
    bus_range: [0, 3]
    config: {base: 0x70_0000_0000}
    iommu: {unit: unit}
    devices: [{name: port, dev: 0, type: root-port, devices: [{name: nic, dev: 0}]}]
"""


@pytest.mark.parametrize(
    ("version", "switch", "change"),
    [
        ((7, 2), "virt", "nothing translates it: the IOMMU of QEMU's virt came with 10.0"),
        ((10, 0), "virt,iommu-sys=on", "its ids go to QEMU's one IOMMU"),
    ],
)
def test_a_riscv_board_is_booted_in_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: tuple[int, int],
    switch: str,
    change: str,
) -> None:
    """On QEMU's own IOMMU where it has one."""
    monkeypatch.setattr("rootplex.cli.qemu.abilities", lambda arch: Abilities(version))
    file = tmp_path / "board.yaml"
    file.write_text(RISCV)
    assert main(["qemu", str(file), "-o", str(tmp_path), "--synthetic"]) == 0
    said = capsys.readouterr().out
    assert "the machine is QEMU's virt" in said
    assert "guest memory at 0xc0000000" in said
    assert change in said
    script = (tmp_path / "board" / "qemu.sh").read_text()
    assert f"-machine \\\n    {switch} \\\n" in script
    assert "qemu-system-riscv64" in script
    assert main(["qemu", str(file), "-o", str(tmp_path), "--synthetic", "--acpi"]) == 1
    assert "board is booted by device tree: a boot by ACPI is not supported" in capsys.readouterr().out


def test_without_a_kernel_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, full: bool) -> kernels.Kernel:
        raise ToolError("no mirror")

    monkeypatch.setattr(kernels, "fetch", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = str(TOPOLOGIES / "qemu-virt.yaml")
    assert main(["qemu", file, "-o", str(tmp_path), "--boot"]) == 2
    assert "rootplex fetch-kernel --arch arm64" in capsys.readouterr().err


def test_a_kernel_for_another_machine_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "bzImage"
    # Documentation/arch/x86/boot.rst: HdrS at 0x202, kernel_version at 0x20e, xloadflags at 0x236
    data = bytearray(0x400)
    data[0x202:0x206] = b"HdrS"
    data[0x20E:0x210] = (0x100).to_bytes(2, "little")
    data[0x236] = 1
    data[0x300:0x306] = b"6.1.0\0"
    image.write_bytes(data)
    file = str(TOPOLOGIES / "qemu-virt.yaml")
    assert main(["qemu", file, "-o", str(tmp_path), "--boot", "--kernel", str(image)]) == 2
    assert "is a kernel for x86_64, and the machine is arm64" in capsys.readouterr().err
