"""What DMA of a real kernel reaches, beside what is said of it: QEMU's virt with inbound ranges of all kinds.

    python -m bench.dma_boots [--only NAME] [--dom0 linux-7.2]

Each case boots once: a disk's driver maps memory for DMA, and the kernel's trace events tell where each
piece lies for the processor and on the bus, and what is copied through bounce buffers. That is held against
the ranges that `check` tells (`validate`, of a tree or table that was altered). Writes `bench/dma_boots.md`.
Exit status 1 with a contradiction. QEMU itself lets every address through, so where bus and processor differ
the disk does not answer; what the kernel asks of it is seen all the same.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from rootplex.jobs.check import check_description
from rootplex.jobs.describe import read_checked
from rootplex.jobs.qemu.boot import append, command
from rootplex.jobs.qemu.files import files
from rootplex.jobs.qemu.preparation import TABLES, Preparation, prepare
from rootplex.jobs.result import Dma, Result
from rootplex.jobs.settings import RunOptions
from rootplex.known.kernels import SUITES
from rootplex.library.functions import validate
from rootplex.model.bridge import Firmware
from rootplex.readers.dts import compile_dts
from rootplex.tools import boot, initrd, kernels
from rootplex.tools.kernels import Kernel

BOARD = """\
rootplex: 1
platform: {name: dma, arch: arm64, base: qemu-virt, firmware: [FIRMWARE]}
memory: [{base: 0x4000_0000, size: 4GiB}]
host_bridges:
  - name: main
    segment: 0
    bus_range: [0, 0x3f]
    config: {base: 0x40_1000_0000}
    windows:
      - {space: mem32, pci: 0x10000000, size: 0x2eff0000}
      - {space: mem64, pci: 0x80_0000_0000, size: 0x80_0000_0000}
    RANGES
    intx: {controller: gic, irqs: [3, 4, 5, 6]}
    msi: {controller: its}
    devices:
      - {dev: 0, model: "qemu:gpex-root"}
      - {name: rp, dev: 1, model: "qemu:pcie-root-port", devices: [{name: disk, dev: 0, model: "qemu:nvme"}]}
"""
PORT = "0000:00:01.0"
LOW = "{pci: 0x4000_0000, size: 3GiB}"
EXCHANGED = (
    "{pci: 0x1_0000_0000, cpu: 0x4000_0000, size: 3GiB}, {pci: 0x4000_0000, cpu: 0x1_0000_0000, size: 1GiB}"
)
ELSEWHERE = "{pci: 0x2_0000_0000, cpu: 0x4000_0000, size: 4GiB}"

Alter = Callable[[str], str]


def below(dma_ranges: str, *, own: bool = True) -> Alter:
    """A tree's text with the bridge below a bus of those `dma-ranges`; without `own` ones it has none."""

    def altered(dts: str) -> str:
        start = re.search(r"^\t\S*\s?\S*pcie@", dts, re.MULTILINE)
        assert start is not None
        end = dts.index("\n\t};\n", start.start()) + len("\n\t};\n")
        node = dts[start.start() : end]
        if not own:
            node = re.sub(r"^\t\tdma-ranges = .*\n", "", node, flags=re.MULTILINE)
        bus = (
            '\tsoc {\n\t\tcompatible = "simple-bus";\n\t\t#address-cells = <2>;\n\t\t#size-cells = <2>;\n'
            f"\t\tranges;\n\t\tdma-ranges = {dma_ranges};\n{node}\t}};\n"
        )
        return dts[: start.start()] + bus + dts[end:]

    return altered


def limited(bits: int) -> Callable[[bytes], bytes]:
    """IORT with that limit of address bits in its root complexes, a byte at 32 (IORT E.f, table 7)."""

    def altered(table: bytes) -> bytes:
        data = bytearray(table)
        at = int.from_bytes(data[40:44], "little")
        for _ in range(int.from_bytes(data[36:40], "little")):
            if data[at] == 2:  # a root complex
                data[at + 32] = bits
            at += int.from_bytes(data[at + 1 : at + 3], "little")
        data[9] = 0
        data[9] = -sum(data) & 0xFF
        return bytes(data)

    return altered


