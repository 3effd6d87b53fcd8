"""Twice as much of anything takes about twice as long: entries, windows, findings, lines, digits.

Time is that of this processor, the least of three; between the two sizes stands a factor of four, which
quadratic time would take sixteen times as long for.
"""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rootplex.frontends.document import Names
from rootplex.jobs.boards import Board, Item
from rootplex.jobs.check import check_text
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import kind_of
from rootplex.jobs.validate import validate_board
from rootplex.readers.acpi.header import HEADER_SIZE
from rootplex.readers.dts import compile_dts
from rootplex.report import text
from rootplex.source import yaml12
from rootplex.tools.runner import private_folder, run

CASES = Path(__file__).parent / "cases"
GROWTH = 4
MOST = 8.0
"""The factor that n log n stays below, with the noise of other people's work."""
LEAST_SECONDS = 0.02
"""Below it nothing can be measured, and nothing is lost."""

TREE = """/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; compatible = "a,b"; model = "x";
memory@0 { device_type = "memory"; reg = <0 0 0 0x40000000>; };
its: its@8080000 { compatible = "arm,gic-v3-its"; reg = <0 0x8080000 0 0x20000>;
    msi-controller; #msi-cells = <1>; };
smmu: iommu@9050000 { compatible = "arm,smmu-v3"; reg = <0 0x9050000 0 0x20000>; #iommu-cells = <1>; };
pcie@4010000000 { compatible = "pci-host-ecam-generic"; device_type = "pci";
    #address-cells = <3>; #size-cells = <2>;
reg = <0x40 0x10000000 0 0x10000000>; bus-range = <0 255>; linux,pci-domain = <0>; dma-coherent; MORE }; };"""
TABLES = """DefinitionBlock ("", "DSDT", 2, "ROOTPX", "SIZES", 1) {{ Scope (\\_SB) {{ Device (PCI0) {{
Name (_HID, EisaId ("PNP0A08")) Name (_CID, EisaId ("PNP0A03")) Name (_SEG, 0) Name (_BBN, 0)
Name (_CRS, ResourceTemplate () {{
    WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0xff, 0, 0x100)
{windows} }}) }} }} }}"""
RANGES = "ranges = <0x02000000 0 0x50000000 0x80 0 0 0x08000000>; "


def seconds(call: Callable[[], object]) -> float:
    """The collector is off: when it walks all that lives is chance, and not the growth that is looked for."""

    def once() -> float:
        begun = time.process_time()
        call()
        return time.process_time() - begun

    gc.collect()
    gc.disable()
    try:
        return min(once() for _ in range(3))
    finally:
        gc.enable()


def grows_evenly(made: Callable[[int], Callable[[], object]], size: int) -> None:
    small, large = seconds(made(size)), seconds(made(size * GROWTH))
    assert large < MOST * max(small, LEAST_SECONDS), (small, large)


def validated(*items: bytes) -> Result:
    return validate_board(Board(tuple(Item(f"x{at}", None, data) for at, data in enumerate(items))))


def tree(more: str) -> bytes:
    return compile_dts(TREE.replace("MORE", more), "x.dts")


@pytest.mark.parametrize(
    "unit",
    [b"1", b"\n", b" ", b"1/1 rootplex-snapshot", b"/", b"/\n", b"00:00.0 x\n00: 00\n", b"A @ 0x0", b"\t/"],
)
def test_guessing_what_a_file_is(unit: bytes) -> None:
    grows_evenly(lambda size: lambda: kind_of(unit * size), 20_000)


@pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc")
@pytest.mark.parametrize(
    ("more", "entry"),
    [
        ("msi-map = <ENTRIES>;", "{at:#x} &its {at:#x} 1"),
        ("msi-map = <ENTRIES>;", "{at:#x} &its 0 0x8000"),
        ("msi-map-mask = <0xff00>; msi-map = <ENTRIES>;", "{page:#x} &its {at:#x} 0x100"),
        ("iommu-map = <ENTRIES>; msi-parent = <&its>;", "{twice:#x} &smmu {thrice:#x} 1"),
        ("msi-parent = <&its>; dma-ranges = <ENTRIES>;", "0x2000000 0 {page:#x} 0 {page:#x} 0 0x80"),
        ("msi-parent = <&its>; ranges = <ENTRIES>;", "0x2000000 0 {page:#x} 0x80 {page:#x} 0 0x80"),
    ],
)
def test_entries_of_a_map(more: str, entry: str) -> None:
    def made(size: int) -> Callable[[], object]:
        entries = (entry.format(at=n, twice=2 * n, thrice=3 * n, page=n << 8) for n in range(size))
        blob = tree(
            (RANGES if "dma" in more or "ranges" not in more else "")
            + more.replace("ENTRIES", " ".join(entries))
        )
        return lambda: validated(blob)

    grows_evenly(made, 1_000)


