"""The capture script under shells and awks, on a machine of files that hold what must not leave it."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from rootplex.capture import script
from rootplex.capture.facts import Snapshot
from rootplex.capture.snapshot import parse_snapshot
from rootplex.tools import runner
from rootplex.tools.runner import Outcome

TREE = """/dts-v1/;
/ {
    model = "Board";
    serial-number = "SERIAL-1234";
    chosen { bootargs = "root=/dev/SECRET ip=192.0.2.1"; kaslr-seed = <0x5EC2E7 2>; rng-seed = [5e c2 e7]; };
    aliases { serial0 = "/uart"; };
    uart { compatible = "arm,pl011"; };
    ethernet@1 { reg = <1>; local-mac-address = [02 5e c2 e7 00 01]; address = [02 5e c2 e7 00 02]; };
    pcie@40 { reg = <0x40 0x5EC2>; address = <1 2>; };
};
"""

MASKED = (  # as `dtc` writes it back from the masked blob
    'model = "Board"',
    "serial-number = <0x00 0x00 0x00>",
    "kaslr-seed = <0x00 0x00>",
    "rng-seed = [00 00 00]",
    'serial0 = "/uart"',
    "local-mac-address = [00 00 00 00 00 00]",
    "\t\taddress = [00 00 00 00 00 00]",
    "reg = <0x40 0x5ec2>",
    "address = <0x01 0x02>",
)

SSDT = """DefinitionBlock ("", "SSDT", 2, "BOARD ", "BOARD   ", 1)
{
    Device (\\_SB.ETH0)
    {
        Name (_HID, "ACPI0007")
        Name (_DSD, Package () { ToUUID ("daffd814-6eba-4d8c-8a91-bc9bbf4aa301"), Package ()
        {
            Package () { "mac-address", Package (6) { 0x02, 0x5E, 0xC2, 0xE7, 0x00, 0x01 } },
            Package () { "local-mac-address", Buffer () { 0x02, 0x5E, 0xC2, 0xE7, 0xFF, 0x01 } },
            Package () { "max-speed", 1000 }
        } })
        Name (AUXM, "_AUXMAC_#025EC2E70003#")
    }
}
"""

DMESG = """\
<6>[    0.000000] Linux version 6.1.0 (secret@hostname)
[    0.000000] Kernel command line: pci=assign-busses root=/dev/SECRET
[    1.000000] pci 0000:00:01.0: [1234:0001] type 00 class 0x020000
[    1.100000] e1000e 0000:00:01.0 eth0: (PCI Express:2.5GT/s) 02:5e:c2:e7:00:01
[    1.200000] pci 0000:00:01.0: MAC 02-5E-C2-E7-00-01-00-02
[    1.300000] nvme 0000:00:01.0: Adding to iommu group 3
[    1.400000] nvme 0000:00:01.0: user SECRET logged in
[    1.500000] usb 1-1: SerialNumber: SECRET
[    1.600000] systemd[1]: Hostname set to <secret>
"""


def configuration() -> bytes:
    """VPD (03h) at 40h, the serial number (0003h) at 100h behind nothing, ACS (000Dh) at 148h."""
    data = bytearray(4096)
    struct.pack_into("<HHHH", data, 0, 0x1234, 0x0001, 0, 0x10)
    data[0x34] = 0x40
    struct.pack_into("<BBHI", data, 0x40, 3, 0x50, 0x8004, 0xE7C25E02)
    struct.pack_into("<BBH", data, 0x50, 0x10, 0, 2)
    struct.pack_into("<IQ", data, 0x100, 0x1480_0000 | 1 << 16 | 3, 0x025EC2FFFFE70001)
    struct.pack_into("<IHH", data, 0x148, 0x0001_000D, 0x1F, 0x1D)
    data[0x200:0x240] = b"\xa5" * 64  # equal rows, which od writes as a star
    return bytes(data)


@pytest.fixture
def board(tmp_path: Path, program: Callable[[str], str]) -> Path:
    """A root folder with sys and proc of a machine with one function."""
    for name in ("dtc", "iasl"):
        program(name)
    root = tmp_path / "board"
    function = root / "sys/devices/pci0000:00/0000:00:01.0"
    tables = root / "sys/firmware/acpi/tables"
    for folder in (
        function,
        tables,
        root / "proc/sys/kernel",
        root / "sys/bus/pci/devices",
        root / "sys/class/pci_bus",
    ):
        folder.mkdir(parents=True)
    (root / "sys/devices/pci0000:00/pci_bus/0000:00").mkdir(parents=True)
    (root / "sys/class/pci_bus/0000:00").symlink_to("../../devices/pci0000:00/pci_bus/0000:00")
    (root / "sys/bus/pci/devices/0000:00:01.0").symlink_to("../../../devices/pci0000:00/0000:00:01.0")
    (root / "sys/kernel/iommu_groups/3/devices").mkdir(parents=True)
    (root / "sys/kernel/iommu_groups/3/devices/0000:00:01.0").symlink_to(
        "../../../../devices/pci0000:00/0000:00:01.0"
    )
    (root / "sys/kernel/iommu_groups/3/type").write_text("DMA\n")
    (function / "iommu_group").symlink_to("../../../kernel/iommu_groups/3")
    for name, value in (
        ("vendor", "0x1234"),
        ("device", "0x0001"),
        ("class", "0x020000"),
        ("revision", "0x00"),
    ):
        (function / name).write_text(f"{value}\n")
    zero = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    (function / "resource").write_text(
        f"{zero}0x0000000010000000 0x0000000010000fff 0x0000000000140204\n{zero}"
    )
    (function / "config").write_bytes(configuration())
    (function / "vpd").write_bytes(b"\x82SECRET")
    (root / "proc/sys/kernel/osrelease").write_text("6.1.0-board\n")
    (root / "proc/sys/kernel/hostname").write_text("secret\n")
    (root / "proc/cmdline").write_text(
        "root=/dev/SECRET pci=assign-busses ip=192.0.2.1 iommu.passthrough=0 *\n"
    )
    (root / "proc/iomem").write_text(
        "10000000-1fffffff : PCI Bus 0000:00\n  10000000-10000fff : 0000:00:01.0\n"
    )
    (root / "proc/ioports").write_text("")
    (tmp_path / "board.dts").write_text(TREE)
    (tmp_path / "ssdt.asl").write_text(SSDT)
    assert (
        runner.run(["dtc", "-q", "-o", str(root / "sys/firmware/fdt"), "board.dts"], cwd=tmp_path).status == 0
    )
    assert runner.run(["iasl", "-p", "ssdt", "ssdt.asl"], cwd=tmp_path).status == 0
    shutil.copy(tmp_path / "ssdt.aml", tables / "SSDT1")
    (tables / "MSDM").write_bytes(b"MSDMSECRET")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The script, and a `dmesg` that says what is in `DMESG`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "snapshot.sh").write_text(script())
    (tmp_path / "dmesg.txt").write_text(DMESG)
    (tmp_path / "bin/dmesg").write_text(f"#!/bin/sh\ncat {tmp_path}/dmesg.txt\n")
    (tmp_path / "bin/dmesg").chmod(0o755)
    return tmp_path


def capture(folder: Path, shell: list[str], *words: str) -> Outcome:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return runner.run([*shell, "snapshot.sh", *words], cwd=folder, environment={"PATH": path})


def taken(folder: Path, board: Path) -> tuple[str, Snapshot]:
    outcome = capture(folder, ["sh"], "--root", str(board))
    assert (outcome.status, outcome.stderr) == (0, "")
    return outcome.stdout, parse_snapshot(outcome.stdout, "s.txt")


def test_nothing_personal_leaves_the_machine(folder: Path, board: Path) -> None:
    text, _ = taken(folder, board)
    compact = text.lower().replace(" ", "").replace(":", "").replace("-", "")
    assert "secret" not in compact
    assert "SERIAL-1234" not in text
    assert b"SECRET".hex() not in compact
    assert b"SERIAL".hex() not in compact
    assert "025ec2" not in compact
    assert "192.0.2.1" not in text


def test_configuration_space_is_whole_but_for_what_is_masked(folder: Path, board: Path) -> None:
    _, snapshot = taken(folder, board)
    (function,) = snapshot.functions
    expected = bytearray(configuration())
    expected[0x42:0x48] = bytes(6)
    expected[0x104:0x10C] = bytes(8)
    assert function.config == bytes(expected)
    assert function.masked == sum(a != b for a, b in zip(configuration(), expected, strict=True))


def test_the_device_tree_keeps_its_shape(folder: Path, board: Path) -> None:
    _, snapshot = taken(folder, board)
    assert snapshot.dtb is not None
    (folder / "masked.dtb").write_bytes(snapshot.dtb.data)
    outcome = runner.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "masked.dtb"], cwd=folder)
    assert outcome.status == 0
    for line in MASKED:
        assert f"{line};" in outcome.stdout
    original = (board / "sys/firmware/fdt").read_bytes()
    assert snapshot.dtb.masked == sum(a != b for a, b in zip(original, snapshot.dtb.data, strict=True))


def test_a_tree_that_cannot_be_read_to_its_end_is_not_told(folder: Path, board: Path) -> None:
    blob = (board / "sys/firmware/fdt").read_bytes()
    for broken in (blob[: len(blob) // 2], b"\0" * 64, blob[:56] + b"\0\0\0\x7f" + blob[60:]):
        (board / "sys/firmware/fdt").write_bytes(broken)
        _, snapshot = taken(folder, board)
        assert snapshot.dtb is not None
        assert snapshot.dtb.data == b""


def test_tables_keep_their_shape_and_checksum(folder: Path, board: Path) -> None:
    _, snapshot = taken(folder, board)
    (table,) = snapshot.tables
    assert table.name == "SSDT1"
    assert sum(table.data) % 256 == 0
    (folder / "masked.aml").write_bytes(table.data)
    assert runner.run(["iasl", "-d", "masked.aml"], cwd=folder).status == 0
    asl = " ".join((folder / "masked.dsl").read_text().split())
    assert '"max-speed"' in asl
    assert "0x03E8" in asl
    assert "_AUXMAC_#000000000000#" in asl
    assert '"mac-address", Package (0x06) { Zero, Zero, Zero, Zero, Zero, Zero }' in " ".join(
        asl.replace("0x00", "Zero").split()
    )


def test_messages_are_those_about_pci_and_the_iommu(folder: Path, board: Path) -> None:
    _, snapshot = taken(folder, board)
    assert [(message.time, message.text) for message in snapshot.messages] == [
        (1.0, "pci 0000:00:01.0: [1234:0001] type 00 class 0x020000"),
        (1.2, "pci 0000:00:01.0: MAC xx:xx:xx:xx:xx:xx"),
        (1.3, "nvme 0000:00:01.0: Adding to iommu group 3"),
    ]


def test_the_facts_of_the_function(folder: Path, board: Path) -> None:
    _, snapshot = taken(folder, board)
    (function,) = snapshot.functions
    assert (function.vendor, function.device, function.class_code) == (0x1234, 1, 0x020000)
    assert [(item.index, item.start, item.end) for item in function.resources] == [
        (1, 0x1000_0000, 0x1000_0FFF)
    ]
    assert (function.group, function.group_at_boot, function.offered) == (3, 3, False)
    assert function.parent is None
    assert snapshot.arguments == ("pci=assign-busses", "iommu.passthrough=0")
    assert snapshot.release == "6.1.0-board"
    assert not snapshot.offers
    assert [item.depth for item in snapshot.memory] == [0, 1]


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox ash"])
def test_every_shell_says_the_same(
    request: pytest.FixtureRequest, folder: Path, board: Path, shell: str
) -> None:
    name, *words = shell.split()
    if name == "busybox":
        name = str(request.getfixturevalue("busybox"))
    elif shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    if name == "bash":
        words = ["--posix"]
    assert runner.run([name, *words, "-n", "snapshot.sh"], cwd=folder) == Outcome(0, "", "")
    said = parse_snapshot(capture(folder, [name, *words], "--root", str(board)).stdout, "s.txt")
    _, plain = taken(folder, board)
    if "busybox" in shell:  # Debian's has its own dmesg, and so the messages of the test's own machine
        said, plain = replace(said, messages=()), replace(plain, messages=())
        assert said.functions == plain.functions
        assert (said.dtb, said.tables) == (plain.dtb, plain.tables)
    else:
        assert said == plain


@pytest.mark.parametrize("awk", ["mawk", "gawk", "original-awk", "busybox"])
def test_every_awk_says_the_same(request: pytest.FixtureRequest, folder: Path, board: Path, awk: str) -> None:
    plain, _ = taken(folder, board)
    path = str(request.getfixturevalue("busybox")) if awk == "busybox" else shutil.which(awk)
    if path is None:
        pytest.skip(f"{awk} is not installed")
    (folder / "bin/awk").symlink_to(path)
    assert taken(folder, board)[0] == plain


def test_busyboxes_own_programs_say_the_same(folder: Path, board: Path, busybox: Path) -> None:
    plain, _ = taken(folder, board)
    for name in ("awk", "od", "grep", "sed", "cat", "id", "uname"):
        (folder / "bin" / name).symlink_to(busybox)
    assert taken(folder, board)[0] == plain


def test_hexdump_does_where_there_is_no_od(folder: Path, board: Path, busybox: Path) -> None:
    plain, _ = taken(folder, board)
    (folder / "bin/od").write_text("#!/bin/sh\necho 'od: invalid option' >&2\nexit 1\n")
    (folder / "bin/od").chmod(0o755)
    (folder / "bin/hexdump").symlink_to(busybox)
    assert taken(folder, board)[0] == plain


def test_without_the_option_nothing_is_written(folder: Path, board: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in board.rglob("*") if path.is_file()}
    taken(folder, board)
    assert before == {path: path.stat().st_mtime_ns for path in board.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--help-me"], 2, "unknown option --help-me"),
        (["--root", "/nowhere"], 1, "there is no PCI in /nowhere/sys"),
    ],
)
def test_what_it_cannot_do_it_says(folder: Path, words: list[str], status: int, said: str) -> None:
    outcome = capture(folder, ["sh"], *words)
    assert (outcome.status, outcome.stdout) == (status, "")
    assert said in outcome.stderr