class Case(Struct, frozen=True, kw_only=True):
    """A board's inbound ranges (None: it names none), and what of its tree or IORT is altered."""

    name: str
    firmware: Firmware
    ranges: str | None
    tree: Alter | None = None
    iort: Callable[[bytes], bytes] | None = None


CASES = (
    Case(name="no limit", firmware="dt", ranges=None),
    Case(name="memory below 4 GiB", firmware="dt", ranges=LOW),
    Case(name="low and high memory exchanged", firmware="dt", ranges=EXCHANGED),
    Case(name="all of memory, elsewhere", firmware="dt", ranges=ELSEWHERE),
    Case(name="no memory", firmware="dt", ranges="{pci: 0, size: 1GiB}"),
    Case(name="a bus above alone, 1 GiB", firmware="dt", ranges=None,
         tree=below("<0x0 0x40000000 0x0 0x40000000 0x0 0x40000000>", own=False)),
    Case(name="a bus above passes 3 of 4 GiB", firmware="dt", ranges="{pci: 0x4000_0000, size: 4GiB}",
         tree=below("<0x0 0x40000000 0x0 0x40000000 0x0 0xc0000000>")),
    Case(name="a bus above moves it", firmware="dt", ranges="{pci: 0x4000_0000, cpu: 0, size: 1GiB}",
         tree=below("<0x0 0x0 0x0 0x40000000 0x0 0x40000000>")),
    Case(name="a bus above passes none", firmware="dt", ranges=LOW,
         tree=below("<0x8 0x0 0x8 0x0 0x0 0x40000000>")),
    Case(name="no limit", firmware="acpi", ranges=None),
    Case(name="memory below 4 GiB", firmware="acpi", ranges=LOW),
    Case(name="low and high memory exchanged", firmware="acpi", ranges=EXCHANGED),
    Case(name="all of memory, elsewhere", firmware="acpi", ranges=ELSEWHERE),
    Case(name="no memory", firmware="acpi", ranges="{pci: 0, size: 64MiB}"),
    Case(name="31 bits by IORT", firmware="acpi", ranges=None, iort=limited(31)),
)  # fmt: skip


class Mapped(Struct, frozen=True):
    """Memory given to a device: on the bus, for the processor (None: the trace does not say), and whether
    through a bounce buffer."""

    bus: int
    cpu: int | None
    size: int
    copied: bool


class Told(Struct, frozen=True, kw_only=True):
    """What a kernel said: what was mapped for devices, mappings that failed, the bits of a port's DMA mask,
    where its lowest zone ends (None: it is empty), and whether the disk's driver came up."""

    mapped: tuple[Mapped, ...]
    failed: int
    bits: int
    zone_end: int | None
    disk: bool


SCRIPT = """\
busybox mount -t tracefs none /sys/kernel/tracing
tries=0
while [ ! -e /dev/nvme0n1 ] && [ $tries -lt 60 ] && [ -e /sys/bus/pci/drivers/nvme/0000:01:00.0 ]; do
    busybox usleep 100000
    tries=$((tries + 1))
done
busybox dd if=/dev/nvme0n1 of=/dev/null bs=64k 2>&1 && echo "dma: disk read"
echo "dma: bits $(busybox cat /sys/bus/pci/devices/%s/dma_mask_bits)"
busybox cat /sys/kernel/tracing/trace
busybox dmesg | busybox grep -E '  DMA +|DMA addr'
echo "%s"
"""
WORDS = "trace_event=swiotlb:*,dma:* trace_buf_size=8M nvme_core.admin_timeout=2"


def told(case: Case, kernel: Kernel, folder: Path) -> tuple[Result, Told]:
    """Boot a case in a folder: what is said of it, and what the kernel said."""
    ranges = "" if case.ranges is None else f"dma_windows: [{case.ranges}]"
    text = BOARD.replace("FIRMWARE", case.firmware).replace("RANGES", ranges)
    checked = read_checked(text.encode(), "dma.yaml")
    assert checked.platform is not None, checked.findings
    assert kernel.profile is not None
    made = prepare(checked.platform, case.firmware, kernel.profile)
    written = dict(files(made))
    written |= _altered(case, written)
    for name, data in written.items():
        (folder / name).write_bytes(data)
    if case.tree is None and case.iort is None:
        said = check_description(
            checked, "dma.yaml", RunOptions(firmware=case.firmware, kernel=kernel.profile)
        )
    elif case.firmware == "dt":
        said = validate(folder / "dma.dtb")
    else:
        tables = folder / "tables"
        tables.mkdir()
        for name in TABLES:
            if name in written:
                (tables / name).write_bytes(written[name])
        said = validate(tables)
    return said, _booted(made, kernel, folder, [(name, written[name]) for name, _ in made.tables])


