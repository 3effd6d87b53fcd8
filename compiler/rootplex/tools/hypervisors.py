"""Xen's images: what one says of itself, and Debian's, unpacked with a kernel for Dom0 into the user's cache.

    <cache>/rootplex/xen/<arch>/<version>/{xen,vmlinuz,busybox}

`xen` is what QEMU starts with `-kernel`: an arm64 Image, or an x86 multiboot file, for which it must not be
compressed. A Dom0 needs Debian's full kernel: the cloud kernel is built without CONFIG_XEN_DOM0. Sources:
Xen's docs/misc/arm/booting.txt; the Multiboot specification 0.6.96 §3.1 (the magic, in the first 8 KiB).
"""

from __future__ import annotations

import re
import shutil
import zlib
from pathlib import Path

from msgspec import Struct

from rootplex.known.kernels import profile_of as kernel_profile_of
from rootplex.known.xen import DEBIAN, profile_of
from rootplex.tools import apt, images, kernels
from rootplex.tools.apt import Progress, silent
from rootplex.tools.images import Arch
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError

_LIMIT = 64 << 20
_GZIP = b"\x1f\x8b"
_MULTIBOOT = (0x1BADB002).to_bytes(4, "little")
_MULTIBOOT_SEARCH = 8192
_BANNER = b"Xen version %d.%d%s"
"""The format of its first line (xen/common/kernel.c, drivers/char/console.c)."""


class Hypervisor(Struct, frozen=True):
    """A Xen to boot and the kernel for its Dom0."""

    arch: Arch
    image: Path
    dom0: Kernel


def read(image: Path, arch: Arch) -> bytes:
    """The image's bytes as QEMU wants them; ToolError where it is no Xen, or one for another machine."""
    try:
        with image.open("rb") as file:
            data = file.read(_LIMIT)
    except OSError as error:
        raise ToolError(f"cannot read the Xen image {image}: {error.strerror}") from None
    if data[:2] == _GZIP:
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, _LIMIT)
        except zlib.error:
            raise ToolError(f"{image} is a damaged gzip file") from None
    found: Arch | None = None
    if data[56:60] == b"ARM\x64":
        found = "arm64"
    elif data[:4] == b"\x7fELF" and _MULTIBOOT in data[:_MULTIBOOT_SEARCH]:
        found = "x86_64"
    if found is None or _BANNER not in data:
        raise ToolError(f"{image} is no Xen: neither an arm64 Image of it nor an x86 multiboot file")
    if found != arch:
        raise ToolError(f"{image} is a Xen for {found}, and the machine is {arch}")
    return data


def folder(cache: Path, arch: Arch) -> Path:
    """Where an architecture's lie below the user's cache folder."""
    return cache / "rootplex" / "xen" / arch


def unpacked(cache: Path, arch: Arch) -> tuple[Hypervisor, ...]:
    """Those that are there, oldest version first; none is no error."""
    entries = sorted(
        folder(cache, arch).glob("[0-9]*"),
        key=lambda entry: [int(part) for part in re.findall(r"\d+", entry.name)],
    )
    return tuple(_hypervisor(entry, arch) for entry in entries if _is_whole(entry))


def newest(cache: Path, arch: Arch, profile: str | None = None) -> Hypervisor | None:
    """The newest that is unpacked, or the newest of a profile; None where there is none."""
    return next(
        (
            each
            for each in reversed(unpacked(cache, arch))
            if profile is None or profile_of(each.image.parent.name) == profile
        ),
        None,
    )


def fetch(cache: Path, arch: Arch, profile: str, progress: Progress = silent) -> Hypervisor:
    """Download a profile's Xen, the full kernel of its Debian and a static busybox, and unpack them.

    `progress` is told of each step. ToolError as of `kernels.fetch`.
    """
    suite = DEBIAN.get(profile)
    if suite is None:
        raise ToolError(f"no Debian suite is known to hold {profile} (known: {', '.join(DEBIAN)})")
    place = folder(cache, arch)
    place.mkdir(parents=True, exist_ok=True)
    with kernels.alone(place):
        source = kernels.debian(place, suite, arch, apt.mirror())
        progress(f"reading the package lists of {suite} ({source.arch})")
        source.update()
        return _fetch(source, place, arch, progress)


def _fetch(source: apt.Apt, place: Path, arch: Arch, progress: Progress) -> Hypervisor:
    xen = _dependency(source, f"xen-system-{source.arch}", r"xen-hypervisor-\d")
    linux = _dependency(source, f"linux-image-{source.arch}", r"linux-image-\d")
    progress(f"downloading {xen}, {linux} and busybox-static", source.downloaded)
    packages = source.download([xen, linux, "busybox-static"])
    progress(f"unpacking {xen}")
    with kernels.unpacking(place, packages) as (tree, whole):
        image = "xen-*.gz" if arch == "x86_64" else "xen-*-arm64"
        (whole / "xen").write_bytes(read(kernels.only(tree, image, xen), arch))
        kernels.only(tree, "vmlinuz*", linux).rename(whole / "vmlinuz")
        kernels.only(tree, "busybox", "busybox-static").rename(whole / "busybox")
        images.read(whole / "vmlinuz")
        target = place / packages[0].name.split("_")[1].split("+")[0].split("-")[0]
        shutil.rmtree(target, ignore_errors=True)
        whole.rename(target)
    source.forget()
    return _hypervisor(target, arch)


def _dependency(source: apt.Apt, package: str, pattern: str) -> str:
    for name in source.dependencies(package):
        if re.match(pattern, name):
            return name
    raise apt.NotOfferedError(f"the suite {source.suite} has a {package} that depends on no {pattern}")


def _is_whole(entry: Path) -> bool:
    return all((entry / name).is_file() for name in ("xen", "vmlinuz", "busybox"))


def _hypervisor(entry: Path, arch: Arch) -> Hypervisor:
    kernel = images.read(entry / "vmlinuz")
    profile = kernel_profile_of(kernel.release)
    dom0 = Kernel(arch, kernel.release, profile, entry / "vmlinuz", entry / "busybox")
    return Hypervisor(arch, entry / "xen", dom0)
