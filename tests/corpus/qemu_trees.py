"""The device trees that QEMU gives its `virt` machine: it is asked for them at test time."""

from __future__ import annotations

from pathlib import Path

from rootplex.tools.runner import ToolError, run

QEMU = {
    "qemu-virt-gic-version-2-highmem-off": "gic-version=2,highmem=off",
    "qemu-virt-gic-version-3": "gic-version=3",
    "qemu-virt-gic-version-3-iommu-smmuv3": "gic-version=3,iommu=smmuv3",
}
"""The machine's switches."""


def qemu_tree(name: str, folder: Path) -> Path:
    """The tree of one of these, dumped at the first call."""
    file = folder / f"{name}.dtb"
    if not file.exists():
        dump(QEMU[name], file)
    return file


def dump(switches: str, file: Path) -> None:
    """ToolError with QEMU's words where it is missing or does not want to."""
    machine = f"virt,{switches},dumpdtb={file.name}"
    # 8 MiB for translated code, of which there is none
    settings = ("-cpu", "cortex-a57", "-display", "none", "-accel", "tcg,tb-size=8")
    done = run(["qemu-system-aarch64", "-M", machine, *settings], cwd=file.parent)
    if done.status != 0:
        raise ToolError(f"qemu-system-aarch64 dumps no tree: {done.stderr.strip()}")
