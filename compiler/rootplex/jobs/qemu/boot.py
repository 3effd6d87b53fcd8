"""One boot: QEMU with a prepared description, and what its kernel saw."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rootplex.backends.qemu import Abilities
from rootplex.capture import script
from rootplex.capture.facts import Snapshot
from rootplex.capture.snapshot import parse_snapshot
from rootplex.formats.devicetree import VIRTIO_IOMMU
from rootplex.jobs.qemu.comparison import Comparison, compare
from rootplex.jobs.qemu.preparation import Preparation
from rootplex.jobs.qemu.seen import booted
from rootplex.known.kernels import profile_of
from rootplex.model.controllers import AmdIommu, DtNode, Iommu, RiscvIommu
from rootplex.model.platform import Arch, Platform
from rootplex.tools import boot, images, initrd, kernels, runner
from rootplex.tools.apt import Progress, silent
from rootplex.tools.kernels import Kernel
from rootplex.tools.runner import ToolError

PROGRAMS: dict[str, str] = {
    "arm64": "qemu-system-aarch64",
    "x86_64": "qemu-system-x86_64",
    "riscv64": "qemu-system-riscv64",
}
CONSOLES: dict[str, str] = {"arm64": "ttyAMA0", "x86_64": "ttyS0", "riscv64": "ttyS0"}
LOG = "console.log"
SECONDS = 180.0
SEVERAL_SMMUS = (10, 2)
"""QEMU's version that has `arm-smmuv3` as a device, so that there are as many SMMUs as are wanted. Older
ones tell that device's properties too, and plug none."""


class QemuBoot(Struct, frozen=True):
    """A boot that came to its end: the kernel, its snapshot, and what each disk begins with."""

    kernel: Kernel
    snapshot: Snapshot
    disks: Mapping[str, bytes]


class Chosen(Struct, frozen=True):
    """The kernel to boot, and a line that says so where it is not the described one."""

    kernel: Kernel
    instead: str | None = None


def kernel_for(
    cache: Path,
    arch: Arch,
    wanted: str | None,
    described: str,
    progress: Progress = silent,
    *,
    full: bool = False,
) -> Chosen:
    """The unpacked kernel of the profile `wanted`. Without one that of the description's profile, unpacked or
    fetched; where it cannot be had, the newest that is there. ToolError that says how to get one."""
    known = _arch(arch)
    if wanted is not None:
        return Chosen(kernels.newest(cache, known, wanted, full=full))
    there = [each for each in kernels.unpacked(cache, known, full=full) if each.profile is not None]
    mine = [each for each in there if each.profile == described]
    if mine:
        return Chosen(mine[-1])
    try:
        return Chosen(kernels.fetch(cache, known, described, progress, full=full))
    except ToolError as refusal:
        if not there:
            how = f"rootplex fetch-kernel --arch {known}{' --full' if full else ''} gets one"
            raise ToolError(f"no kernel is unpacked ({how}), and none can be fetched: {refusal}") from None
    newest = there[-1]
    return Chosen(newest, f"{described} is not to be had: {newest.release} boots, as {newest.profile}")


def needs_full_kernel(platform: Platform) -> bool:
    """Whether what translates has its driver in Debian's full kernel alone: AMD's IOMMU."""
    return any(isinstance(unit, AmdIommu) for unit in _used_units(platform))


def without_driver(platform: Platform, kernel: Kernel) -> str | None:
    """That a kernel of Debian's has no driver for what translates, and no groups; None where it has one."""
    release = kernel.release
    if "-cloud-" in release and needs_full_kernel(platform):
        return (
            f"{release} has no driver for AMD's IOMMU, and no groups: a full kernel has "
            "(rootplex fetch-kernel --full)"
        )
    riscv = any(isinstance(unit, RiscvIommu) for unit in _used_units(platform))
    if riscv and release.startswith(("6.1.", "6.12.")):
        return f"{release} has no driver for RISC-V's IOMMU, and no groups: Linux 7.2 has"
    if _has_virtio_iommu(platform) and not kernels.has_module(kernel, "virtio-iommu"):
        how = "Linux 6.12 and 7.2 have, as rootplex fetch-kernel unpacks them"
        return f"{release} is there without a driver for a virtio-iommu, and has no groups: {how}"
    return None


def _has_virtio_iommu(platform: Platform) -> bool:
    units = (unit for unit in _used_units(platform) if isinstance(unit, DtNode))
    return any(VIRTIO_IOMMU.intersection(unit.compatible) for unit in units)


def _used_units(platform: Platform) -> Iterator[Iommu]:
    names = platform.units_named
    yield from (unit for unit in platform.iommus if unit.name in names)


