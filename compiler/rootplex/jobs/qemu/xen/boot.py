"""One boot of Xen and its Dom0 on a prepared description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from rootplex.capture import script
from rootplex.capture.facts import Snapshot
from rootplex.capture.snapshot import parse_snapshot
from rootplex.jobs.qemu.boot import LOG, SECONDS, machine
from rootplex.jobs.qemu.preparation import Preparation
from rootplex.jobs.qemu.xen.console import Talk, XenLog, dom0_text, xen_log
from rootplex.jobs.qemu.xen.firmware import linked, machine_tables, with_own, with_tables
from rootplex.jobs.qemu.xen.loading import (
    arm_arguments,
    chosen,
    modules,
    with_processor,
    x86_arguments,
    xen_words,
)
from rootplex.model.platform import Platform
from rootplex.tools import boot, hypervisors, initrd
from rootplex.tools.hypervisors import Hypervisor
from rootplex.tools.runner import ToolError

HIDDEN = "dmar.aml"
"""The table that Xen keeps from Dom0 (drivers/passthrough/vtd/dmar.c: acpi_dmar_zap); QEMU's own tells of
its IOMMU."""


class XenBoot(Struct, frozen=True):
    """A boot that came to its end: what Xen said, and Dom0's snapshot (None: it did not come that far)."""

    hypervisor: Hypervisor
    log: XenLog
    snapshot: Snapshot | None


def refuse_impossible(preparation: Preparation) -> None:
    """ToolError where this way of booting cannot have a Xen."""
    platform = preparation.platform
    if preparation.synthetic:
        raise ToolError("Xen boots on QEMU's own devices alone: leave out --synthetic")
    if platform.arch == "arm64" and preparation.firmware == "acpi":
        raise ToolError("Xen on arm64 boots by device tree here: leave out --acpi")
    refuse_without_el2(platform)


def refuse_without_el2(platform: Platform) -> None:
    """ToolError where QEMU's machine is one without virtualization."""
    if platform.arch == "arm64" and not platform.virtualization:
        raise ToolError(
            f"{platform.name} is QEMU's machine without EL2, on which no Xen starts "
            "(give the description a key xen, or say platform.virtualization: true)"
        )


def run(
    preparation: Preparation,
    hypervisor: Hypervisor,
    folder: Path,
    *,
    seconds: float = SECONDS,
    progress: Callable[[str], None] | None = None,
) -> XenBoot:
    """Boot in a folder that has the preparation's files; the console goes to its `console.log`.

    ToolError where QEMU is missing, the image is no Xen for the machine, nothing of Xen is printed, or the
    boot does not come to its end within `seconds`. Unreadable where the snapshot is damaged.
    """
    refuse_impossible(preparation)
    xen, image, log = folder / "xen", folder / "initrd", folder / LOG
    xen.write_bytes(hypervisors.read(hypervisor.image, hypervisor.arch))
    kernel = hypervisor.dom0
    busybox = kernel.busybox.read_bytes()
    image.write_bytes(initrd.image(busybox, script(), [], stays=True))
    words = " ".join(("console=hvc0", "panic=-1", *preparation.append))
    argv = machine(preparation, folder)
    platform = preparation.platform
    if platform.arch == "arm64":
        parts = modules(platform, kernel.image, image)
        blob = folder / "xen.dtb"
        blob.write_bytes(chosen(preparation.files[f"{platform.name}.dtb"], parts, xen_words(platform), words))
        argv += arm_arguments(xen, blob, parts)
    else:
        argv = _with_our_tables(preparation, argv, folder)
        argv = with_processor(argv) + x86_arguments(xen, kernel.image, image, xen_words(platform), words)
    talk = Talk()
    text = boot.run(argv, log=log, until=talk, seconds=seconds, progress=progress)
    found, dom0 = xen_log(text, talk), dom0_text(text)
    ended = initrd.MARK in dom0
    return XenBoot(hypervisor, found, parse_snapshot(dom0, str(log)) if ended else None)


def _with_our_tables(preparation: Preparation, argv: list[str], folder: Path) -> list[str]:
    """QEMU's command line with our tables as the firmware's, in files of the folder."""
    own = {name: data for name, data in preparation.tables if name != HIDDEN}
    alone = argv[: argv.index("-display")]
    files = {}
    for name, data in linked(with_own(machine_tables(alone, folder), own)).items():
        files[name] = folder / name.rpartition("/")[2]
        files[name].write_bytes(data)
    return with_tables(argv, files)
