"""Is it a Xen, and one for the machine? Images laid out as booting.txt and the Multiboot text say."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from rootplex.tools.hypervisors import newest, read, unpacked
from rootplex.tools.images import Arch
from rootplex.tools.runner import ToolError

BANNER = b"\0Xen version %d.%d%s (%s@%s)\0"
ARM64 = bytes(56) + b"ARM\x64" + bytes(68) + BANNER
X86 = b"\x7fELF\x01\x01\x01".ljust(0x88, b"\0") + struct.pack(
    "<3I", 0x1BADB002, 3, -0x1BADB005 & (1 << 32) - 1
)
X86 += BANNER


@pytest.mark.parametrize(
    ("data", "arch"),
    [(ARM64, "arm64"), (X86, "x86_64"), (gzip.compress(X86), "x86_64")],
    ids=["arm64", "x86", "x86-gzip"],  # an archive holds the time: no name for a test
)
def test_an_image_is_read_as_qemu_wants_it(data: bytes, arch: Arch, tmp_path: Path) -> None:
    (tmp_path / "xen").write_bytes(data)
    assert read(tmp_path / "xen", arch) == (X86 if arch == "x86_64" else ARM64)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no Xen: neither an arm64 Image of it nor an x86 multiboot file"),
        (ARM64.replace(b"Xen version", b"Linux version"), "is no Xen"),
        (X86.replace(struct.pack("<I", 0x1BADB002), bytes(4)), "is no Xen"),
        (X86, "is a Xen for x86_64, and the machine is arm64"),
        (b"\x1f\x8b" + b"\xff" * 40, "is a damaged gzip file"),
    ],
    ids=["empty", "linux", "no-multiboot", "other-machine", "damaged"],
)
def test_what_is_none_is_told_in_a_line(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "xen").write_bytes(data)
    with pytest.raises(ToolError) as refusal:
        read(tmp_path / "xen", "arm64")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_image_is_told() -> None:
    with pytest.raises(ToolError, match="cannot read the Xen image /nowhere: No such file or directory"):
        read(Path("/nowhere"), "arm64")


def test_nothing_is_unpacked_in_an_empty_cache(tmp_path: Path) -> None:
    assert unpacked(tmp_path, "arm64") == ()
    assert newest(tmp_path, "arm64") is None