def _altered(case: Case, written: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    if case.tree is not None:
        yield "dma.dtb", compile_dts(case.tree(written["dma.dts"].decode()), "altered.dts")
    if case.iort is not None:
        yield "iort.aml", case.iort(written["iort.aml"])


def _booted(made: Preparation, kernel: Kernel, folder: Path, tables: list[tuple[str, bytes]]) -> Told:
    image = folder / "initrd"
    image.write_bytes(initrd.image(kernel.busybox.read_bytes(), SCRIPT % (PORT, initrd.MARK), tables))
    argv = [*command(made, folder), "-kernel", str(kernel.image), "-initrd", str(image)]
    argv += ["-append", f"{append(made)} {WORDS}"]
    return read(boot.run(argv, log=folder / "console.log", until=initrd.MARK, seconds=180))


_EVENT = re.compile(r": (?P<event>swiotlb_bounced|dma_alloc|dma_map_\w+): (?:dev_name: )?0000:(?P<rest>.*)")
_LISTS = re.compile(r"dma_addrs=\{(?P<bus>[^}]*)\} sizes=\{(?P<sizes>[^}]*)\} phys_addrs=\{(?P<cpu>[^}]*)\}")


def read(console: str) -> Told:
    """The facts of a console's text. A mapping whose event follows that of a bounce was copied."""
    mapped: list[Mapped] = []
    pieces: list[tuple[int, int | None, int]]
    failed = bounced = 0
    for match in _EVENT.finditer(console):
        event, rest = match["event"], match["rest"]
        if event == "swiotlb_bounced":
            bounced += 1
            continue
        if event == "dma_alloc":
            pieces = [(_hex(rest, "dma_addr"), None, int(_word(rest, "size")))]
            if pieces == [(0, None, pieces[0][2])]:
                failed += 1
                continue
        elif (lists := _LISTS.search(rest)) is not None:
            bus, cpu = ([int(each, 16) for each in lists[side].split(",") if each] for side in ("bus", "cpu"))
            sizes = [int(each, 0) for each in lists["sizes"].split(",") if each]
            pieces = list(zip(bus, cpu, sizes, strict=True))
        elif "phys_addr=" in rest:
            pieces = [(_hex(rest, "dma_addr"), _hex(rest, "phys_addr"), int(_word(rest, "size")))]
        else:
            continue
        mapped += [Mapped(bus, cpu, size, bounced >= len(pieces)) for bus, cpu, size in pieces]
        bounced = 0
    zone = re.search(r"^\[.*\]   DMA +(?:\[mem 0x\w+-0x(\w+)\]|empty)", console, re.MULTILINE)
    bits = re.search(r"^dma: bits (\d+)", console, re.MULTILINE)
    assert zone is not None, console[-2000:]
    assert bits is not None, console[-2000:]
    failed += console.count("overflow (mask")
    return Told(
        mapped=tuple(mapped),
        failed=failed,
        bits=int(bits[1]),
        zone_end=int(zone[1], 16) + 1 if zone[1] else None,
        disk="dma: disk read" in console,
    )


def _word(text: str, key: str) -> str:
    found = re.search(rf"\b{key}=(\w+)", text)
    assert found is not None, text
    return found[1]


def _hex(text: str, key: str) -> int:
    return int(_word(text, key), 16)


def contradictions(dma: Dma, kernel: Told) -> Iterator[str]:
    """What the kernel did that is not as it is told of the bridge."""
    ways = [(each.pci, each.cpu, each.size) for each in dma.ranges] or [(0, 0, 1 << 64)]
    for each in kernel.mapped:
        end = each.bus + each.size
        way = next((way for way in ways if way[0] <= each.bus and end <= way[0] + way[2]), None)
        reached = each.cpu is not None and any(cpu <= each.cpu < cpu + size for _, cpu, size in ways)
        if way is None:
            yield f"PCI {each.bus:#x} is used, which is in no range"
        elif each.copied and reached:
            yield f"memory {each.cpu:#x} is copied, though it is in reach"
        elif not each.copied and each.cpu is not None and each.cpu - each.bus != way[1] - way[0]:
            yield f"memory {each.cpu:#x} is PCI {each.bus:#x}, and not {each.cpu - way[1] + way[0]:#x}"
    last = max(pci + size - 1 for pci, _, size in ways)
    if kernel.bits != min(32, last.bit_length()):
        yield f"a port has {kernel.bits} bits of DMA addresses, and not {min(32, last.bit_length())}"


CODES = ("RPX0125", "RPX0126", "RPX0127", "RPX0128", "RPX0129", "RPX0630")
FILE = Path(__file__).with_suffix(".md")
HEAD = """\
# What DMA reaches, on a real kernel

Written by `python -m bench.dma_boots`: QEMU's virt with 4 GiB of memory from 0x4000_0000 on, a disk below a
port, no IOMMU; Debian's kernels, QEMU 7.2.22. The kernel's trace events `dma:*` and `swiotlb:*` tell what its
drivers map. *Said* is what `check` says (`validate`, where tree or table was altered): the ranges, PCI to
CPU, and codes. *Mapped* counts pieces of memory that were given to the disk as they lie, *copied* those
through bounce buffers, *failed* what could not be mapped. *Bits* are those of a port's DMA mask, *zone* is
where the kernel's lowest zone of memory ends. A contradiction is a piece that lies elsewhere on the bus than
the ranges say, one in reach that was copied, one out of reach that was not, or another mask.

| firmware | case | kernel | said | mapped | copied | failed | bits | zone | disk | contradictions |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help="cases with this in `firmware: name`")
    parser.add_argument("--dom0", choices=tuple(SUITES), default=None)
    arguments = parser.parse_args()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    wrong = 0
    for profile in ("linux-6.12", "linux-7.2"):
        if arguments.dom0 not in (None, profile):
            continue
        kernel = kernels.newest(cache, "arm64", profile)
        for case in CASES:
            if (arguments.only or "") in f"{case.firmware}: {case.name}":
                with tempfile.TemporaryDirectory(prefix="rootplex-dma-") as folder:
                    said, seen = told(case, kernel, Path(folder))
                wrong += _show(case, kernel, said, seen)
    return 1 if wrong else 0


def _show(case: Case, kernel: Kernel, said: Result, seen: Told) -> int:
    (bridge,) = said.machine.bridges
    assert bridge.dma is not None
    found = sorted(set(contradictions(bridge.dma, seen)))
    counts = Counter(each.copied for each in seen.mapped)
    ranges = [f"{each.pci:#x} → {each.cpu:#x}, {each.size:#x}" for each in bridge.dma.ranges]
    zone = "empty" if seen.zone_end is None else f"{seen.zone_end:#x}"
    codes = sorted({each.code for each in said.findings if each.code in CODES})
    cells = (
        case.firmware,
        case.name,
        kernel.release,
        "; ".join((*(ranges or ["all, 1:1"]), *codes)),
        *(
            counts[False],
            counts[True],
            seen.failed,
            seen.bits,
            zone,
        ),
        "read" if seen.disk else "no",
        len(found),
    )
    row = f"| {' | '.join(map(str, cells))} |\n"
    print(row, *found[:8], sep="\n", flush=True)
    rows = FILE.read_text(encoding="utf-8").splitlines(keepends=True) if FILE.exists() else []
    kept = [each for each in rows if each.startswith(("| dt |", "| acpi |")) and _key(each) != _key(row)]
    FILE.write_text(HEAD + "".join(sorted((*kept, row), key=_order)), encoding="utf-8")
    return len(found)


def _key(row: str) -> list[str]:
    return [cell.strip() for cell in row.split("|")[1:4]]


def _order(row: str) -> tuple[str, int]:
    firmware, name, release = _key(row)
    names = [[case.firmware, case.name] for case in CASES]
    return release, names.index([firmware, name])


if __name__ == "__main__":
    sys.exit(main())