@pytest.mark.skipif(shutil.which("dtc") is None, reason="needs dtc")
def test_bridges_that_share_their_ids() -> None:
    """Not each pair of them is told of, but each bridge."""
    head, _, _ = TREE.partition("pcie@")

    def made(size: int) -> Callable[[], object]:
        nodes = "".join(
            f"""pcie@4{n:04x}00000 {{ compatible = "pci-host-ecam-generic"; device_type = "pci";
            #address-cells = <3>; #size-cells = <2>; reg = <4 {n << 20:#x} 0 0x100000>; bus-range = <0 0>;
            linux,pci-domain = <{n}>; dma-coherent; msi-map = <0 &its 0 0x100>;
            ranges = <0x02000000 0 {n << 16:#x} 0x80 {n << 16:#x} 0 0x10000>; }};"""
            for n in range(1, size + 1)
        )
        blob = compile_dts(f"{head}{nodes} }};", "x.dts")

        def call() -> None:
            found = [each.subject for each in validated(blob).findings if each.code == "RPX0407"]
            assert size - 1 == len(set(found)) <= len(found) < 5 * size

        return call

    grows_evenly(made, 200)


@pytest.mark.skipif(
    shutil.which("iasl") is None or shutil.which("acpiexec") is None, reason="needs acpica-tools"
)
def test_windows_that_differ() -> None:
    def made(size: int) -> Callable[[], object]:
        ranges = ", ".join(f"<0x2000000 0 {n << 13:#x} 0x80 {n << 14:#x} 0 0x1000>" for n in range(1, size))
        line = (
            "QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,"
            " 0, {0:#x}, {1:#x}, 0, 0x1000)"
        )
        windows = " ".join(
            line.format(1 << 40 | n << 13, (1 << 40 | n << 13) + 0xFFF) for n in range(1, size)
        )
        with private_folder() as folder:
            (folder / "x.asl").write_text(TABLES.format(windows=windows))
            assert run(["iasl", "-p", "x", "x.asl"], cwd=folder).status == 0
            aml = (folder / "x.aml").read_bytes()
        assert len(aml) > HEADER_SIZE
        blob = tree(f"msi-parent = <&its>; ranges = {ranges};")
        return lambda: validated(blob, aml)

    grows_evenly(made, 250)


@pytest.mark.parametrize("line", ["unknown{}: 1\n", "host_bridgez{}: [1]\n"])
def test_findings_and_the_text_about_them(line: str) -> None:
    head = (CASES / "unknown-500.yaml").read_text().partition("k0:")[0]

    def made(size: int) -> Callable[[], object]:
        whole = head + "".join(line.format(n) for n in range(size))

        def call() -> None:
            result = check_text(whole.encode(), "x.yaml", RunOptions())
            assert len(result.findings) == size
            text.render((result,), text.Sources({"x.yaml": whole}), text.Style())

        return call

    grows_evenly(made, 240)


