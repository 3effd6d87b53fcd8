"""Debian's kernels, unpacked into the user's cache: nothing of the system is touched.

    <cache>/rootplex/kernels/<arch>/<release>/{vmlinuz,busybox,modules/NN-name.ko}

A kernel's folder comes into being by one rename, so it is whole or not there; what was downloaded
before an interruption is used again. The UEFI firmware for an ACPI boot is the system's own.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from rootplex.known.kernels import SUITES, profile_of
from rootplex.tools import apt, images, leaving
from rootplex.tools.apt import Progress, silent
from rootplex.tools.images import Arch
from rootplex.tools.modules import wanted
from rootplex.tools.replacing import lock
from rootplex.tools.runner import ToolError

_DEBIAN_ARCH: dict[Arch, str] = {"arm64": "arm64", "x86_64": "amd64", "riscv64": "riscv64"}
_FLAVOURS: dict[Arch, str] = {"arm64": "cloud-arm64", "x86_64": "cloud-amd64", "riscv64": "riscv64"}
"""Debian's kernel for a virtual machine; riscv64 has the full one alone."""

MODULES: dict[Arch, tuple[str, ...]] = {
    "arm64": ("pci-pf-stub", "virtio-iommu"),
    "x86_64": ("pci-pf-stub", "virtio-iommu"),
    "riscv64": ("nvme", "pci-pf-stub"),
}
"""The kernel's modules that a boot wants and that are not built in. `pci-pf-stub` drives any physical
function and switches its virtual ones on (drivers/pci/pci-pf-stub.c)."""

_MODULES_OF_FULL = ("nvme", "pci-pf-stub")
"""The same of a full kernel."""

_NOT_BUILT = {"linux-6.1": frozenset({"virtio-iommu"})}
"""Modules that Debian's kernels of a profile are built without."""

