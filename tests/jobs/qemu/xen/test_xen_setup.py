"""`compile --xen`: the tree for Xen's loader, and the script that starts it, without a boot."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.backends.devicetree.dtc_text import read
from tests.topologies.bundled import platform_of

from rootplex.cli import main
from rootplex.jobs.qemu.xen.setup import ARCHIVE, KERNEL, SCRIPT, setup, slots
from rootplex.model.platform import Memory
from rootplex.source.shipped import shipped_folder
from rootplex.tools.runner import ToolError

ARM, X86 = "qemu-virt", "q35"


def compiled(checkout: Path, name: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (checkout / "generated" / name).iterdir()}


def started(
    made: dict[str, bytes], folder: Path, program: str, *modules: str
) -> subprocess.CompletedProcess[bytes]:
    """The script run with a QEMU that prints its arguments, NUL behind each, and keeps the tree."""
    place = folder / "the set-up"
    place.mkdir()
    for name, data in made.items():
        (place / name).write_bytes(data)
    fake = folder / program
    fake.write_text('#!/bin/sh\nprintf \'%s\\0\' "$@"\n[ ! -e tree.dtb ] || cp tree.dtb "$KEPT"\n')
    fake.chmod(0o755)
    return subprocess.run(
        ["sh", str(place / SCRIPT), *modules],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "KEPT": str(folder / "kept.dtb")},
        capture_output=True,
        check=False,
    )


def test_the_script_writes_the_modules_sizes_into_its_tree(
    checkout: Path, tmp_path: Path, program: Callable[[str], str]
) -> None:
    program("dtc")
    files = compiled(checkout, ARM)
    made = setup(platform_of(ARM), files)
    assert set(made) == {f"{ARM}.xen.dtb", SCRIPT}
    (tmp_path / "xen").write_bytes(b"xen")
    (tmp_path / "a kernel, of mine").write_bytes(bytes(0x0123_4525))
    (tmp_path / "initrd").write_bytes(bytes(0x0A00))
    done = started(made, tmp_path, "qemu-system-aarch64", "xen", "a kernel, of mine", "initrd")
    assert (done.returncode, done.stderr) == (0, b"")
    kernel, initrd = (each.at.base for each in slots(platform_of(ARM)))
    before, after = read(made[f"{ARM}.xen.dtb"]), read((tmp_path / "kept.dtb").read_bytes())
    assert before[f"/chosen/module@{kernel:x}"]["reg"] == (0, kernel, 0, KERNEL)
    assert after[f"/chosen/module@{kernel:x}"]["reg"] == (0, kernel, 0, 0x0123_4525)
    assert after[f"/chosen/module@{initrd:x}"]["reg"] == (0, initrd, 0, 0x0A00)
    assert after["/chosen"]["xen,dom0-bootargs"] == ("console=hvc0",)
    plain = read(files[f"{ARM}.dtb"])
    rest = {path: node for path, node in after.items() if not path.startswith("/chosen")}
    assert rest == {path: node for path, node in plain.items() if path != "/chosen"}
    words = done.stdout.decode().split("\0")
    assert words[words.index("-kernel") + 1] == str(tmp_path / "xen")
    assert f"loader,file={tmp_path}/a kernel,, of mine,addr={kernel:#x},force-raw=on" in words


def test_a_kernel_that_does_not_fit_is_refused(checkout: Path, tmp_path: Path) -> None:
    made = setup(platform_of(ARM), compiled(checkout, ARM))
    with (tmp_path / "kernel").open("wb") as file:
        file.truncate(KERNEL + 1)
    (tmp_path / "xen").touch()
    done = started(made, tmp_path, "qemu-system-aarch64", "xen", "kernel", "xen")
    assert done.returncode == 2
    assert done.stderr.decode() == (
        f"{tmp_path}/kernel has {KERNEL + 1} bytes, and there is room for {KERNEL}\n"
    )


def test_x86_starts_by_multiboot_with_the_tables_that_xen_leaves(checkout: Path, tmp_path: Path) -> None:
    made = setup(platform_of(X86), compiled(checkout, X86))
    assert set(made) == {ARCHIVE, SCRIPT}
    assert b"mcfg.aml" in made[ARCHIVE]
    assert b"dmar.aml" not in made[ARCHIVE]
    for name in ("xen", "a,kernel", "initrd"):
        (tmp_path / name).touch()
    done = started(made, tmp_path, "qemu-system-x86_64", "xen", "a,kernel", "initrd", "-snapshot")
    assert (done.returncode, done.stderr) == (0, b"")
    words = done.stdout.decode().split("\0")
    assert words[words.index("-initrd") + 1] == f"{tmp_path}/a,,kernel console=hvc0,both"
    assert "dom0_mem=512M" in words[words.index("-append") + 1]
    assert words[-2] == "-snapshot"


def test_without_its_three_files_the_script_says_how(checkout: Path, tmp_path: Path) -> None:
    made = setup(platform_of(ARM), compiled(checkout, ARM))
    done = started(made, tmp_path, "qemu-system-aarch64", "xen")
    assert done.returncode == 2
    assert done.stderr == b"usage: sh xen.sh XEN KERNEL INITRD [ARGUMENT...]\n"


def test_a_board_that_is_no_machine_of_qemu_s_gets_its_tree_alone(checkout: Path) -> None:
    made = setup(platform_of("synquacer"), compiled(checkout, "synquacer"))
    assert set(made) == {"synquacer.xen.dtb"}


def test_what_xen_cannot_start_on_is_refused(checkout: Path) -> None:
    files, platform = compiled(checkout, ARM), platform_of(ARM)
    small = (Memory(base=0x4000_0000, size=192 << 20),)
    for other, message in (
        (replace(platform, hypervisor=None), "qemu-virt is without Xen"),
        (replace(platform, arch="riscv64"), "there is no Xen to start for riscv64"),
        (replace(platform, memory=()), "qemu-virt says of no memory"),
        (replace(platform, memory=small), "do not fit into the RAM at 0x40000000"),
        (replace(platform, firmware=("acpi",)), "qemu-virt has no device tree"),
        (replace(platform, virtualization=False), "without EL2, on which no Xen starts"),
    ):
        with pytest.raises(ToolError, match=message):
            setup(other, files)


def test_the_command_writes_them_where_they_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(shipped_folder("topologies") / f"{ARM}.yaml")
    folder = tmp_path / ARM

    def compile_(*words: str) -> str:
        assert main(["compile", file, "-o", str(tmp_path), *words]) == 0
        return capsys.readouterr().out.rpartition("(")[2]

    plain = compile_()
    assert not (folder / SCRIPT).exists()
    assert compile_("--xen") != plain
    assert {SCRIPT, f"{ARM}.xen.dtb"} <= set(json.loads((folder / "manifest.json").read_text())["files"])
    assert compile_("--xen") == "unchanged)\n"
    assert compile_() == plain
    assert not (folder / SCRIPT).exists()


def test_a_description_without_xen_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (shipped_folder("topologies") / f"{ARM}.yaml").read_text()
    head, _, _ = text.partition("\nxen:")
    file = tmp_path / "bare.yaml"
    file.write_text(f"{head}\nxen: false\n")
    assert main(["compile", str(file), "--xen", "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "rootplex: qemu-virt is without Xen\n"
