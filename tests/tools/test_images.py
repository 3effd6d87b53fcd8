"""What kernel images say of themselves: offsets of the kernel's boot documents, and Debian's kernels."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from rootplex.tools import images
from rootplex.tools.images import Arch, Image
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError


def arm64_image(
    banner: bytes = b"Linux version 6.1.0-50-cloud-arm64 (debian-kernel@lists.debian.org)",
) -> bytes:
    return b"MZ".ljust(56, b"\0") + b"ARM\x64" + bytes(1000) + banner


def riscv_image() -> bytes:
    banner = b"Linux version 6.12.117+deb13-riscv64 (debian-kernel@lists.debian.org)"
    return b"MZ".ljust(48, b"\0") + b"RISCV\0\0\0RSC\x05" + bytes(1000) + banner


def x86_image(
    flags: int = 1, release: bytes = b"6.1.0-50-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP"
) -> bytes:
    data = bytearray(0x3000)
    data[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", data, 0x20E, 0x2000)
    struct.pack_into("<H", data, 0x236, flags)
    data[0x2200 : 0x2200 + len(release)] = release
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "image"),
    [
        (arm64_image(), Image("arm64", "6.1.0-50-cloud-arm64")),
        (x86_image(), Image("x86_64", "6.1.0-50-cloud-amd64")),
        (riscv_image(), Image("riscv64", "6.12.117+deb13-riscv64")),
    ],
)
def test_an_image_tells_architecture_and_release(tmp_path: Path, data: bytes, image: Image) -> None:
    (tmp_path / "vmlinuz").write_bytes(data)
    assert images.read(tmp_path / "vmlinuz") == image


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither an arm64 or riscv64 Image nor an x86 bzImage"),
        (b"\x7fELF" + bytes(600), "neither an arm64 or riscv64 Image nor an x86 bzImage"),
        (b"MZ\0\0zimg" + bytes(600), "compressed EFI image"),
        (b"\x1f\x8b" + bytes(600), "compressed with gzip"),
        (x86_image(flags=0), "32-bit x86"),
        (x86_image(release=b""), "names no release"),
        (arm64_image(b""), "names no release"),
    ],
)
def test_anything_else_is_refused_with_the_reason(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "vmlinuz").write_bytes(data)
    with pytest.raises(ToolError, match=words):
        images.read(tmp_path / "vmlinuz")


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="No such file"):
        images.read(tmp_path / "vmlinuz")


@pytest.mark.boot
@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_debians_kernel_is_what_its_package_says(kernel: Callable[[Arch, str], Kernel], arch: Arch) -> None:
    found = kernel(arch, "linux-6.1")
    assert images.read(found.image) == Image(arch, found.release)
    assert found.release.startswith("6.1.")