_UEFI: dict[Arch, tuple[str, tuple[str, ...]]] = {
    "arm64": (
        "qemu-efi-aarch64",
        ("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "/usr/share/edk2/aarch64/QEMU_EFI.fd"),
    ),
    "x86_64": ("ovmf", ("/usr/share/ovmf/OVMF.fd", "/usr/share/edk2/ovmf/OVMF.fd")),
}


class Kernel(Struct, frozen=True):
    """An unpacked kernel, a static busybox of its architecture, and the profile of its behaviour
    (None: there is none for this release). `modules` are those that a boot loads, in this order; none
    where the kernel came otherwise."""

    arch: Arch
    release: str
    profile: str | None
    image: Path
    busybox: Path
    modules: tuple[Path, ...] = ()


def folder(cache: Path, arch: Arch, *, full: bool = False) -> Path:
    """Where the kernels of an architecture lie below the user's cache folder; the full ones apart."""
    return cache / "rootplex" / "kernels" / (f"{arch}-full" if full else arch)


def unpacked(cache: Path, arch: Arch, *, full: bool = False) -> tuple[Kernel, ...]:
    """The kernels that are there, oldest release first; none is no error."""
    kernels = (_kernel(entry, arch) for entry in folder(cache, arch, full=full).glob("[0-9]*"))
    whole = [kernel for kernel in kernels if kernel.image.is_file() and kernel.busybox.is_file()]
    return tuple(sorted(whole, key=lambda kernel: [int(part) for part in re.findall(r"\d+", kernel.release)]))


def newest(cache: Path, arch: Arch, profile: str, *, full: bool = False) -> Kernel:
    """The newest unpacked kernel of a profile; ToolError that says how to get one."""
    for kernel in reversed(unpacked(cache, arch, full=full)):
        if kernel.profile == profile:
            return kernel
    raise ToolError(
        f"no {'full ' if full else ''}{arch} kernel of the profile {profile} is unpacked in "
        f"{folder(cache, arch, full=full)} (rootplex fetch-kernel --arch {arch} --profile {profile}"
        f"{' --full' if full else ''} gets one)"
    )


def of_release(cache: Path, arch: Arch, release: str) -> Kernel:
    """The unpacked kernel of that release; ToolError where it is not there."""
    for kernel in (*unpacked(cache, arch), *unpacked(cache, arch, full=True)):
        if kernel.release == release:
            return kernel
    raise ToolError(f"Linux {release} for {arch} is not unpacked in {folder(cache, arch)}")


def uefi(arch: Arch) -> Path:
    """The UEFI firmware for QEMU; ToolError naming Debian's package where it is missing."""
    package, places = _UEFI[arch]
    for place in places:
        if Path(place).is_file():
            return Path(place)
    raise ToolError(f"no UEFI firmware for {arch} is installed (on Debian: apt-get install {package})")


def lacking(kernel: Kernel) -> tuple[str, ...]:
    """The modules that a boot wants of a kernel and that are not unpacked with it."""
    there = {_module(path) for path in kernel.modules}
    full = "-cloud-" not in kernel.release
    return tuple(name for name in _modules(kernel.arch, kernel.profile, full=full) if name not in there)


def has_module(kernel: Kernel, name: str) -> bool:
    """Whether a boot of the kernel loads a module of this name."""
    return name in map(_module, kernel.modules)


def _modules(arch: Arch, profile: str | None, *, full: bool) -> tuple[str, ...]:
    left_out = _NOT_BUILT.get(profile or "", frozenset())
    names = _MODULES_OF_FULL if full else MODULES[arch]
    return tuple(name for name in names if name not in left_out)


def fetch(
    cache: Path, arch: Arch, profile: str, progress: Progress = silent, *, full: bool = False
) -> Kernel:
    """Download the profile's newest kernel for virtual machines, or the `full` one, and a static busybox with
    apt, and unpack both.

    `progress` is told of each step. ToolError, in a line that says which: there is no apt, it has no
    source, its mirror cannot be reached or offers no suite with such a kernel, a package is broken.
    """
    if profile not in SUITES:
        raise ToolError(f"no Debian suite is known to hold {profile} (known: {', '.join(SUITES)})")
    place = folder(cache, arch, full=full)
    place.mkdir(parents=True, exist_ok=True)
    mirror = apt.mirror()
    refusals: list[str] = []
    with alone(place):
        for suite in SUITES[profile]:
            try:
                source = debian(place, suite, arch, mirror)
                return _fetch(source, place, arch, profile, progress, full=full)
            except apt.NotOfferedError as error:
                refusals.append(str(error))
    raise ToolError("; ".join(refusals))


def _fetch(
    source: apt.Apt, place: Path, arch: Arch, profile: str, progress: Progress, *, full: bool
) -> Kernel:
    progress(f"reading the package lists of {source.suite} ({source.arch})")
    source.update()
    package = _image_package(source, _DEBIAN_ARCH[arch] if full else _FLAVOURS[arch])
    release = package.removeprefix("linux-image-").removeprefix("linux-binary-")
    if profile_of(release) != profile:
        raise apt.NotOfferedError(f"the suite {source.suite} has {release}, which is not {profile}")
    kernel = _kernel(place / release, arch)
    is_whole = kernel.image.is_file() and kernel.busybox.is_file()
    if is_whole and not lacking(kernel):
        progress(f"{release} is unpacked already")
        return kernel
    progress(f"downloading {package} and busybox-static", source.downloaded)
    # From 7.x on the modules are a package of their own.
    packages = source.download(list(dict.fromkeys((package, package.replace("-binary-", "-modules-", 1)))))
    # A backports suite holds little beside kernels; busybox is its base suite's.
    base = debian(place, source.suite.removesuffix("-backports"), arch, source.mirror)
    if base != source:
        base.update()
    packages += base.download(["busybox-static"])
    progress(f"unpacking {release}")
    with unpacking(place, packages) as (tree, whole):
        only(tree, "vmlinu[xz]*", package).rename(whole / "vmlinuz")
        only(tree, "busybox", "busybox-static").rename(whole / "busybox")
        _take_modules(tree, whole, _modules(arch, profile, full=full), package)
        image = images.read(whole / "vmlinuz")
        if (image.arch, image.release) != (arch, release):
            raise ToolError(f"{package} holds {image.release} for {image.arch}, not {release} for {arch}")
        shutil.rmtree(place / release, ignore_errors=True)  # one that lost a file
        whole.rename(place / release)
    source.forget()
    base.forget()
    return _kernel(place / release, arch)


@contextmanager
def unpacking(place: Path, packages: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """A folder with all files of the packages, and an empty one for what is kept of them, which the block
    moves to where it belongs."""
    fresh = place / f".new-{os.urandom(8).hex()}"
    with leaving.passing(fresh):
        tree, whole = fresh / "tree", fresh / "whole"
        whole.mkdir(parents=True)
        for package in packages:
            apt.unpack(package, tree)
        yield tree, whole


def debian(place: Path, suite: str, arch: Arch, mirror: str) -> apt.Apt:
    """A suite's packages for an architecture; what apt keeps of it is in `place`."""
    return apt.Apt(place / f".apt-{suite}", suite, _DEBIAN_ARCH[arch], mirror)


def _image_package(source: apt.Apt, flavour: str) -> str:
    """The package that holds the image: linux-image-X, which from 7.x on only depends on linux-binary-X."""
    package = f"linux-image-{flavour}"
    for prefix in ("linux-image-", "linux-binary-"):
        names = [name for name in source.dependencies(package) if re.match(rf"{prefix}\d", name)]
        package = names[0] if names else package
    return package


def _take_modules(tree: Path, whole: Path, names: tuple[str, ...], package: str) -> None:
    """The modules out of an unpacked tree, named by the order in which they are loaded."""
    (whole / "modules").mkdir()
    for number, (name, data) in enumerate(wanted(tree, names, package)):
        (whole / "modules" / f"{number:02}-{name}.ko").write_bytes(data)


def _module(file: Path) -> str:
    """The name of an unpacked module."""
    return file.stem.partition("-")[2]


def modules_beside(image: Path) -> tuple[Path, ...]:
    """What lies in the folder `modules` beside a kernel, in the order in which it is loaded."""
    return tuple(sorted((image.parent / "modules").glob("*.ko")))


def _kernel(entry: Path, arch: Arch) -> Kernel:
    image = entry / "vmlinuz"
    return Kernel(arch, entry.name, profile_of(entry.name), image, entry / "busybox", modules_beside(image))


def only(tree: Path, pattern: str, package: str) -> Path:
    """The one file of that name that is worth something; ToolError where there is none or a choice."""
    files = [path for path in sorted(tree.rglob(pattern)) if path.is_file() and not path.is_symlink()]
    files = [path for path in files if path.stat().st_size > 1 << 16]  # not the folders of documentation
    if len(files) != 1:
        raise ToolError(f"the package {package} holds {len(files)} files {pattern}, not one")
    return files[0]


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Wait until no other process fetches into this folder; the lock ends with the process."""
    with (place / ".lock").open("w") as file:
        lock(file.fileno())
        yield
