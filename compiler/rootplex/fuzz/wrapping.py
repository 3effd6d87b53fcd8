"""Inputs that are packed, or are several files, as one run of bytes that can be damaged anywhere."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from rootplex.fuzz.mutation import damaged, damaged_tables, damaged_tree, split_tables
from rootplex.readers.dts import compile_dts

BORDER = b"\n//////\n"
"""Between the files of a device tree source."""
_DTB = b"\xd0\x0d\xfe\xed"
_DTB_LENGTH = slice(4, 8)
_VERSION = "/dts-v1/;"
_BRIDGE = re.compile(r"^\t(?P<label>\w+): pcie@\w+ \{$", re.MULTILINE)
_OVERLAY = """/dts-v1/;
/plugin/;
&%s { bus-range = <0 0x1f>; added@8,0 { reg = <0x4000 0 0 0 0>; }; };
&{/} { model = "with an overlay"; };
"""


class Packing(Struct, frozen=True):
    """A way to pack bytes, and back."""

    pack: Callable[[bytes], bytes]
    unpack: Callable[[bytes], bytes]


def _zipped(data: bytes) -> bytes:
    """Each ACPI table as a member; bytes that are none as one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, body in enumerate(split_tables(data) or [data]):
            archive.writestr(zipfile.ZipInfo(f"table{number}.dat"), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _unzipped(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(map(archive.read, archive.infolist()))


PACKINGS: Mapping[str, Packing] = {
    "gzip": Packing(partial(gzip.compress, compresslevel=1, mtime=0), gzip.decompress),
    "bzip2": Packing(partial(bz2.compress, compresslevel=1), bz2.decompress),
    "xz": Packing(partial(lzma.compress, preset=0), lzma.decompress),
    "zip": Packing(_zipped, _unzipped),
}


def damaged_packed(form: str, data: bytes, dice: random.Random) -> bytes:
    """What is packed, damaged and packed again; or the packed bytes."""
    if dice.random() < 0.5:
        return damaged(data, dice)
    packing = PACKINGS[form]
    inner = packing.unpack(data)
    damage = damaged_tree if inner.startswith(_DTB) else damaged_tables if split_tables(inner) else damaged
    return packing.pack(damage(inner, dice))


def behind_tree(data: bytes) -> tuple[bytes, ...]:
    """A device tree blob and what stands behind it, wherever the damage has moved the border."""
    length = int.from_bytes(data[_DTB_LENGTH], "big")
    return (data[:length], data[length:]) if 0 < length < len(data) else (data,)


def with_overlay(source: str) -> bytes | None:
    """The blob of a device tree source with an overlay's on its first host bridge behind it."""
    bridge = _BRIDGE.search(source)
    if bridge is None:
        return None
    base = compile_dts(source, "x.dts", symbols=True)
    return base + compile_dts(_OVERLAY % bridge["label"], "x.dtso", symbols=True)


def damaged_overlaid(data: bytes, dice: random.Random) -> bytes:
    """Either of the two blobs, the overlay mostly."""
    base, *overlays = behind_tree(data)
    if not overlays or dice.random() < 0.2:
        return damaged_tree(data, dice)
    return base + damaged_tree(overlays[0], dice)


def in_files(source: str) -> bytes:
    """A device tree source that includes itself: by the preprocessor, and by dtc's word."""
    tree = source.partition(_VERSION)[2].replace('"pci"', "PCI")
    files: Sequence[str] = (
        f'{_VERSION}\n#define ALSO(name, value) name = value\n#include "1.dtsi"\n/include/ "2.dtsi"\n',
        f'#ifndef PCI\n#define PCI "pci"\n#include <2.dtsi>\n#endif\n{tree}\n/ {{ ALSO(model, "in"); }};\n',
        '/ { serial-number = "also"; };\n',
    )
    return BORDER.join(each.encode() for each in files)


def files_in(data: bytes) -> Mapping[str, bytes]:
    """The files by their names, the source first."""
    parts = data.split(BORDER)
    return {f"{number}.dtsi" if number else "x.dts": part for number, part in enumerate(parts)}
