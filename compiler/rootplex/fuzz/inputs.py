"""What a damaged input is given to, and the whole ones to begin with: machines compiled."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeAlias

from rootplex.backends.compilation import compile_platform
from rootplex.fuzz.machines import machines
from rootplex.fuzz.wrapping import PACKINGS, behind_tree, files_in, in_files, with_overlay
from rootplex.jobs.boards import Board, Item, read_item
from rootplex.jobs.check import check_text
from rootplex.jobs.describe import read_checked
from rootplex.jobs.importing import description_text, import_source
from rootplex.jobs.result import Result
from rootplex.jobs.settings import RunOptions
from rootplex.jobs.sources import Source, Trees, kind_of, source_of_bytes
from rootplex.jobs.validate import validate_board
from rootplex.source.finding import Unreadable
from rootplex.tools.runner import private_folder

Show: TypeAlias = Callable[[Result], object]
"""What a result is shown by; a fault there is one like any other."""

TABLES = ("mcfg", "iort", "dmar", "ivrs", "viot", "rimt")
FIRMWARE = ("dtb", *TABLES, "aml")
BOARDS = (
    *("dts", "included", "overlaid", "acpidump", "archive", *PACKINGS),
    *("board", "lspci", "paste", "snapshot"),
)
"""Whole inputs of a vendor's; `board` is a device tree with the tables behind it, `overlaid` one with an
overlay, `included` a source in several files."""
DESCRIPTIONS = ("yaml",)


def taken(form: str, data: bytes, show: Show | None = None) -> None:
    """Give an input to all that reads its kind: `check`, or `validate` and `import`. No input should make it
    raise; ValueError is a refusal without findings."""
    if form in DESCRIPTIONS:
        _shown(check_text(data, "x.yaml", RunOptions()), show)
        return
    with _items(form, data) as items:
        _shown(validate_board(Board(items)), show)
        for item in items:
            try:  # by the same name: the interpreter is asked once for both
                text = description_text(import_source(read_item(item)))
                read_checked(text.encode(), "x.yaml")
            except Unreadable as error:
                if not error.findings:
                    raise ValueError("refused without a finding") from error


@contextmanager
def _items(form: str, data: bytes) -> Iterator[tuple[Item, ...]]:
    """An input as `validate` is given it."""
    match form:
        case "included":
            with private_folder() as folder:
                for name, body in files_in(data).items():
                    (folder / name).write_bytes(body)
                yield (Item(str(folder / "x.dts"), "dts", trees=Trees(folders=(str(folder),))),)
        case "overlaid":
            base, *overlays = behind_tree(data)
            trees = Trees(overlays=tuple(("x.dtbo", each) for each in overlays))
            yield (Item("x0", kind_of(base), base, trees),)
        case _:
            sides = behind_tree(data) if form == "board" else (data,)
            yield tuple(Item(f"x{number}", kind_of(side), side) for number, side in enumerate(sides))


def _shown(result: Result, show: Show | None) -> None:
    if result.unreadable and not result.findings:
        raise ValueError("unreadable without a finding")
    if show is not None:
        show(result)


@cache
def seeds(form: str) -> tuple[bytes, ...]:
    """Whole inputs of a format: of each machine that has it. Snapshots are the caller's to give
    (`kept`): none is bundled."""
    return tuple(_seeds(form))


def _seeds(form: str) -> Iterator[bytes]:
    for name, path in machines().items():
        if form == "yaml":
            yield path.read_bytes()
            continue
        files = _compiled(path)
        tree = files.get(f"{name}.dtb")
        tables = [files[file] for each in (*TABLES, "ssdt") if (file := f"{each}.aml") in files]
        match form:
            case "dtb" if tree is not None:
                yield tree
            case "dts" if tree is not None:
                yield files[f"{name}.dts"]
            case "included" if tree is not None:
                yield in_files(files[f"{name}.dts"].decode())
            case "overlaid" if tree is not None:
                overlaid = with_overlay(files[f"{name}.dts"].decode())
                if overlaid is not None:
                    yield overlaid
            case "zip" if tables:
                yield PACKINGS[form].pack(b"".join(tables))
            case _ if form in PACKINGS:
                if tree is not None:
                    yield PACKINGS[form].pack(tree)
                if tables:
                    yield PACKINGS[form].pack(_archive(tables))
            case _ if form in TABLES and f"{form}.aml" in files:
                yield files[f"{form}.aml"]
            case "aml" if "ssdt.aml" in files:
                yield files["ssdt.aml"] + files.get("mcfg.aml", b"")
            case "acpidump" if tables:
                yield _dump(tables)
            case "archive" if tables:
                yield _archive(tables)
            case "board" if tree is not None and tables:
                yield tree + b"".join(tables)
            case "lspci":
                yield _lspci(files["config.bin"])
            case "paste":
                yield _paste(files["config.bin"])


@cache
def _compiled(path: Path) -> dict[str, bytes]:
    platform = read_checked(path.read_bytes(), path.name).platform
    assert platform is not None
    return dict(compile_platform(platform).files)


def _dump(tables: Sequence[bytes]) -> bytes:
    lines: list[str] = []
    for data in tables:
        lines.append(f"{data[:4].decode()} @ 0x0000000000000000\n")
        lines += [f"    {at:04X}: {data[at : at + 16].hex(' ').upper()}\n" for at in range(0, len(data), 16)]
        lines.append("\n")
    return "".join(lines).encode()


def _archive(tables: Sequence[bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number, data in enumerate(tables):
            info = tarfile.TarInfo(f"{data[:4].decode()}{number}.dat")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _lspci(pages: bytes) -> bytes:
    """The first functions of a hardware image as `lspci -xxxx` prints them, one behind the other."""
    rows: list[str] = []
    for slot in range(min(len(pages) // 8192, 8)):
        page = pages[slot * 8192 : slot * 8192 + 256]
        rows.append(f"0000:00:{slot:02x}.0 Device {page[3]:02x}{page[2]:02x}\n")
        rows += [f"{at:02x}: {page[at : at + 16].hex(' ')}\n" for at in range(0, 256, 16)]
        rows.append("\n")
    return "".join(rows).encode()


_SAID = """\
[    0.000000] Linux version 6.1.0-1-amd64 (x) x86_64
[    0.000000] Command line: pcie_acs_override=downstream
[    0.1] ACPI: PCI Root Bridge [PCI0] (domain 0000 [bus 00-3f])
[    0.2] pci_bus 0000:00: root bus resource [mem 0xc0000000-0xcfffffff window]
[    0.3] pci 0000:00:01.0: BAR 0 [mem size 0x10000000 64bit pref]: can't assign; no space
"""


def _paste(pages: bytes) -> bytes:
    """The same functions by lspci's words, in a list of groups and in a log."""
    parts: list[str] = []
    lists: list[str] = []
    logs: list[str] = [_SAID]
    for slot in range(min(len(pages) // 8192, 8)):
        page = pages[slot * 8192 : slot * 8192 + 256]
        ids = f"{page[1]:02x}{page[0]:02x}:{page[3]:02x}{page[2]:02x}"
        name = (
            f"00:{slot:02x}.0 PCI bridge [{page[11]:02x}{page[10]:02x}]: Device [{ids}] (rev {page[8]:02x})\n"
        )
        parts += [name, "\tControl: I/O+\n\tBus: primary=00, secondary=01, subordinate=02\n"]
        parts.append("\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00\n")
        parts.append("\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+\n\n")
        lists += [
            f"IOMMU Group {slot // 2} {name}",
            f"/sys/kernel/iommu_groups/1/devices/0000:01:{slot:02x}.0\n",
        ]
        logs.append(f"[    0.4] pci 0000:00:{slot:02x}.0: [{ids}] type 01 class 0x060400\n")
    return "".join([*parts, *lists, "\n-[0000:00]-+-00.0-[01]----00.0\n", *logs]).encode()


def kept(folder: Path) -> dict[str, tuple[bytes, ...]]:
    """The inputs in a folder by format, to begin with beside those of machines; gzip is undone."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") and path.suffix == ".gz" else data
        try:
            form = _form(source_of_bytes(data, path.name))
        except Unreadable:
            continue
        found.setdefault(form, []).append(data)
    return {form: tuple(inputs) for form, inputs in found.items()}


def _form(source: Source) -> str:
    return "acpidump" if source.kind == "acpi" else source.kind
