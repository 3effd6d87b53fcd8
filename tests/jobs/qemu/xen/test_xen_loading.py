"""What Xen's loader says in the tree: the very blob with `/chosen` more, as dtc reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.backends.devicetree.dtc_text import read
from tests.topologies.bundled import platform_of

from rootplex.jobs.qemu.xen.loading import chosen, dom0_memory, modules, xen_words
from rootplex.model.platform import Memory
from rootplex.tools.runner import ToolError

NAME = "qemu-virt"


def blob(checkout: Path) -> bytes:
    return (checkout / "generated" / NAME / f"{NAME}.dtb").read_bytes()


def test_the_tree_has_the_modules_and_all_else_is_as_it_was(checkout: Path, tmp_path: Path) -> None:
    kernel, initrd = tmp_path / "vmlinuz", tmp_path / "initrd"
    kernel.write_bytes(bytes(5 << 20))
    initrd.write_bytes(bytes(123))
    parts = modules(platform_of(NAME), kernel, initrd)
    before = read(blob(checkout))
    after = read(chosen(blob(checkout), parts, "loglvl=all", "console=hvc0"))
    said = after.pop("/chosen")
    assert {name: said[name] for name in ("xen,xen-bootargs", "xen,dom0-bootargs")} == {
        "xen,xen-bootargs": ("loglvl=all",),
        "xen,dom0-bootargs": ("console=hvc0",),
    }
    # behind Xen and QEMU's tree at 128 MiB, each at a whole 2 MiB
    assert after.pop("/chosen/module@49000000") == {
        "compatible": ("multiboot,kernel", "multiboot,module"),
        "reg": (0, 0x4900_0000, 0, 5 << 20),
    }
    assert after.pop("/chosen/module@49600000") == {
        "compatible": ("multiboot,ramdisk", "multiboot,module"),
        "reg": (0, 0x4960_0000, 0, 123),
    }
    assert before.pop("/chosen").items() <= said.items()
    assert after == before


def test_a_machine_with_too_little_memory_is_refused(tmp_path: Path) -> None:
    small = replace(platform_of(NAME), memory=(Memory(base=0x4000_0000, size=256 << 20),))
    with pytest.raises(ToolError, match="qemu-virt has 256 MiB of RAM, of which Dom0 is to have 128"):
        dom0_memory(small)
    kernel = tmp_path / "vmlinuz"
    kernel.write_bytes(bytes(120 << 20))
    with pytest.raises(ToolError, match="do not fit into the RAM at 0x40000000"):
        modules(small, kernel, kernel)


def test_xen_is_told_what_the_description_says() -> None:
    platform = platform_of(NAME)
    assert "dom0_mem=512M iommu=verbose pci-passthrough=on" in xen_words(platform)
    off = replace(platform, xen=replace(platform.xen, iommu=False, pci_passthrough=False))
    assert "iommu=off pci-passthrough=off" in xen_words(off)
