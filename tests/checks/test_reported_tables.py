"""ACPI tables that people reported (`tests/cases/reports/acpi`): what is said of each and of its siblings."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.golden import hold

from rootplex.jobs.boards import boards_of
from rootplex.jobs.result import Result
from rootplex.jobs.validate import validate_board

Told = tuple[str, str]
"""Code and level of one finding."""

# What is said of each case: all of it.
CASES: list[tuple[str, list[Told]]] = [
    ("arm-without-madt", []),
    ("crs-bus-beyond-255", [("RPX0756", "error")]),
    ("crs-length-short", [("RPX0754", "warning")]),
    ("crs-min-above-max-x86", [("RPX0754", "error"), ("RPX0723", "warning")]),
    ("ecam-in-window-reserved", [("RPX0721", "warning"), ("RPX0724", "warning")]),
    ("mcfg-empty-bridges-off", [("RPX0713", "note")]),
    ("mcfg-length-too-long", [("RPX0757", "error")]),
    ("mcfg-split-entries-x86", []),
    ("sta-waits-for-hardware", []),
    ("sysfs-tables", []),
]

WINDOW = "NonCacheable, ReadWrite, 0, 0xf7000000, 0xf8000000, 0, 0x1000000)"
BACKWARDS = """QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
  0, 0x9000000000, 0x8000000000, 0, 0x1000000000)"""
SPLIT, ARM = "mcfg-split-entries-x86", "arm-without-madt"
FIXED = "DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, 0, "
ARM_WINDOW = f"{FIXED}0x80000000, 0xefffffff, 0, 0x70000000)"
KEPT = f"""{FIXED.replace("Producer", "Consumer")}0x80000000, 0x8fffffff, 0, 0x10000000)
  {FIXED.replace("NonCacheable", "Prefetchable")}0x90000000, 0xefffffff, 0, 0x60000000)"""
SPLIT_WINDOW = f"{FIXED}0x90000000, 0xcfffffff, 0, 0x40000000)"

CCA = "Name (_CCA, 1)"

LINK = """Device (LNKA) { Name (_HID, EISAID ("PNP0C0F")) Name (_UID, 1) Name (_CRS, ResourceTemplate () {
  Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { 35 } }) }"""


def prt(*entries: str) -> str:
    packages = ", ".join(f"Package () {{ {each} }}" for each in entries)
    return f"{CCA} Name (_PRT, Package () {{ {packages} }})"


# A case, a change of its DSDT's source, and what is said then.
SIBLINGS: list[tuple[str, str, tuple[str, str], list[Told]]] = [
    ("the length fits", "crs-length-short", ("0xf8000000, 0, 0x1000000)", "0xf7ffffff, 0, 0x1000000)"), []),
    ("no length: the window is dropped", "crs-length-short",
     (WINDOW, WINDOW.replace("0x1000000)", "0)")), []),
    ("a bridge that runs backwards and has another window", "crs-length-short",
     (WINDOW, f"{WINDOW} {BACKWARDS}"),
     [("RPX0754", "error"), ("RPX0754", "warning")]),
    ("buses up to 0x100", "crs-bus-beyond-255", ("0xabcd, 0xabdc, 0, 0x10", "0, 0x100, 0, 0x101"),
     [("RPX0756", "error")]),
    ("a bridge is on, and MCFG is empty", "mcfg-empty-bridges-off", ("Return (0)", "Return (0xF)"),
     [("RPX0713", "error")]),
    ("nothing reserves the ECAM", "ecam-in-window-reserved", ('EISAID("PNP0C02")', 'EISAID("PNP0C09")'),
     [("RPX0721", "warning"), ("RPX0723", "warning"), ("RPX0724", "error")]),
    ("no device of Arm's own, but its FADT", "arm-without-madt", ('"ARMH0011"', '"ABCD0011"'), []),
    ("no PCI Express and no MCFG (i440fx)", "sta-waits-for-hardware", ("PNP0A08", "PNP0A03"), []),
    ("PCI Express and no MCFG", "sta-waits-for-hardware", ("0x0F", "0x00"), [("RPX0720", "warning")]),
    ("Arm: a window that the bridge keeps for itself", ARM,
     ("Memory (ResourceProducer", "Memory (ResourceConsumer"), [("RPX0112", "warning")]),
    ("Arm: the only plain window is kept", ARM, (ARM_WINDOW, KEPT),
     [("RPX0112", "warning")]),
    ("Arm: a fixed window", ARM, (ARM_WINDOW, "Memory32Fixed (ReadWrite, 0x80000000, 0x70000000)"),
     [("RPX0112", "warning")]),
    ("Arm: an interrupt's own number for its id", ARM, (CCA, prt("0xFFFF, 0, 0, 3")), [("RPX0637", "error")]),
    ("Arm: an SPI", ARM, (CCA, prt("0xFFFF, 0, 0, 35")), []),
    ("an entry of three elements", ARM, (CCA, prt("0xFFFF, 0, 0")), [("RPX0637", "error")]),
    ("a fifth pin", ARM, (CCA, prt("0xFFFF, 4, 0, 35")), [("RPX0637", "warning")]),
    ("a pin twice", ARM, (CCA, prt("0xFFFF, 0, 0, 35", "0xFFFF, 0, 0, 36")), [("RPX0637", "warning")]),
    ("a pin twice, and the same said", ARM, (CCA, prt("0xFFFF, 0, 0, 35", "0xFFFF, 0, 0, 35")), []),
    ("Arm: the first extended SPI (IHI 0069 §2.2.1)", ARM, (CCA, prt("0xFFFF, 0, 0, 4096")), []),
    ("Arm: an index into what a link device has", ARM, (CCA, f"{LINK} {prt('0xFFFF, 0, LNKA, 0')}"), []),
    ("Arm: no window", ARM, (ARM_WINDOW, ""), [("RPX0112", "warning")]),
    ("x86: no window is all addresses", SPLIT, (SPLIT_WINDOW, ""), []),
    ("a segment beyond 16 bits", SPLIT, ("_SEG, 0", "_SEG, 0x10000"), [("RPX0734", "error")]),
    ("buses that run backwards", SPLIT, ("0, 0, 255, 0, 256)", "0, 255, 0, 0, 256)"), [("RPX0756", "error")]),
    ("split, on Arm", SPLIT, ("Device (R009)", 'Device (COM0) { Name (_HID, "ARMH0011") } Device (R009)'),
     [("RPX0721", "error")]),
]  # fmt: skip


@pytest.fixture
def folder(checkout: Path, tmp_path: Path) -> Callable[[str], Path]:
    def copied(case: str) -> Path:
        return Path(shutil.copytree(checkout / "tests/cases/reports/acpi" / case, tmp_path / case))

    return copied


def validated(path: Path) -> Result:
    (board,) = boards_of([str(path)])
    return validate_board(board)


def told(path: Path) -> list[Told]:
    found = validated(path).findings
    hold(found)
    return sorted((each.code, str(each.level)) for each in found)


@pytest.mark.parametrize(("case", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_what_is_said_of_a_case(checkout: Path, case: str, wanted: list[Told]) -> None:
    assert told(checkout / "tests/cases/reports/acpi" / case) == sorted(wanted)


@pytest.mark.parametrize(
    ("case", "change", "wanted"), [s[1:] for s in SIBLINGS], ids=[s[0] for s in SIBLINGS]
)
def test_what_is_said_of_a_sibling(
    folder: Callable[[str], Path],
    program: Callable[[str], str],
    case: str,
    change: tuple[str, str],
    wanted: list[Told],
) -> None:
    path = folder(case)
    source = path / "dsdt.asl"
    text = source.read_text(encoding="utf-8")
    assert change[0] in text
    source.write_text(text.replace(*change), encoding="utf-8")
    argv = [program("iasl"), "-vs", "-vw", "6055", "-f", "-p", str(path / "dsdt"), str(source)]
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    if case == SPLIT and "ARMH" in change[1]:
        (path / "apic.dat").unlink()
    if case == "sta-waits-for-hardware":
        (path / "mcfg.dat").unlink()
    assert told(path) == sorted(wanted)


def test_a_window_has_the_addresses_from_its_minimum_to_its_maximum(checkout: Path) -> None:
    """Linux takes no length but 0 (`acpi_decode_space`)."""
    result = validated(checkout / "tests/cases/reports/acpi/crs-length-short")
    assert result.machine is not None
    assert [window.size for window in result.machine.bridges[0].windows] == [0x1000001]


@pytest.mark.parametrize("name", ["apic.dat", "mcfg.dat"])
def test_a_table_of_any_kind_that_is_cut_off(folder: Callable[[str], Path], name: str) -> None:
    path = folder(SPLIT)
    data = (path / name).read_bytes()
    (path / name).write_bytes(data[:4] + (len(data) + 16).to_bytes(4, "little") + data[8:])
    assert told(path) == [("RPX0757", "error")]


def test_entries_of_a_cut_table_count_as_far_as_they_are_there(checkout: Path) -> None:
    result = validated(checkout / "tests/cases/reports/acpi/mcfg-length-too-long")
    assert result.machine is not None
    assert result.machine.bridges[0].in_mcfg


def test_a_device_that_is_no_bridge_is_not_asked_whether_it_is_there(checkout: Path) -> None:
    """Its `_STA` waits 10 s for hardware."""
    begun = time.monotonic()
    result = validated(checkout / "tests/cases/reports/acpi/sta-waits-for-hardware")
    assert time.monotonic() - begun < 9
    assert result.machine is not None
    assert [bridge.enabled for bridge in result.machine.bridges] == [True]


def test_tables_that_were_loaded_later_are_the_boards_too(folder: Callable[[str], Path]) -> None:
    path = folder("sysfs-tables")
    (path / "data").mkdir()
    (path / "data" / "BERT").write_bytes(b"not a table")
    (path / "DSDT").unlink()
    result = validated(path)
    assert [each.code for each in result.findings] == ["RPX0001"]  # the SSDT alone has no bridge
    assert "host bridge" in result.findings[0].message


def with_checksum(data: bytes) -> bytes:
    blank = data[:4] + len(data).to_bytes(4, "little") + data[8:9] + b"\0" + data[10:]
    return blank[:9] + bytes((-sum(blank) & 0xFF,)) + blank[10:]


@pytest.mark.parametrize(
    ("extra", "wanted"),
    [(b"", []), (bytes(2), [("RPX0713", "error")]), (None, [("RPX0714", "error")])],
    ids=["sound", "a ragged end", "an entry twice"],
)
def test_tables_that_stand_alone_are_checked_for_what_they_say(
    checkout: Path, tmp_path: Path, extra: bytes | None, wanted: list[Told]
) -> None:
    data = (checkout / "tests/cases/reports/acpi" / SPLIT / "mcfg.dat").read_bytes()
    last = data[-16:-6] + bytes((0x70, 0x9F)) + data[-4:]
    path = tmp_path / "mcfg.dat"
    path.write_bytes(with_checksum(data + (last if extra is None else extra)))
    result = validated(path)
    assert sorted((each.code, str(each.level)) for each in result.findings) == wanted
    assert result.not_known == ("host bridges", "devices")


def test_an_iort_alone_is_an_arm_machines(checkout: Path) -> None:
    result = validated(checkout / "generated" / "qemu-virt" / "iort.aml")
    assert (result.findings, result.verdict) == ((), "consistent")


@pytest.mark.parametrize(
    ("base", "code"), [(0xE0001000, "RPX0110"), (0, "RPX0717")], ids=["not aligned", "base 0"]
)
def test_what_is_not_reserved_follows_from_a_wrong_base(
    folder: Callable[[str], Path], base: int, code: str
) -> None:
    path = folder(SPLIT) / "mcfg.dat"
    entry = base.to_bytes(8, "little") + bytes((0, 0, 0, 0xFF, 0, 0, 0, 0))
    path.write_bytes(with_checksum(path.read_bytes()[:44] + entry))
    (found,) = validated(path.parent).findings
    assert (found.code, [each.code for each in found.follows]) == (code, ["RPX0723"])