def kernel_of_image(cache: Path, arch: Arch, image: Path, wanted: str | None) -> Kernel:
    """A kernel image that the user has; its busybox lies beside it or comes from an unpacked kernel.

    ToolError where it is for another machine, of no profile that is known, or no busybox is there.
    """
    known = _arch(arch)
    found = images.read(image)
    if found.arch != known:
        raise ToolError(f"{image} is a kernel for {found.arch}, and the machine is {known}")
    profile = wanted or profile_of(found.release)
    if profile is None:
        raise ToolError(
            f"{image} is Linux {found.release}, whose behaviour has no profile (say it with --dom0)"
        )
    beside, modules = image.parent / "busybox", kernels.modules_beside(image)
    if beside.is_file():
        return Kernel(known, found.release, profile, image, beside, modules)
    unpacked = kernels.unpacked(cache, known)
    if not unpacked:
        raise ToolError(
            f"no static busybox for {known} is beside {image} or in {kernels.folder(cache, known)} "
            f"(rootplex fetch-kernel --arch {known} gets one)"
        )
    return Kernel(known, found.release, profile, image, unpacked[-1].busybox, modules)


def abilities(arch: Arch) -> Abilities:
    """What the QEMU at hand can do, by its version; what the oldest known can where there is none."""
    if arch not in PROGRAMS:
        return Abilities()
    try:
        asked = [PROGRAMS[arch], "--version"]
        told = runner.run(asked, cwd=Path(tempfile.gettempdir()), limits=runner.QEMU)
    except ToolError:
        return Abilities()
    version = re.search(r"version (\d+)\.(\d+)", told.stdout)
    return Abilities() if version is None else Abilities((int(version[1]), int(version[2])))


def _arch(arch: Arch) -> images.Arch:
    if arch != "arm":
        return arch
    raise ToolError(f"there is no kernel to boot for {arch} (there is for {', '.join(PROGRAMS)})")


def machine(preparation: Preparation, folder: Path) -> list[str]:
    """QEMU's command line but for firmware, kernel and initrd; files are those of `folder`."""
    place = str(folder).replace(",", ",,")
    argv = [PROGRAMS[preparation.platform.arch]]
    argv += [re.sub(r"\bfile=(?=[^,]+)", f"file={place}/", each) for each in preparation.arguments]
    return [*argv, "-display", "none", "-serial", "stdio", "-no-reboot"]


def command(preparation: Preparation, folder: Path) -> list[str]:
    """QEMU's command line but for kernel and initrd."""
    argv = machine(preparation, folder)
    if preparation.firmware == "dt":
        argv += ["-dtb", str(folder / f"{preparation.platform.name}.dtb")]
    elif preparation.platform.arch == "arm64":
        argv += ["-bios", str(kernels.uefi("arm64"))]
    return argv


def append(preparation: Preparation) -> str:
    """The kernel's command line."""
    arch = preparation.platform.arch
    words = [f"console={CONSOLES[arch]}", "panic=-1", *preparation.append]
    if preparation.firmware == "acpi" and arch == "arm64":
        words.append("acpi=force")
    if arch == "x86_64":
        # On a busy machine the timer's first ticks come late, and with interrupts remapped the kernel panics
        # then, before anything of PCI (arch/x86/kernel/apic/io_apic.c, check_timer).
        words.append("no_timer_check")
    if _has_virtio_iommu(preparation.platform) and preparation.expected.groups:
        # Its driver is a module, for which functions wait no longer than this (drivers/base/dd.c,
        # driver_deferred_probe_check_state): ten seconds are too few on a busy machine.
        words.append("deferred_probe_timeout=600")
    return " ".join(words)


def run(
    preparation: Preparation,
    kernel: Kernel,
    folder: Path,
    *,
    seconds: float = SECONDS,
    progress: Callable[[str], None] | None = None,
) -> QemuBoot:
    """QemuBoot in a folder that has the preparation's files; the console goes to its `console.log`.

    ToolError where QEMU or firmware is missing or the boot does not come to its end within `seconds`.
    Unreadable where the snapshot is damaged. No QEMU is left behind, whatever happens.
    """
    if preparation.virtual and not kernels.has_module(kernel, "pci-pf-stub"):
        raise ToolError(
            f"{kernel.release} is there without pci-pf-stub, which switches virtual functions on "
            f"(rootplex fetch-kernel --arch {kernel.arch} gets a kernel with it)"
        )
    image = folder / "initrd"
    image.write_bytes(
        initrd.image(
            kernel.busybox.read_bytes(),
            script(),
            preparation.tables,
            modules=[(each.name, each.read_bytes()) for each in kernel.modules],
            virtual=preparation.virtual,
        )
    )
    argv = [*command(preparation, folder), "-kernel", str(kernel.image), "-initrd", str(image)]
    argv += ["-append", append(preparation)]
    log = folder / LOG
    text = boot.run(argv, log=log, until=initrd.MARK, seconds=seconds, progress=progress)
    return QemuBoot(kernel, parse_snapshot(text, str(log)), initrd.disks(text))


def comparison(preparation: Preparation, found: QemuBoot) -> Comparison:
    """What the kernel saw beside what the simulation of its profile expects."""
    return compare(
        preparation.expected,
        booted(found.snapshot),
        preparation.own,
        real_bars=not preparation.synthetic,
        disks=preparation.disks,
        read=found.disks,
        described=preparation.described,
        because=preparation.because,
    )
