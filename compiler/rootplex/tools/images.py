"""What a kernel image says of itself: its architecture and its release.

Sources: the kernel's Documentation/arch/arm64/booting.rst (magic `ARM\\x64` at 56),
Documentation/arch/riscv/boot-image-header.rst (`RSC\\x05` there) and
Documentation/arch/x86/boot.rst (`HdrS` at 0x202, kernel_version at 0x20e, xloadflags at 0x236).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from rootplex.tools.runner import ToolError

Arch = Literal["arm64", "x86_64", "riscv64"]

_LIMIT = 256 << 20
_BANNER = re.compile(rb"Linux version ([0-9][0-9A-Za-z.+~_-]{0,63}) ")

_MAGIC: dict[bytes, Arch] = {b"ARM\x64": "arm64", b"RSC\x05": "riscv64"}
_KERNELS = {"arm64": "an arm64 kernel", "riscv64": "a riscv64 kernel"}


class Image(NamedTuple):
    """A kernel image's architecture and its release, as `uname -r` would print it."""

    arch: Arch
    release: str


def read(image: Path) -> Image:
    """Look into an image; ToolError where it is none that QEMU 7.2 boots with `-kernel`."""
    try:
        with image.open("rb") as file:
            data = file.read(_LIMIT)
    except OSError as error:
        raise ToolError(f"cannot read the kernel {image}: {error.strerror}") from None
    if data[0x202:0x206] == b"HdrS":
        return _x86(image, data)
    arch = _MAGIC.get(data[56:60])
    if arch is not None:
        found = _BANNER.search(data)
        if found is None:
            raise ToolError(f"{image} is {_KERNELS[arch]} that names no release")
        return Image(arch, found[1].decode())
    if data[4:8] == b"zimg":
        raise ToolError(
            f"{image} is a compressed EFI image (zboot); the plain Image of that kernel is needed"
        )
    if data[:2] == b"\x1f\x8b":
        raise ToolError(f"{image} is compressed with gzip; the plain Image of that kernel is needed")
    raise ToolError(f"{image} is neither an arm64 or riscv64 Image nor an x86 bzImage")


def _x86(image: Path, data: bytes) -> Image:
    if not int.from_bytes(data[0x236:0x238], "little") & 1:
        raise ToolError(f"{image} is a 32-bit x86 kernel; a 64-bit one is needed")
    start = int.from_bytes(data[0x20E:0x210], "little") + 0x200
    words = data[start : start + 256].split(b"\0")[0].split()
    if not words:
        raise ToolError(f"{image} is an x86 kernel that names no release")
    return Image("x86_64", words[0].decode("ascii", "replace"))