@pytest.mark.skipif(
    shutil.which("iasl") is None or shutil.which("acpiexec") is None, reason="needs acpica-tools"
)
@pytest.mark.parametrize(
    ("segment", "base"),
    [("{n}", "{own:#x}"), ("0", "0x4000000000")],
    ids=["apart", "on each other"],
)
def test_many_host_bridges(segment: str, base: str) -> None:
    """Each registered with Xen, found by device tree and ACPI, and compared."""
    bridge = (
        "  - {name: b{n}, segment: {segment}, bus_range: [0, 1], config: {base: {base}},"
        " windows: [{space: mem64, pci: {window:#x}, size: 16MiB}],"
        " devices: [{name: d{n}, dev: 1, type: root-port}]}\n"
    )

    def made(size: int) -> Callable[[], object]:
        whole = "rootplex: 1\nplatform: {name: x, arch: arm64, firmware: [dt, acpi]}\nhost_bridges:\n"
        for n in range(size):
            own = f"{0x4000000000 + n * 0x200000:#x}"
            line = bridge.replace("{segment}", segment).replace("{base}", base).replace("{own:#x}", own)
            whole += line.replace("{window:#x}", f"{0x8000000000 + (n << 24):#x}").replace("{n}", str(n))

        def call() -> None:
            assert not check_text(whole.encode(), "x.yaml", RunOptions()).unreadable

        return call

    grows_evenly(made, 50)


BOARD = """rootplex: 1
platform: {name: x, arch: arm64}
host_bridges:
  - {name: a, segment: 0, config: {base: 0x40000000}, windows: [WINDOWS]}
"""
WINDOW = "{space: mem32, pci: 0x10000000, size: 256MiB}"


@pytest.mark.parametrize("what", ["windows", "guests"])
def test_findings_on_one_long_line(what: str) -> None:
    """Each shows a part of the line, and reads no more of it."""

    def made(size: int) -> Callable[[], object]:
        if what == "windows":
            whole = BOARD.replace("WINDOWS", ", ".join([WINDOW] * size))
        else:
            guests = ", ".join(f"{{name: g{n}, devices: [x{n}]}}" for n in range(size))
            whole = BOARD.replace("WINDOWS", WINDOW) + f"xen: {{guests: [{guests}]}}\n"

        def call() -> None:
            result = check_text(whole.encode(), "x.yaml", RunOptions())
            assert result.findings
            text.render((result,), text.Sources({"x.yaml": whole}), text.Style())

        return call

    grows_evenly(made, 400)


def test_names_made_of_equal_ones() -> None:
    def made(size: int) -> Callable[[], object]:
        def call() -> None:
            names = Names()
            taken = [names.take("P" * 500, "x") for _ in range(size)]
            assert len(set(taken)) == size
            assert max(map(len, taken)) <= 100

        return call

    grows_evenly(made, 2_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name: x", f"name: {'x' * 101}"), f"'{'x' * 40}…' has 101 characters, more than 100"),
        (("base: 0x40000000", "registers: [REGISTERS]"), "'registers' needs at most 64 entries, found 65"),
        (("arch: arm64", f"arch: !<{'a' * 9000}> arm64"), f"the tag '{'a' * 40}…' is not allowed"),
    ],
)
def test_more_than_can_be_said(change: tuple[str, str], message: str) -> None:
    registers = ", ".join(f"{{name: r{n}, base: {n << 20:#x}, size: 1MiB}}" for n in range(65))
    whole = BOARD.replace("WINDOWS", WINDOW).replace(*change).replace("REGISTERS", registers)
    (found,) = check_text(whole.encode(), "x.yaml", RunOptions()).findings
    assert found.message == message


def test_five_hundred_unknown_keys_take_no_seconds() -> None:
    data = (CASES / "unknown-500.yaml").read_bytes()
    assert seconds(lambda: check_text(data, "x.yaml", RunOptions())) < 1


@pytest.mark.parametrize("line", ["a: 1\n", "- !x 1\n"])
def test_faults_of_a_text_are_told_up_to_a_thousand(line: str) -> None:
    """A key that is there again, a tag: whoever made thousands of them reads the first."""
    found = check_text(line.encode() * 60_000, "x.yaml", RunOptions()).findings
    assert len(found) == yaml12.PROBLEMS_LIMIT
    assert found[-1].notes == ("faults behind the first 1,000 are not told",)


def test_a_paste_of_more_functions_than_a_segment_has() -> None:
    lines = (
        f"{at >> 16:04x}:{at >> 8 & 255:02x}:{at >> 3 & 31:02x}.{at & 7} Bridge [0604]: Device [1b36:000c]"
        for at in range(65_600)
    )
    (found,) = validated("\n".join(lines).encode()).findings
    assert found.message == "pasted text of more than 65,536 functions"
